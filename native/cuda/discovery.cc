#include "discovery.h"

namespace fovea::cuda {
namespace {

std::string wordsOf(const DriverTable& driver, CUresult status) {
  const char* name = nullptr;
  driver.cuGetErrorName(status, &name);
  return std::string(name ? name : "an unknown status") + " (" + std::to_string(status) + ")";
}

// The GPU's primary context as long as somebody asks it something.
class PrimaryContext {
 public:
  PrimaryContext(const DriverTable& driver, CUdevice device) : driver_(driver), device_(device) {
    CUcontext context = nullptr;
    status = driver_.cuDevicePrimaryCtxRetain(&context, device_);
    if (status != CUDA_SUCCESS) return;
    retained_ = true;
    status = driver_.cuCtxPushCurrent_v2(context);
    pushed_ = status == CUDA_SUCCESS;
  }
  ~PrimaryContext() {
    CUcontext context = nullptr;
    if (pushed_) driver_.cuCtxPopCurrent_v2(&context);
    if (retained_) driver_.cuDevicePrimaryCtxRelease_v2(device_);
  }
  PrimaryContext(const PrimaryContext&) = delete;
  PrimaryContext& operator=(const PrimaryContext&) = delete;

  CUresult status;

 private:
  const DriverTable& driver_;
  CUdevice device_;
  bool retained_ = false, pushed_ = false;
};

void measure(const DriverTable& calls, CUdevice device, Gpu& gpu) {
  const PrimaryContext context(calls, device);
  size_t free = 0, total = 0;
  CUresult status = context.status;
  if (status == CUDA_SUCCESS) status = calls.cuMemGetInfo_v2(&free, &total);
  if (status == CUDA_SUCCESS)
    gpu.freeBytes = free;
  else
    gpu.problem = wordsOf(calls, status);
}

}  // namespace

std::vector<Gpu> listGpus(const Driver& driver, bool freeMemory) {
  const DriverTable& calls = driver.calls;
  int count = 0;
  if (calls.cuDeviceGetCount(&count) != CUDA_SUCCESS) return {};
  std::vector<Gpu> gpus;
  for (int index = 0; index < count; ++index) {
    Gpu gpu;
    gpu.index = index;
    CUdevice device = 0;
    if (const CUresult status = calls.cuDeviceGet(&device, index); status != CUDA_SUCCESS) {
      gpu.problem = wordsOf(calls, status);
      gpus.push_back(gpu);
      continue;
    }
    char name[256] = "";
    if (calls.cuDeviceGetName(name, sizeof name - 1, device) == CUDA_SUCCESS) gpu.name = name;
    calls.cuDeviceTotalMem_v2(&gpu.totalBytes, device);
    calls.cuDeviceGetAttribute(&gpu.major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device);
    calls.cuDeviceGetAttribute(&gpu.minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
    calls.cuDeviceGetAttribute(&gpu.processors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device);
    if (freeMemory) measure(calls, device, gpu);
    gpus.push_back(gpu);
  }
  return gpus;
}

}  // namespace fovea::cuda

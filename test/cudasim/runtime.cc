// The runtime's calls about devices, memory and errors.
#include <cstring>
#include <utility>

#include "device.h"
#include "memory.h"
#include "queue.h"

namespace cudasim {
namespace {

cudaError_t& lastError() {
  thread_local cudaError_t error = cudaSuccess;
  return error;
}

cudaError_t note(cudaError_t error) {
  if (error != cudaSuccess) lastError() = error;
  return error;
}

cudaError_t refuse(const char* call, cudaError_t error, const std::string& why) {
  complain(call, why);
  return note(error);
}

std::string spell(const void* pointer, size_t bytes) {
  char text[64];
  std::snprintf(text, sizeof text, "%zu bytes at %p", bytes, pointer);
  return text;
}

bool tooOld() { return driverVersion() / 1000 < runtimeVersion() / 1000; }

bool wantsDevice(cudaMemcpyKind kind, bool source) {
  return kind == cudaMemcpyDeviceToDevice ||
         kind == (source ? cudaMemcpyDeviceToHost : cudaMemcpyHostToDevice);
}

// Why one side of a copy is wrong; empty where it is right.
std::string wrongSide(const void* pointer, size_t bytes, cudaMemcpyKind kind, bool source) {
  if (kind == cudaMemcpyDefault) return {};
  const bool onDevice = deviceMemory().covers(pointer, bytes);
  if (wantsDevice(kind, source) && !onDevice)
    return std::string(source ? "source" : "target") + " is no device memory: " + spell(pointer, bytes);
  if (!wantsDevice(kind, source) && deviceMemory().covers(pointer))
    return std::string(source ? "source" : "target") + " is device memory: " + spell(pointer, bytes);
  return {};
}

cudaError_t copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  for (const std::string& why : {wrongSide(from, bytes, kind, true), wrongSide(to, bytes, kind, false)})
    if (!why.empty()) {
      complain("cudaMemcpyAsync", why);
      return cudaErrorIllegalAddress;
    }
  std::memmove(to, from, bytes);
  return cudaSuccess;
}

}  // namespace
}  // namespace cudasim

using namespace cudasim;

extern "C" {

cudaError_t cudaRuntimeGetVersion(int* version) {
  CUDASIM_ENTER(cudaRuntimeGetVersion, note(cudaErrorUnknown));
  *version = runtimeVersion();
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  CUDASIM_TELL(cudaGetLastError);
  return std::exchange(lastError(), cudaSuccess);
}

const char* cudaGetErrorName(cudaError_t error) {
  CUDASIM_TELL(cudaGetErrorName);
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
    default:
      return "cudaErrorUnknown";
  }
}

const char* cudaGetErrorString(cudaError_t error) {
  CUDASIM_TELL(cudaGetErrorString);
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory (simulated)";
    case cudaErrorInsufficientDriver:
      return "CUDA driver version is insufficient for CUDA runtime version (simulated)";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected (simulated)";
    default:
      return "an error of the simulated device";
  }
}

cudaError_t cudaGetDeviceCount(int* count) {
  CUDASIM_ENTER(cudaGetDeviceCount, note(cudaErrorUnknown));
  // As the real one does, the count is left as it was.
  if (tooOld()) return note(cudaErrorInsufficientDriver);
  if (deviceCount() == 0) return note(cudaErrorNoDevice);
  *count = deviceCount();
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  CUDASIM_ENTER(cudaGetDevice, note(cudaErrorUnknown));
  *device = currentDevice();
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  CUDASIM_ENTER(cudaSetDevice, note(cudaErrorUnknown));
  if (tooOld()) return note(cudaErrorInsufficientDriver);
  if (device < 0 || device >= deviceCount())
    return refuse("cudaSetDevice", cudaErrorInvalidDevice, "no device " + std::to_string(device));
  currentDevice() = device;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  CUDASIM_ENTER(cudaDeviceGetAttribute, note(cudaErrorUnknown));
  if (device < 0 || device >= deviceCount())
    return refuse("cudaDeviceGetAttribute", cudaErrorInvalidDevice, "no device " + std::to_string(device));
  if (!attributeOf(attribute, value))
    return refuse("cudaDeviceGetAttribute", cudaErrorInvalidValue,
                  "attribute " + std::to_string(attribute) + " is not simulated");
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  CUDASIM_ENTER(cudaMemGetInfo, note(cudaErrorUnknown));
  *total = memoryOf(currentDevice());
  *free = *total - deviceMemory().used(currentDevice());
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  CUDASIM_ENTER(cudaMalloc, note(cudaErrorMemoryAllocation));
  if (const cudaError_t error = refuseInCapture("cudaMalloc"); error != cudaSuccess) return note(error);
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (State::instance().allocationFails()) return note(cudaErrorMemoryAllocation);
  *pointer = deviceMemory().allocate(bytes, currentDevice(), memoryOf(currentDevice()));
  return *pointer ? cudaSuccess : note(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void* pointer) {
  CUDASIM_LEAVE(cudaFree);
  if (!pointer) return cudaSuccess;
  if (const cudaError_t error = refuseInCapture("cudaFree"); error != cudaSuccess) return note(error);
  for (int device = 0; device < deviceCount(); ++device) drainDevice(device);
  switch (deviceMemory().free(pointer)) {
    case MemoryMap::Freed::unknown:
      return refuse("cudaFree", cudaErrorInvalidValue, "not a live allocation: " + spell(pointer, 0));
    case MemoryMap::Freed::overwritten:
      return refuse("cudaFree", cudaErrorIllegalAddress,
                    "something wrote outside the allocation " + spell(pointer, 0));
    default:
      return injected ? note(cudaErrorUnknown) : cudaSuccess;
  }
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  CUDASIM_ENTER(cudaMallocHost, note(cudaErrorMemoryAllocation));
  if (const cudaError_t error = refuseInCapture("cudaMallocHost"); error != cudaSuccess) return note(error);
  *pointer = pinnedMemory().allocate(bytes, -1, size_t{1} << 40);
  return *pointer ? cudaSuccess : note(cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void* pointer) {
  CUDASIM_LEAVE(cudaFreeHost);
  if (!pointer) return cudaSuccess;
  if (const cudaError_t error = refuseInCapture("cudaFreeHost"); error != cudaSuccess) return note(error);
  for (int device = 0; device < deviceCount(); ++device) drainDevice(device);
  switch (pinnedMemory().free(pointer)) {
    case MemoryMap::Freed::unknown:
      return refuse("cudaFreeHost", cudaErrorInvalidValue, "not pinned memory: " + spell(pointer, 0));
    case MemoryMap::Freed::overwritten:
      return refuse("cudaFreeHost", cudaErrorIllegalAddress,
                    "something wrote outside the allocation " + spell(pointer, 0));
    default:
      return injected ? note(cudaErrorUnknown) : cudaSuccess;
  }
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t handle) {
  CUDASIM_ENTER(cudaMemcpyAsync, note(cudaErrorUnknown));
  const auto stream = streamOf(handle);
  if (!stream) return refuse("cudaMemcpyAsync", cudaErrorInvalidResourceHandle, "unknown stream");
  if (bytes == 0) return cudaSuccess;
  for (const std::string& why : {wrongSide(from, bytes, kind, true), wrongSide(to, bytes, kind, false)})
    if (!why.empty()) return refuse("cudaMemcpyAsync", cudaErrorInvalidValue, why);
  // Pageable memory cannot be read or written later than the call.
  const bool pageable = (!wantsDevice(kind, true) && !pinnedMemory().covers(from, bytes)) ||
                        (!wantsDevice(kind, false) && !pinnedMemory().covers(to, bytes));
  const cudaError_t error = enqueue(*stream, [=] {
    if (!pageable && !wantsDevice(kind, true) && !pinnedMemory().covers(from, bytes)) {
      complain("cudaMemcpyAsync", "pinned source was freed before it was read");
      return cudaErrorIllegalAddress;
    }
    if (!pageable && !wantsDevice(kind, false) && !pinnedMemory().covers(to, bytes)) {
      complain("cudaMemcpyAsync", "pinned target was freed before it was written");
      return cudaErrorIllegalAddress;
    }
    return copy(to, from, bytes, kind);
  });
  return note(error == cudaSuccess && pageable && !stream->capture ? drain(*stream) : error);
}

cudaError_t cudaMemsetAsync(void* pointer, int value, size_t bytes, cudaStream_t handle) {
  CUDASIM_ENTER(cudaMemsetAsync, note(cudaErrorUnknown));
  const auto stream = streamOf(handle);
  if (!stream) return refuse("cudaMemsetAsync", cudaErrorInvalidResourceHandle, "unknown stream");
  if (bytes == 0) return cudaSuccess;
  if (!deviceMemory().covers(pointer, bytes))
    return refuse("cudaMemsetAsync", cudaErrorInvalidValue, "no device memory: " + spell(pointer, bytes));
  return note(enqueue(*stream, [=] {
    if (!deviceMemory().covers(pointer, bytes)) {
      complain("cudaMemsetAsync", "memory was freed before it was set");
      return cudaErrorIllegalAddress;
    }
    std::memset(pointer, value, bytes);
    return cudaSuccess;
  }));
}

}  // extern "C"

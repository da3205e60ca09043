#include "context.h"

#include <memory>
#include <type_traits>

#include "status.h"

namespace fovea::cuda {
namespace {

// What cuBLAS may use between two products on the stream; its own allocation would not work while recording.
constexpr size_t cublasWorkspaceBytes = size_t{32} << 20;

int attributeOf(const Libraries& libraries, cudaDeviceAttr attribute, int device) {
  int value = 0;
  FOVEA_CUDA_CALL(libraries, runtime, cudaDeviceGetAttribute, &value, attribute, device);
  return value;
}

std::string nameOf(const Libraries& libraries, int device) {
  CUdevice handle = 0;
  FOVEA_CUDA_CALL(libraries, driver, cuDeviceGet, &handle, device);
  std::string text(256, '\0');
  FOVEA_CUDA_CALL(libraries, driver, cuDeviceGetName, text.data(), static_cast<int>(text.size()), handle);
  return text.c_str();
}

}  // namespace

Context::Context(std::shared_ptr<const Libraries> given, int device, const Settings& settings,
                 std::shared_ptr<MemoryMeter> meter)
    : libraries(std::move(given)),
      device(device),
      settings(settings),
      pool(std::make_shared<MemoryPool>(libraries, device, std::move(meter))) {
  activate();
  FOVEA_CUDA_CALL(*libraries, runtime, cudaFree, nullptr);  // makes the GPU's context this thread's
  processors = attributeOf(*libraries, cudaDevAttrMultiProcessorCount, device);
  architecture = "sm_" + std::to_string(attributeOf(*libraries, cudaDevAttrComputeCapabilityMajor, device)) +
                 std::to_string(attributeOf(*libraries, cudaDevAttrComputeCapabilityMinor, device));
  name = nameOf(*libraries, device);
  openStreams();
}

// Both or none: what a constructor leaves half done no destructor ends.
void Context::openStreams() {
  FOVEA_CUDA_CALL(*libraries, runtime, cudaStreamCreateWithFlags, &stream, cudaStreamNonBlocking);
  try {
    FOVEA_CUDA_CALL(*libraries, runtime, cudaStreamCreateWithFlags, &uploads, cudaStreamNonBlocking);
  } catch (...) {
    libraries->runtime.cudaStreamDestroy(stream);
    throw;
  }
}

Context::~Context() {
  const UsingDevice use(*libraries, device);
  libraries->runtime.cudaStreamSynchronize(stream);
  libraries->runtime.cudaStreamDestroy(uploads);
  modules_.clear();
  if (cudnn_) libraries->cudnn.cudnnDestroy(cudnn_);
  if (cublas_) libraries->cublas.cublasDestroy_v2(cublas_);
  libraries->runtime.cudaStreamDestroy(stream);
}

void Context::activate() const { FOVEA_CUDA_CALL(*libraries, runtime, cudaSetDevice, device); }

Function Context::function(const std::string& file, const std::string& kernel, const Defines& defines) const {
  std::string key = file;
  for (const auto& [macro, value] : defines) key += " " + macro + "=" + value;
  std::shared_ptr<const Module>& module = modules_[key];
  if (!module)
    module =
        std::make_shared<Module>(libraries, device, compileKernels(*libraries, file, defines, architecture));
  return {libraries, module, kernel, stream};
}

// A handle is kept only when all is set: one without its stream would work, on another.
cudnnHandle_t Context::cudnn() const {
  if (!cudnn_) {
    const auto destroy = [this](cudnnHandle_t handle) { libraries->cudnn.cudnnDestroy(handle); };
    cudnnHandle_t handle = nullptr;
    FOVEA_CUDA_CALL(*libraries, cudnn, cudnnCreate, &handle);
    std::unique_ptr<std::remove_pointer_t<cudnnHandle_t>, decltype(destroy)> owned(handle, destroy);
    FOVEA_CUDA_CALL(*libraries, cudnn, cudnnSetStream, handle, stream);
    cudnn_ = owned.release();
  }
  return cudnn_;
}

cublasHandle_t Context::cublas() const {
  if (!cublas_) {
    const auto destroy = [this](cublasHandle_t handle) { libraries->cublas.cublasDestroy_v2(handle); };
    const std::shared_ptr<Memory> workspace = pool->allocate(cublasWorkspaceBytes);
    cublasHandle_t handle = nullptr;
    FOVEA_CUDA_CALL(*libraries, cublas, cublasCreate_v2, &handle);
    std::unique_ptr<std::remove_pointer_t<cublasHandle_t>, decltype(destroy)> owned(handle, destroy);
    // Setting the stream takes a workspace away, so that comes first.
    FOVEA_CUDA_CALL(*libraries, cublas, cublasSetStream_v2, handle, stream);
    FOVEA_CUDA_CALL(*libraries, cublas, cublasSetWorkspace_v2, handle, workspace->data(), workspace->bytes());
    // Sums of f16 products stay f32 to the end.
    const int mode = CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION |
                     (settings.allowTf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH);
    FOVEA_CUDA_CALL(*libraries, cublas, cublasSetMathMode, handle, static_cast<cublasMath_t>(mode));
    cublas_ = owned.release();
    cublasWorkspace_ = workspace;
  }
  return cublas_;
}

void Context::synchronize() const { FOVEA_CUDA_CALL(*libraries, runtime, cudaStreamSynchronize, stream); }

}  // namespace fovea::cuda

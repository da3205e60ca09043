#include "status.h"

namespace fovea::cuda {
namespace {

Error failure(bool memory, const char* call, const std::string& name, int status, const std::string& text) {
  const std::string what = name + " (" + std::to_string(status) + ")";
  return {memory ? "OUT_OF_MEMORY" : "BACKEND",
          std::string(call) + " failed with " + what + (text.empty() ? "" : ": " + text), call, "success",
          what};
}

std::string text(const char* words) { return words ? words : ""; }

}  // namespace

void check(const Libraries& libraries, cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  // Or the next call's success would be taken for this failure.
  libraries.runtime.cudaGetLastError();
  throw failure(status == cudaErrorMemoryAllocation, call, text(libraries.runtime.cudaGetErrorName(status)),
                status, text(libraries.runtime.cudaGetErrorString(status)));
}

void check(const Libraries& libraries, CUresult status, const char* call) {
  if (status == CUDA_SUCCESS) return;
  const char *name = nullptr, *words = nullptr;
  libraries.driver.cuGetErrorName(status, &name);
  libraries.driver.cuGetErrorString(status, &words);
  throw failure(status == CUDA_ERROR_OUT_OF_MEMORY, call, name ? name : "an unknown status", status,
                text(words));
}

void check(const Libraries& libraries, cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char words[1024] = "";
  libraries.cudnn.cudnnGetLastErrorString(words, sizeof words);
  words[sizeof words - 1] = '\0';
  const bool memory = status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ||
                      status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
  throw failure(memory, call, text(libraries.cudnn.cudnnGetErrorString(status)), status, words);
}

void check(const Libraries& libraries, cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw failure(status == CUBLAS_STATUS_ALLOC_FAILED, call,
                text(libraries.cublas.cublasGetStatusString(status)), status, {});
}

void check(const Libraries& libraries, nvrtcResult status, const char* call) {
  if (status == NVRTC_SUCCESS) return;
  throw failure(status == NVRTC_ERROR_OUT_OF_MEMORY, call, text(libraries.nvrtc.nvrtcGetErrorString(status)),
                status, {});
}

Error outOfMemory(const Libraries& libraries, const char* call, size_t asked, size_t live) {
  libraries.runtime.cudaGetLastError();
  size_t free = 0, total = 0;
  std::string gpu;
  if (libraries.runtime.cudaMemGetInfo(&free, &total) == cudaSuccess)
    gpu = "; the GPU has " + std::to_string(free) + " of " + std::to_string(total) + " bytes free";
  const std::string size = std::to_string(asked) + " bytes";
  return {"OUT_OF_MEMORY",
          std::string(call) + ": no memory for " + size + " more, " + std::to_string(live) +
              " bytes are in use by this device" + gpu,
          "memory", size, std::to_string(live) + " bytes in use"};
}

}  // namespace fovea::cuda

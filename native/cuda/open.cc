#include "open.h"

#include "cuda_backend.h"
#include "library_search.h"

namespace fovea::cuda {
namespace {

Unavailable refusal(const Libraries& libraries, const std::string& device, cudaError_t status) {
  const RuntimeTable& runtime = libraries.runtime;
  const std::string found = std::string("the CUDA runtime says ") + runtime.cudaGetErrorName(status) + " (" +
                            std::to_string(status) + "), " + runtime.cudaGetErrorString(status);
  runtime.cudaGetLastError();
  switch (status) {
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
      return unavailable(Reason::noDevice, device + " is not there", device, "an NVIDIA GPU", found);
    case cudaErrorMemoryAllocation:
      return unavailable(Reason::outOfMemory, device + " has no memory to start", device, "free memory",
                         found);
    case cudaErrorInsufficientDriver:
      return unavailable(Reason::driverTooOld,
                         "the NVIDIA driver is too old for the libraries that were found", device,
                         "a driver for CUDA " + cudaVersion(libraries.versions.runtime),
                         "a driver for CUDA " + cudaVersion(libraries.versions.driver));
    default:
      return unavailable(Reason::driverFailed, device + " does not start", device, "a GPU that starts",
                         found);
  }
}

void start(const Libraries& libraries, int index, const std::string& device) {
  const RuntimeTable& runtime = libraries.runtime;
  int count = 0;  // which a failing call leaves as it is
  if (const cudaError_t status = runtime.cudaGetDeviceCount(&count); status != cudaSuccess)
    throw refusal(libraries, device, status);
  if (index >= count)
    throw unavailable(Reason::noDevice, device + " is not there", device,
                      "an index from 0 to " + std::to_string(count - 1),
                      std::to_string(count) + (count == 1 ? " GPU" : " GPUs"));
  cudaError_t status = runtime.cudaSetDevice(index);
  // Does nothing but to start the GPU.
  if (status == cudaSuccess) status = runtime.cudaFree(nullptr);
  if (status != cudaSuccess) throw refusal(libraries, device, status);
}

}  // namespace

std::shared_ptr<Backend> open(int index, const DeviceOptions& options, std::shared_ptr<MemoryMeter> meter) {
  const std::string device = "cuda:" + std::to_string(index);
  const std::shared_ptr<const Libraries> libraries = load({.folders = options.cudaFolders});
  start(*libraries, index, device);
  try {
    return openCudaBackend(options, index, libraries, std::move(meter));
  } catch (const Error& error) {
    if (error.code != "OUT_OF_MEMORY") throw;
    throw unavailable(Reason::outOfMemory, device + " has no memory to start", device, "free memory",
                      error.what());
  }
}

}  // namespace fovea::cuda

#include "device.h"

#include "queue.h"

namespace cudasim {

int driverVersion() { return static_cast<int>(setting("CUDASIM_DRIVER_VERSION", 13000)); }
int runtimeVersion() { return static_cast<int>(setting("CUDASIM_RUNTIME_VERSION", 13000)); }
size_t cudnnVersion() { return static_cast<size_t>(setting("CUDASIM_CUDNN_VERSION", 91900)); }

size_t memoryOf(int device) {
  // The last device has the most, so that choosing by free memory does not mean choosing the first.
  const auto all = static_cast<size_t>(setting("CUDASIM_MEMORY", int64_t{1} << 30));
  return all - static_cast<size_t>(deviceCount() - 1 - device) * (all / 8);
}

std::string nameOf(int device) {
  return "simulated device " + std::to_string(device) + " (no GPU: for tests only)";
}

bool attributeOf(int attribute, int* value) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      *value = maxThreads;
      return true;
    case cudaDevAttrMaxGridDimX:
      *value = 0x7fffffff;
      return true;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      *value = 65535;
      return true;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = static_cast<int>(sharedMemory);
      return true;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(sharedMemoryOptIn);
      return true;
    case cudaDevAttrWarpSize:
      *value = 32;
      return true;
    case cudaDevAttrMultiProcessorCount:
      *value = multiprocessors;
      return true;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = 2048;
      return true;
    case cudaDevAttrComputeCapabilityMajor:
      *value = computeCapability / 10;
      return true;
    case cudaDevAttrComputeCapabilityMinor:
      *value = computeCapability % 10;
      return true;
    case cudaDevAttrClockRate:
    case cudaDevAttrMemoryClockRate:
    case cudaDevAttrGlobalMemoryBusWidth:
    case cudaDevAttrL2CacheSize:
      *value = 1;  // no speed can be worked out from it
      return true;
    default:
      return false;
  }
}

}  // namespace cudasim

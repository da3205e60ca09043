#pragma once
#include <string>

#include "api.h"

namespace cudasim {

// The versions that the libraries tell, which a test may set.
int driverVersion();
int runtimeVersion();
size_t cudnnVersion();

size_t memoryOf(int device);
std::string nameOf(int device);
// Of cudaDeviceAttr and CUdevice_attribute, which have the same numbers. False for one that is not known.
bool attributeOf(int attribute, int* value);

constexpr int multiprocessors = 4, computeCapability = 90, maxThreads = 1024;
constexpr size_t sharedMemory = 48 << 10, sharedMemoryOptIn = 227 << 10;

}  // namespace cudasim

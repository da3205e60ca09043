#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libraries.h"

namespace fovea::cuda {

struct Gpu {
  int index = 0;
  std::string name;
  size_t totalBytes = 0;
  std::optional<size_t> freeBytes;  // where it was asked for and the GPU does not refuse work
  std::string problem;              // why
  int major = 0, minor = 0;         // compute capability
  int processors = 0;               // streaming multiprocessors
};

// The GPUs that the driver shows this process. To learn how much memory is free, each is started and left
// again, which takes some tenths of a second a GPU.
std::vector<Gpu> listGpus(const Driver& driver, bool freeMemory);

}  // namespace fovea::cuda

#pragma once
#include "backend.h"

namespace fovea::cuda {

// Loads the libraries, starts GPU `index` and opens a backend on it. Throws Unavailable.
std::shared_ptr<Backend> open(int index, const DeviceOptions& options, std::shared_ptr<MemoryMeter> meter);

}  // namespace fovea::cuda

#pragma once
#include "backend.h"
#include "libraries.h"

namespace fovea::cuda {

// A backend on GPU `index`. The caller has loaded the libraries and seen that there is such a GPU.
std::shared_ptr<Backend> openCudaBackend(const DeviceOptions& options, int index,
                                         std::shared_ptr<const Libraries> libraries,
                                         std::shared_ptr<MemoryMeter> meter);

}  // namespace fovea::cuda

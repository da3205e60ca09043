#pragma once
#include "backend.h"

namespace fovea::cpu {

std::shared_ptr<Backend> openCpuBackend(const DeviceOptions& options, std::shared_ptr<MemoryMeter> meter);

}  // namespace fovea::cpu

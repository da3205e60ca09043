#pragma once
#include <memory>

#include "memory.h"

namespace fovea::cpu {

// Cache-line aligned host memory, counted in `meter`. Throws OUT_OF_MEMORY where the machine has not enough,
// before the kernel would kill the process for it.
std::shared_ptr<Memory> allocateAligned(size_t bytes, std::shared_ptr<MemoryMeter> meter);

}  // namespace fovea::cpu

#pragma once
#include "backend.h"

namespace fovea::null {

// Prepares every instruction, places and moves its memory, and computes nothing. What runs on it depends on
// no compute library.
std::shared_ptr<Backend> openNullBackend(std::shared_ptr<MemoryMeter> meter);

}  // namespace fovea::null

#pragma once
#include <cstddef>

namespace fovea::cpu {

// Takes memory out of the processor's caches; on processors without such an instruction it does nothing.
void evict(const void* data, size_t bytes);

}  // namespace fovea::cpu

#include "caches.h"

namespace fovea::cpu {

void evict([[maybe_unused]] const void* data, [[maybe_unused]] size_t bytes) {
#if defined(__x86_64__)
  constexpr size_t line = 64;
  for (size_t i = 0; i < bytes; i += line) __builtin_ia32_clflush(static_cast<const char*>(data) + i);
  __builtin_ia32_mfence();
#endif
}

}  // namespace fovea::cpu

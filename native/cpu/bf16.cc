#include "bf16.h"

#include <bit>

#include "simd.h"

namespace fovea::cpu {

FOVEA_SIMD void widen(const Bf16* from, float* to, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) to[i] = std::bit_cast<float>(uint32_t{from[i].bits} << 16);
}

FOVEA_SIMD void narrow(const float* from, Bf16* to, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<uint32_t>(from[i]);
    const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
    const bool isNaN = (bits & 0x7fffffff) > 0x7f800000;
    to[i].bits = static_cast<uint16_t>((isNaN ? bits | 0x400000 : rounded) >> 16);
  }
}

}  // namespace fovea::cpu

#pragma once
#include <cstdint>

#include "types.h"

namespace fovea::cpu {

// The upper half of a float.
struct Bf16 {
  uint16_t bits = 0;
};

// Calls use(element) with an element of the type that activations have.
template <class Use>
auto withElement(DType dtype, const Use& use) {
  return dtype == DType::bf16 ? use(Bf16{}) : use(float{});
}

void widen(const Bf16* from, float* to, int64_t count);
// Rounds to nearest, ties to even.
void narrow(const float* from, Bf16* to, int64_t count);

}  // namespace fovea::cpu

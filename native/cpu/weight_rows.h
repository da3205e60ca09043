#pragma once
#include <cstdint>

// A linear layer for a few images, with AVX-512. Its time is that of reading the weights once, so they are
// read as they lie in the store, row after row, and asked for early enough to come as fast as memory gives
// them.
namespace fovea::cpu::rows {

constexpr int64_t mostImages = 8;
constexpr int64_t mostOutputs = 16;  // of one call

struct Shape {
  int64_t images, features, outputs;
};

// y[n][o] = relu(bias[o] + sum over i of x[n][i] * weight[o][i]) for outputs [begin, end); bias may be
// nullptr.
void multiply(const float* x, const float* weight, const float* bias, float* y, const Shape& shape, bool relu,
              int64_t begin, int64_t end);

}  // namespace fovea::cpu::rows

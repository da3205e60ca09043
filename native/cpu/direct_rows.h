#pragma once
#include <cstdint>

// The inner loops of a direct convolution on vectors of 16 channels, with AVX-512: a run of output pixels of one
// row times some vectors of output channels, summed in registers.
namespace fovea::cpu::direct {

constexpr int64_t lanes = 16;
constexpr int64_t mostVectors = 4;

// Output pixels whose sums fit in registers beside the weights and one value, by vectors of output channels.
constexpr int64_t mostPixels[mostVectors] = {14, 14, 9, 6};

// Whether this processor has the instructions, and the loops exist for this stride.
bool supported(int64_t stride);

// What is summed: over blocks of channels, and taps of the kernel in each.
struct Terms {
  int64_t blocks, taps;
  const int64_t* offsets;  // floats from a pixel's first tap to each of its taps
  int64_t xBlock;          // floats from a block of x to the next
  int64_t weightVector;    // floats from a vector of output channels' weights to the next
};

// What becomes of the sums.
struct Finish {
  int64_t yVector;        // floats from a vector of output channels to the next
  const float* add;       // what is added, lying as y and perhaps y itself, or nullptr
  const float* bias;      // of these channels, or nullptr
  bool relu;
  int64_t channels;  // of these vectors that are real
};

// x: the first tap of the first pixel, the next one's being `stride` pixels away; weights: [vector][block][tap]
// [lanes of x][lanes of y]; y: the first pixel. At most mostPixels[vectors - 1] pixels.
void accumulate(const float* x, const float* weights, float* y, int64_t pixels, int64_t vectors, int64_t stride,
                const Terms& terms, const Finish& finish);

}  // namespace fovea::cpu::direct

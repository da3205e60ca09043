#pragma once
#include <cstdint>

// The innermost loops of convolutions, with AVX-512: pixels in blocks of 16 channels times vectors of 16
// output channels, summed in registers.
namespace fovea::cpu::products {

constexpr int64_t lanes = 16;
constexpr int64_t mostVectors = 4;

// Pixels whose sums fit in registers beside the weights and one value, by vectors of output channels.
constexpr int64_t mostPixels[mostVectors] = {14, 14, 9, 6};

// What is summed: over blocks of channels, and taps of the kernel in each. Distances are in floats.
struct Terms {
  int64_t blocks, taps;
  const int64_t* offsets;  // from a pixel's first tap to each of its taps
  int64_t xBlock;          // from a block of x to the next
  int64_t weightVector;    // from a vector of output channels' weights to the next
};

// What becomes of the sums.
struct Finish {
  int64_t yVector;    // from a vector of output channels to the next
  const float* add;   // what is added, lying as y and perhaps y itself, or nullptr
  const float* bias;  // of these channels, or nullptr
  bool relu;
  int64_t channels;  // from the first of these to the last that is real
};

// y[v][p] of a run of pixels, the next one's first tap being `stride` pixels of x away, 1 or 2. weights:
// [vector][block] [tap][lanes of x][lanes of y].
void accumulate(const float* x, const float* weights, float* y, int64_t pixels, int64_t vectors,
                int64_t stride, const Terms& terms, const Finish& finish);

// The same of a single block of channels with weights [vector][lanes of x][lanes of y], at stride 1; added to
// y unless this is where the sums begin.
void add(const float* x, const float* weights, float* y, int64_t pixels, int64_t vectors, int64_t yVector,
         bool begin);

}  // namespace fovea::cpu::products

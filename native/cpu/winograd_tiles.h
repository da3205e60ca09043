#pragma once
#include <cstdint>

// What comes before and after the products of a convolution by Winograd's method (Lavin and Gray 2015, "Fast
// Algorithms for Convolutional Neural Networks", F(4x4, 3x3)) on vectors of 16 channels, with AVX-512. An
// output tile of 4 x 4 pixels comes from an input tile of 6 x 6, which overlaps its neighbours by 2. Both
// become 36 numbers, the positions, at each of which the convolution is a matrix product over channels.
namespace fovea::cpu::winograd {

constexpr int64_t lanes = 16;  // floats of a vector, and channels of a block
constexpr int64_t outer = 4;   // pixels of an output tile, each way
constexpr int64_t inner = 6;   // and of the input tile under it
constexpr int64_t positions = inner * inner;

// Where a tile lies in a plane of [height, width, lanes].
struct Place {
  int64_t height, width, top, left;
};

// Writes position p of the tile at tile + p * stride. What lies outside of the plane is zero.
void transformInput(const float* plane, const Place& place, float* tile, int64_t stride);

// Transforms the kernels of 3 x 3 for one block of channels and one vector of output channels,
// [3][3][lanes of x][lanes of y]: position p's [lanes of x][lanes of y] go to to + p * stride.
void transformWeights(const float* from, float* to, int64_t stride);

// What becomes of a sum before it is stored; bias and residual may be nullptr.
struct Finish {
  const float* bias;      // of these channels
  const float* residual;  // the plane that is added
  bool relu;
  int channels;  // of a block that are real
};

// Writes the part of the output tile that lies in the plane; the opposite of transformInput.
void transformOutput(const float* tile, int64_t stride, const Place& place, const Finish& finish,
                     float* plane);

}  // namespace fovea::cpu::winograd

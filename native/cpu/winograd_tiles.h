#pragma once
#include <cstdint>

// What comes before and after the products of a convolution by Winograd's method (Lavin and Gray 2015, "Fast
// Algorithms for Convolutional Neural Networks") on vectors of 16 channels, with AVX-512. A tile of output
// pixels comes from a larger one of input pixels, which overlaps its neighbours. Both, and the kernel, become
// as many numbers as the latter has pixels, the positions, at each of which the convolution is a matrix
// product over channels.
namespace fovea::cpu::winograd {

constexpr int64_t lanes = 16;  // floats of a vector, and channels of a block

struct Size {
  int64_t height, width;
  int64_t area() const { return height * width; }
  bool operator==(const Size&) const = default;
};

// Where a tile lies in a plane of [height, width, lanes].
struct Place {
  int64_t height, width, top, left;
};

// What becomes of a sum before it is stored; bias and residual may be nullptr.
struct Finish {
  const float* bias;      // of these channels
  const float* residual;  // the plane that is added
  bool relu;
  int channels;  // of a block that are real
};

// The transforms for kernels of one size. Position p of a tile is at p * stride from it.
struct Transforms {
  Size kernel;
  Size outer, inner;  // tiles of output and input

  // What lies outside of the plane is zero.
  void (*input)(const float* plane, const Place& place, float* tile, int64_t stride);
  // The kernels for one block of channels and one vector of output channels, [kernel][lanes of x][lanes of
  // y]: position p's [lanes of x][lanes of y] go to to + p * stride.
  void (*weights)(const float* from, float* to, int64_t stride);
  // Writes the part of the output tile that lies in the plane.
  void (*output)(const float* tile, int64_t stride, const Place& place, const Finish& finish, float* plane);
  // One kernel, row-major, with the sums in double precision.
  void (*exactWeight)(const float* kernel, float* positions);

  int64_t positions() const { return inner.area(); }
};

// nullptr where there are none for kernels of this size.
const Transforms* transformsFor(const Size& kernel);

}  // namespace fovea::cpu::winograd

#pragma once
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace fovea {

using Shape = std::vector<int64_t>;

enum class DType { f32, bf16, f16, u8, s8, i32, opaque };

constexpr size_t sizeOf(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
    case DType::f16:
      return 2;
    default:
      return 1;
  }
}

constexpr const char* nameOf(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::f16:
      return "f16";
    case DType::u8:
      return "u8";
    case DType::s8:
      return "s8";
    case DType::i32:
      return "i32";
    default:
      return "opaque";
  }
}

inline int64_t elementCount(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

std::string format(const Shape& shape);

// What the plan knows of a tensor. An `opaque` tensor is a backend's own record between two of its kernels
// (the argmax of a max pooling, say): the backend alone decides its size.
struct TensorSpec {
  DType dtype = DType::f32;
  Shape shape;
};

}  // namespace fovea

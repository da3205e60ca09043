#include "weight_rows.h"

#include <array>
#include <utility>

#include "avx512.h"

#ifdef FOVEA_AVX512
FOVEA_AVX512_BEGIN

namespace fovea::cpu::rows {
namespace {

using Vector = __m512;
constexpr int64_t lanes = 16;
// Floats between what is read and what is asked for: 48 GB/s against 40 without (Zen 5, two threads).
constexpr int64_t ahead = 512;

// Features of all images that stay in the first-level cache while rows of weights pass by.
constexpr int64_t partFeatures = 1024;

// Partial sums of a row for each image.
using Sums = float[mostImages][lanes];

struct Part {
  const float *x, *weight;
  int64_t features, begin, end;
};

// Adds the products of some features to sums[row][image], for some rows at once, so that each value of x
// serves them all.
template <int rows, int images>
void multiplyPart(const Part& part, Sums* sums) {
  Vector partial[rows][images];
#pragma GCC unroll 2
  for (int row = 0; row < rows; ++row)
#pragma GCC unroll 8
    for (int image = 0; image < images; ++image) partial[row][image] = _mm512_load_ps(sums[row][image]);
  const auto add = [&](int64_t i, __mmask16 mask) {
    Vector weights[rows];
#pragma GCC unroll 2
    for (int row = 0; row < rows; ++row) {
      const float* weight = part.weight + row * part.features + i;
      _mm_prefetch(reinterpret_cast<const char*>(weight + ahead), _MM_HINT_T0);
      weights[row] = _mm512_maskz_loadu_ps(mask, weight);
    }
#pragma GCC unroll 8
    for (int image = 0; image < images; ++image) {
      const Vector x = _mm512_maskz_loadu_ps(mask, part.x + image * part.features + i);
#pragma GCC unroll 2
      for (int row = 0; row < rows; ++row)
        partial[row][image] = _mm512_fmadd_ps(x, weights[row], partial[row][image]);
    }
  };
  int64_t i = part.begin;
  for (; i + lanes <= part.end; i += lanes) add(i, 0xffff);
  if (i < part.end) add(i, static_cast<__mmask16>((1u << (part.end - i)) - 1));
#pragma GCC unroll 2
  for (int row = 0; row < rows; ++row)
#pragma GCC unroll 8
    for (int image = 0; image < images; ++image) _mm512_store_ps(sums[row][image], partial[row][image]);
}

using MultiplyPart = void (*)(const Part&, Sums*);

template <int rows, int... images>
constexpr auto byImages(std::integer_sequence<int, images...>) {
  return std::array<MultiplyPart, sizeof...(images)>{multiplyPart<rows, images + 1>...};
}

constexpr auto oneRow = byImages<1>(std::make_integer_sequence<int, mostImages>());
constexpr auto twoRows = byImages<2>(std::make_integer_sequence<int, mostImages>());

}  // namespace

void multiply(const float* x, const float* weight, const float* bias, float* y, const Shape& shape, bool relu,
              int64_t begin, int64_t end) {
  alignas(64) Sums sums[mostOutputs] = {};
  const int64_t size = shape.images == 1 ? shape.features : partFeatures;
  for (int64_t from = 0; from < shape.features; from += size) {
    const int64_t to = from + size < shape.features ? from + size : shape.features;
    for (int64_t row = begin; row < end; row += 2) {
      const auto multiplyPart = (end - row < 2 ? oneRow : twoRows)[shape.images - 1];
      multiplyPart({x, weight + row * shape.features, shape.features, from, to}, sums + (row - begin));
    }
  }
  for (int64_t row = begin; row < end; ++row)
    for (int64_t image = 0; image < shape.images; ++image) {
      const float sum =
          _mm512_reduce_add_ps(_mm512_load_ps(sums[row - begin][image])) + (bias ? bias[row] : 0);
      y[image * shape.outputs + row] = relu && sum < 0 ? 0 : sum;
    }
}

}  // namespace fovea::cpu::rows

FOVEA_AVX512_END

#else

namespace fovea::cpu::rows {

void multiply(const float*, const float*, const float*, float*, const Shape&, bool, int64_t, int64_t) {}

}  // namespace fovea::cpu::rows

#endif

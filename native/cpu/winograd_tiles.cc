#include "winograd_tiles.h"

#include "avx512.h"

#ifdef FOVEA_AVX512
FOVEA_AVX512_BEGIN

namespace fovea::cpu::winograd {
namespace {

using Vector = __m512;

inline Vector scaled(float factor, Vector x, Vector sum) {
  return _mm512_fmadd_ps(_mm512_set1_ps(factor), x, sum);
}

// B' d, of a column or row of six.
inline void transformSix(const Vector (&d)[inner], Vector (&t)[inner]) {
  const Vector even = scaled(-4, d[2], d[4]), odd = scaled(-4, d[1], d[3]);
  const Vector near = _mm512_sub_ps(d[4], d[2]), far = _mm512_sub_ps(d[3], d[1]);
  t[0] = scaled(4, d[0], scaled(-5, d[2], d[4]));
  t[1] = _mm512_add_ps(even, odd);
  t[2] = _mm512_sub_ps(even, odd);
  t[3] = scaled(2, far, near);
  t[4] = scaled(-2, far, near);
  t[5] = scaled(4, d[1], scaled(-5, d[3], d[5]));
}

// A' m, of a column or row of six.
inline void transformToFour(const Vector (&m)[inner], Vector (&y)[outer]) {
  const Vector sum1 = _mm512_add_ps(m[1], m[2]), difference1 = _mm512_sub_ps(m[1], m[2]);
  const Vector sum2 = _mm512_add_ps(m[3], m[4]), difference2 = _mm512_sub_ps(m[3], m[4]);
  y[0] = _mm512_add_ps(m[0], _mm512_add_ps(sum1, sum2));
  y[1] = scaled(2, difference2, difference1);
  y[2] = scaled(4, sum2, sum1);
  y[3] = _mm512_add_ps(scaled(8, difference2, difference1), m[5]);
}

// Columns first, into a buffer of the stack, then rows.
template <class Load>
inline void transformInputFrom(const Load& load, float* tile, int64_t stride) {
  Vector rows[inner][inner];
#pragma GCC unroll 6
  for (int64_t column = 0; column < inner; ++column) {
    Vector d[inner], t[inner];
#pragma GCC unroll 6
    for (int64_t row = 0; row < inner; ++row) d[row] = load(row, column);
    transformSix(d, t);
#pragma GCC unroll 6
    for (int64_t row = 0; row < inner; ++row) rows[row][column] = t[row];
  }
#pragma GCC unroll 6
  for (int64_t row = 0; row < inner; ++row) {
    Vector t[inner];
    transformSix(rows[row], t);
#pragma GCC unroll 6
    for (int64_t column = 0; column < inner; ++column)
      _mm512_store_ps(tile + (row * inner + column) * stride, t[column]);
  }
}

// G g, of a column or row of three.
inline void transformThree(const Vector (&g)[3], Vector (&u)[inner]) {
  const Vector sixth = _mm512_set1_ps(1.f / 6), middle = _mm512_mul_ps(sixth, g[1]);
  const Vector outside = _mm512_mul_ps(sixth, _mm512_add_ps(g[0], g[2]));
  const Vector uneven = scaled(1.f / 24, g[0], _mm512_mul_ps(sixth, g[2]));
  u[0] = _mm512_mul_ps(_mm512_set1_ps(1.f / 4), g[0]);
  u[1] = _mm512_sub_ps(_mm512_setzero_ps(), _mm512_add_ps(outside, middle));
  u[2] = _mm512_sub_ps(middle, outside);
  u[3] = scaled(1.f / 2, middle, uneven);
  u[4] = scaled(-1.f / 2, middle, uneven);
  u[5] = g[2];
}

}  // namespace

void transformInput(const float* plane, const Place& place, float* tile, int64_t stride) {
  const auto& [height, width, top, left] = place;
  const float* origin = plane + (top * width + left) * lanes;
  if (top >= 0 && left >= 0 && top + inner <= height && left + inner <= width) {
    transformInputFrom(
        [&](int64_t row, int64_t column) { return _mm512_load_ps(origin + (row * width + column) * lanes); },
        tile, stride);
  } else {
    transformInputFrom(
        [&](int64_t row, int64_t column) {
          const bool inside =
              top + row >= 0 && top + row < height && left + column >= 0 && left + column < width;
          return inside ? _mm512_load_ps(origin + (row * width + column) * lanes) : _mm512_setzero_ps();
        },
        tile, stride);
  }
}

void transformWeights(const float* from, float* to, int64_t stride) {
  for (int64_t channel = 0; channel < lanes; ++channel) {
    Vector columns[inner][3];
#pragma GCC unroll 3
    for (int64_t column = 0; column < 3; ++column) {
      Vector g[3], u[inner];
#pragma GCC unroll 3
      for (int64_t row = 0; row < 3; ++row)
        g[row] = _mm512_load_ps(from + ((row * 3 + column) * lanes + channel) * lanes);
      transformThree(g, u);
#pragma GCC unroll 6
      for (int64_t row = 0; row < inner; ++row) columns[row][column] = u[row];
    }
#pragma GCC unroll 6
    for (int64_t row = 0; row < inner; ++row) {
      Vector u[inner];
      transformThree(columns[row], u);
#pragma GCC unroll 6
      for (int64_t column = 0; column < inner; ++column)
        _mm512_store_ps(to + (row * inner + column) * stride + channel * lanes, u[column]);
    }
  }
}

void transformOutput(const float* tile, int64_t stride, const Place& place, const Finish& finish,
                     float* plane) {
  const auto& [height, width, top, left] = place;
  Vector rows[outer][inner];
#pragma GCC unroll 6
  for (int64_t column = 0; column < inner; ++column) {
    Vector m[inner], y[outer];
#pragma GCC unroll 6
    for (int64_t row = 0; row < inner; ++row) m[row] = _mm512_load_ps(tile + (row * inner + column) * stride);
    transformToFour(m, y);
#pragma GCC unroll 4
    for (int64_t row = 0; row < outer; ++row) rows[row][column] = y[row];
  }
  const auto real = static_cast<__mmask16>((1u << finish.channels) - 1);
  const Vector bias = finish.bias ? _mm512_maskz_loadu_ps(real, finish.bias) : _mm512_setzero_ps();
  // Second in the comparison, a NaN stays one.
  const Vector least = finish.relu ? _mm512_setzero_ps() : _mm512_set1_ps(-__builtin_inff());
  const int64_t columns = width - left < outer ? width - left : outer;
  for (int64_t row = 0; row < outer && top + row < height; ++row) {
    Vector y[outer];
    transformToFour(rows[row], y);
    const int64_t at = ((top + row) * width + left) * lanes;
    for (int64_t column = 0; column < columns; ++column) {
      Vector value = _mm512_add_ps(y[column], bias);
      if (finish.residual)
        value = _mm512_add_ps(value, _mm512_load_ps(finish.residual + at + column * lanes));
      _mm512_store_ps(plane + at + column * lanes, _mm512_max_ps(least, value));
    }
  }
}

}  // namespace fovea::cpu::winograd

FOVEA_AVX512_END

#else

namespace fovea::cpu::winograd {

void transformInput(const float*, const Place&, float*, int64_t) {}
void transformWeights(const float*, float*, int64_t) {}
void transformOutput(const float*, int64_t, const Place&, const Finish&, float*) {}

}  // namespace fovea::cpu::winograd

#endif

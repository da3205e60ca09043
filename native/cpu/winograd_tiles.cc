#include "winograd_tiles.h"

#include <algorithm>
#include <array>

#include "avx512.h"
#include "cook_toom.h"

#ifdef FOVEA_AVX512
FOVEA_AVX512_BEGIN

namespace fovea::cpu::winograd {
namespace {

using Vector = __m512;

// One dimension of a kernel of so many taps.
template <size_t outer_, size_t taps_>
struct Dimension {
  static constexpr size_t outer = outer_, taps = taps_, inner = outer + taps - 1;
};
// Points that are far from 1, or many, cost digits: errors are 2 (of three and five taps) to 7 times those of
// direct sums.
struct Three : Dimension<4, 3> {
  static constexpr CookToom<outer, taps> f{{1, 2}};
};
struct Five : Dimension<2, 5> {
  static constexpr CookToom<outer, taps> f{{1, 2}};
};
struct Seven : Dimension<4, 7> {
  static constexpr CookToom<outer, taps> f{{1, 2, 0.5, 0.75}};
};
// Of one tap, where nothing is summed.
struct Identity {
  std::array<std::array<double, 1>, 1> g{{{1}}}, b{{{1}}};
};
struct One : Dimension<1, 1> {
  static constexpr Identity f{};
};

inline Vector times(double factor, Vector x) {
  return factor == 1 ? x : _mm512_mul_ps(_mm512_set1_ps(static_cast<float>(factor)), x);
}

inline Vector timesPlus(double factor, Vector x, Vector sum) {
  if (factor == 1) return _mm512_add_ps(x, sum);
  return _mm512_fmadd_ps(_mm512_set1_ps(static_cast<float>(factor)), x, sum);
}

// The sum of every other x by a row of coefficients, of which zeros cost nothing. The last coefficient is
// often 1.
template <size_t count>
inline Vector alternate(const std::array<double, count>& row, const Vector (&x)[count], size_t first) {
  Vector sum = _mm512_setzero_ps();
  bool begun = false;
#pragma GCC unroll 16
  for (size_t i = 0; i < count; ++i) {
    const size_t k = count - 1 - i;
    if (k % 2 == first && row[k] != 0) {
      sum = begun ? timesPlus(row[k], x[k], sum) : times(row[k], x[k]);
      begun = true;
    }
  }
  return sum;
}

// B x or G x: the rows of p and -p have the same even coefficients and opposite odd ones.
template <size_t rows, size_t count>
inline void evaluate(const std::array<std::array<double, count>, rows>& matrix, const Vector (&x)[count],
                     Vector (&to)[rows]) {
  to[0] = alternate(matrix[0], x, 0);
#pragma GCC unroll 16
  for (size_t i = 1; i + 1 < rows; i += 2) {
    const Vector even = alternate(matrix[i], x, 0), odd = alternate(matrix[i], x, 1);
    to[i] = _mm512_add_ps(even, odd);
    to[i + 1] = _mm512_sub_ps(even, odd);
  }
  to[rows - 1] = alternate(matrix[rows - 1], x, (count - 1) % 2);
}

// A m: powers of p and -p are the same or opposite.
template <class D>
inline void afterProducts(const Vector (&m)[D::inner], Vector (&y)[D::outer]) {
  if constexpr (D::inner == 1) {
    y[0] = m[0];
  } else {
    Vector sums[D::inner], differences[D::inner];
#pragma GCC unroll 16
    for (size_t i = 1; i + 1 < D::inner; i += 2) {
      sums[i] = _mm512_add_ps(m[i], m[i + 1]);
      differences[i] = _mm512_sub_ps(m[i], m[i + 1]);
    }
#pragma GCC unroll 4
    for (size_t k = 0; k < D::outer; ++k) {
      const Vector(&parts)[D::inner] = k % 2 == 0 ? sums : differences;
      y[k] = times(D::f.a[k][1], parts[1]);
#pragma GCC unroll 16
      for (size_t i = 3; i + 1 < D::inner; i += 2) y[k] = timesPlus(D::f.a[k][i], parts[i], y[k]);
    }
    y[0] = _mm512_add_ps(m[0], y[0]);
    y[D::outer - 1] = _mm512_add_ps(m[D::inner - 1], y[D::outer - 1]);
  }
}

// Columns first, then rows.
template <class V, class H, class Load>
inline void transformInputFrom(const Load& load, float* tile, int64_t stride) {
  Vector rows[V::inner][H::inner];
#pragma GCC unroll 16
  for (size_t column = 0; column < H::inner; ++column) {
    Vector d[V::inner], t[V::inner];
#pragma GCC unroll 16
    for (size_t row = 0; row < V::inner; ++row) d[row] = load(row, column);
    evaluate(V::f.b, d, t);
#pragma GCC unroll 16
    for (size_t row = 0; row < V::inner; ++row) rows[row][column] = t[row];
  }
#pragma GCC unroll 16
  for (size_t row = 0; row < V::inner; ++row) {
    Vector t[H::inner];
    evaluate(H::f.b, rows[row], t);
#pragma GCC unroll 16
    for (size_t column = 0; column < H::inner; ++column)
      _mm512_store_ps(tile + static_cast<int64_t>(row * H::inner + column) * stride, t[column]);
  }
}

template <class V, class H>
void transformInput(const float* plane, const Place& place, float* tile, int64_t stride) {
  const auto& [height, width, top, left] = place;
  const float* origin = plane + (top * width + left) * lanes;
  constexpr int64_t innerHeight = V::inner, innerWidth = H::inner;
  if (top >= 0 && left >= 0 && top + innerHeight <= height && left + innerWidth <= width) {
    transformInputFrom<V, H>(
        [&](int64_t row, int64_t column) { return _mm512_load_ps(origin + (row * width + column) * lanes); },
        tile, stride);
  } else {
    transformInputFrom<V, H>(
        [&](int64_t row, int64_t column) {
          const bool inside =
              top + row >= 0 && top + row < height && left + column >= 0 && left + column < width;
          return inside ? _mm512_load_ps(origin + (row * width + column) * lanes) : _mm512_setzero_ps();
        },
        tile, stride);
  }
}

template <class V, class H>
void transformWeights(const float* from, float* to, int64_t stride) {
  for (int64_t channel = 0; channel < lanes; ++channel) {
    Vector columns[V::inner][H::taps];
#pragma GCC unroll 16
    for (size_t column = 0; column < H::taps; ++column) {
      Vector g[V::taps], u[V::inner];
#pragma GCC unroll 16
      for (size_t row = 0; row < V::taps; ++row)
        g[row] =
            _mm512_load_ps(from + (static_cast<int64_t>(row * H::taps + column) * lanes + channel) * lanes);
      evaluate(V::f.g, g, u);
#pragma GCC unroll 16
      for (size_t row = 0; row < V::inner; ++row) columns[row][column] = u[row];
    }
#pragma GCC unroll 16
    for (size_t row = 0; row < V::inner; ++row) {
      Vector u[H::inner];
      evaluate(H::f.g, columns[row], u);
#pragma GCC unroll 16
      for (size_t column = 0; column < H::inner; ++column)
        _mm512_store_ps(to + static_cast<int64_t>(row * H::inner + column) * stride + channel * lanes,
                        u[column]);
    }
  }
}

template <class V, class H>
void transformOutput(const float* tile, int64_t stride, const Place& place, const Finish& finish,
                     float* plane) {
  const auto& [height, width, top, left] = place;
  Vector rows[V::outer][H::inner];
#pragma GCC unroll 16
  for (size_t column = 0; column < H::inner; ++column) {
    Vector m[V::inner], y[V::outer];
#pragma GCC unroll 16
    for (size_t row = 0; row < V::inner; ++row)
      m[row] = _mm512_load_ps(tile + static_cast<int64_t>(row * H::inner + column) * stride);
    afterProducts<V>(m, y);
#pragma GCC unroll 16
    for (size_t row = 0; row < V::outer; ++row) rows[row][column] = y[row];
  }
  const auto real = static_cast<__mmask16>((1u << finish.channels) - 1);
  const Vector bias = finish.bias ? _mm512_maskz_loadu_ps(real, finish.bias) : _mm512_setzero_ps();
  // Second in the comparison, a NaN stays one.
  const Vector least = finish.relu ? _mm512_setzero_ps() : _mm512_set1_ps(-__builtin_inff());
  const int64_t columns = std::min<int64_t>(width - left, H::outer);
  for (int64_t row = 0; row < static_cast<int64_t>(V::outer) && top + row < height; ++row) {
    Vector y[H::outer];
    afterProducts<H>(rows[row], y);
    const int64_t at = ((top + row) * width + left) * lanes;
    for (int64_t column = 0; column < columns; ++column) {
      Vector value = _mm512_add_ps(y[column], bias);
      if (finish.residual)
        value = _mm512_add_ps(value, _mm512_load_ps(finish.residual + at + column * lanes));
      _mm512_store_ps(plane + at + column * lanes, _mm512_max_ps(least, value));
    }
  }
}

template <class V, class H>
void exactWeight(const float* kernel, float* positions) {
  for (size_t row = 0; row < V::inner; ++row)
    for (size_t column = 0; column < H::inner; ++column) {
      double sum = 0;
      for (size_t i = 0; i < V::taps; ++i)
        for (size_t k = 0; k < H::taps; ++k)
          sum += V::f.g[row][i] * H::f.g[column][k] * double{kernel[i * H::taps + k]};
      positions[row * H::inner + column] = static_cast<float>(sum);
    }
}

template <class V, class H>
constexpr Transforms both{{V::taps, H::taps},   {V::outer, H::outer},   {V::inner, H::inner},
                          transformInput<V, H>, transformWeights<V, H>, transformOutput<V, H>,
                          exactWeight<V, H>};

constexpr const Transforms* all[] = {&both<Three, Three>, &both<Five, Five>, &both<One, Three>,
                                     &both<Three, One>,   &both<One, Seven>, &both<Seven, One>};

}  // namespace

const Transforms* transformsFor(const Size& kernel) {
  for (const Transforms* transforms : all)
    if (transforms->kernel == kernel) return transforms;
  return nullptr;
}

}  // namespace fovea::cpu::winograd

FOVEA_AVX512_END

#else

namespace fovea::cpu::winograd {

const Transforms* transformsFor(const Size&) { return nullptr; }

}  // namespace fovea::cpu::winograd

#endif

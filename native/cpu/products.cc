#include "products.h"

#include <array>
#include <utility>

#include "avx512.h"

#ifdef FOVEA_AVX512
FOVEA_AVX512_BEGIN

namespace fovea::cpu::products {
namespace {

using Vector = __m512;

template <int pixels, int vectors, int stride>
void accumulateBlock(const float* x, const float* weights, float* y, const Terms& terms,
                     const Finish& finish) {
  Vector sums[pixels][vectors] = {};
  for (int64_t block = 0; block < terms.blocks; ++block) {
    for (int64_t tap = 0; tap < terms.taps; ++tap) {
      const float* from = x + terms.offsets[tap];
#pragma GCC unroll 2
      for (int64_t lane = 0; lane < lanes; ++lane) {
        Vector w[vectors];
#pragma GCC unroll 4
        for (int vector = 0; vector < vectors; ++vector)
          w[vector] = _mm512_load_ps(weights + vector * terms.weightVector);
#pragma GCC unroll 16
        for (int pixel = 0; pixel < pixels; ++pixel) {
          const Vector value = _mm512_set1_ps(from[pixel * stride * lanes + lane]);
#pragma GCC unroll 4
          for (int vector = 0; vector < vectors; ++vector)
            sums[pixel][vector] = _mm512_fmadd_ps(value, w[vector], sums[pixel][vector]);
        }
        weights += lanes;
      }
    }
    x += terms.xBlock;
  }
  // Second in the comparison, a NaN stays one.
  const Vector least = finish.relu ? _mm512_setzero_ps() : _mm512_set1_ps(-__builtin_inff());
#pragma GCC unroll 4
  for (int vector = 0; vector < vectors; ++vector) {
    Vector start = _mm512_setzero_ps();
    if (finish.bias) {
      const int64_t left = finish.channels - vector * lanes;
      const auto real = static_cast<__mmask16>(left < lanes ? (1u << left) - 1 : 0xffff);
      start = _mm512_maskz_loadu_ps(real, finish.bias + vector * lanes);
    }
    float* to = y + vector * finish.yVector;
#pragma GCC unroll 16
    for (int pixel = 0; pixel < pixels; ++pixel) {
      Vector sum = _mm512_add_ps(sums[pixel][vector], start);
      if (finish.add)
        sum = _mm512_add_ps(sum, _mm512_load_ps(finish.add + vector * finish.yVector + pixel * lanes));
      _mm512_store_ps(to + pixel * lanes, _mm512_max_ps(least, sum));
    }
  }
}

template <int pixels, int vectors>
void addBlock(const float* x, const float* weights, float* y, int64_t yVector, bool begin) {
  Vector sums[pixels][vectors];
#pragma GCC unroll 16
  for (int pixel = 0; pixel < pixels; ++pixel)
#pragma GCC unroll 4
    for (int vector = 0; vector < vectors; ++vector)
      sums[pixel][vector] =
          begin ? _mm512_setzero_ps() : _mm512_load_ps(y + vector * yVector + pixel * lanes);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    Vector w[vectors];
#pragma GCC unroll 4
    for (int vector = 0; vector < vectors; ++vector)
      w[vector] = _mm512_load_ps(weights + (vector * lanes + lane) * lanes);
#pragma GCC unroll 16
    for (int pixel = 0; pixel < pixels; ++pixel) {
      const Vector value = _mm512_set1_ps(x[pixel * lanes + lane]);
#pragma GCC unroll 4
      for (int vector = 0; vector < vectors; ++vector)
        sums[pixel][vector] = _mm512_fmadd_ps(value, w[vector], sums[pixel][vector]);
    }
  }
#pragma GCC unroll 16
  for (int pixel = 0; pixel < pixels; ++pixel)
#pragma GCC unroll 4
    for (int vector = 0; vector < vectors; ++vector)
      _mm512_store_ps(y + vector * yVector + pixel * lanes, sums[pixel][vector]);
}

// Functions by pixels, from one to as many as their sums fit in registers.
template <int vectors, class Kind, int... pixels>
constexpr auto byPixels(const Kind& kind, std::integer_sequence<int, pixels...>) {
  return std::array{kind.template function<pixels + 1, vectors>()...};
}

template <int vectors, class Kind>
auto functionFor(int64_t pixels) {
  static constexpr auto functions =
      byPixels<vectors>(Kind(), std::make_integer_sequence<int, mostPixels[vectors - 1]>());
  return functions[pixels - 1];
}

template <class Kind>
auto functionFor(int64_t pixels, int64_t vectors) {
  static_assert(mostVectors == 4);
  switch (vectors) {
    case 1:
      return functionFor<1, Kind>(pixels);
    case 2:
      return functionFor<2, Kind>(pixels);
    case 3:
      return functionFor<3, Kind>(pixels);
    default:
      return functionFor<4, Kind>(pixels);
  }
}

template <int stride>
struct Accumulating {
  template <int pixels, int vectors>
  constexpr auto function() const {
    return &accumulateBlock<pixels, vectors, stride>;
  }
};

struct Adding {
  template <int pixels, int vectors>
  constexpr auto function() const {
    return &addBlock<pixels, vectors>;
  }
};

// Parts of nearly the same size: the first pixel of each, and how many there are.
template <class Take>
void inParts(int64_t pixels, int64_t vectors, const Take& take) {
  const int64_t most = mostPixels[vectors - 1], parts = (pixels + most - 1) / most;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = part * pixels / parts;
    take(begin, (part + 1) * pixels / parts - begin);
  }
}

}  // namespace

void accumulate(const float* x, const float* weights, float* y, int64_t pixels, int64_t vectors,
                int64_t stride, const Terms& terms, const Finish& finish) {
  Finish ofPart = finish;
  inParts(pixels, vectors, [&](int64_t begin, int64_t count) {
    if (finish.add) ofPart.add = finish.add + begin * lanes;
    const auto block = stride == 1 ? functionFor<Accumulating<1>>(count, vectors)
                                   : functionFor<Accumulating<2>>(count, vectors);
    block(x + begin * stride * lanes, weights, y + begin * lanes, terms, ofPart);
  });
}

void add(const float* x, const float* weights, float* y, int64_t pixels, int64_t vectors, int64_t yVector,
         bool begin) {
  inParts(pixels, vectors, [&](int64_t first, int64_t count) {
    functionFor<Adding>(count, vectors)(x + first * lanes, weights, y + first * lanes, yVector, begin);
  });
}

}  // namespace fovea::cpu::products

FOVEA_AVX512_END

#else

namespace fovea::cpu::products {

void accumulate(const float*, const float*, float*, int64_t, int64_t, int64_t, const Terms&, const Finish&) {}
void add(const float*, const float*, float*, int64_t, int64_t, int64_t, bool) {}

}  // namespace fovea::cpu::products

#endif

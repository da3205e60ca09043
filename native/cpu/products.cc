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

using AccumulateBlock = void (*)(const float*, const float*, float*, const Terms&, const Finish&);

template <int vectors, int stride, int... pixels>
constexpr auto blocksByPixels(std::integer_sequence<int, pixels...>) {
  return std::array<AccumulateBlock, sizeof...(pixels)>{accumulateBlock<pixels + 1, vectors, stride>...};
}

template <int vectors, int stride>
AccumulateBlock blockFor(int64_t pixels) {
  constexpr auto blocks =
      blocksByPixels<vectors, stride>(std::make_integer_sequence<int, mostPixels[vectors - 1]>());
  return blocks[pixels - 1];
}

template <int stride>
AccumulateBlock blockFor(int64_t pixels, int64_t vectors) {
  static_assert(mostVectors == 4);
  switch (vectors) {
    case 1:
      return blockFor<1, stride>(pixels);
    case 2:
      return blockFor<2, stride>(pixels);
    case 3:
      return blockFor<3, stride>(pixels);
    default:
      return blockFor<4, stride>(pixels);
  }
}

}  // namespace

void accumulate(const float* x, const float* weights, float* y, int64_t pixels, int64_t vectors,
                int64_t stride, const Terms& terms, const Finish& finish) {
  const int64_t most = mostPixels[vectors - 1], parts = (pixels + most - 1) / most;
  Finish ofPart = finish;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = part * pixels / parts, count = (part + 1) * pixels / parts - begin;
    if (finish.add) ofPart.add = finish.add + begin * lanes;
    const auto block = stride == 1 ? blockFor<1>(count, vectors) : blockFor<2>(count, vectors);
    block(x + begin * stride * lanes, weights, y + begin * lanes, terms, ofPart);
  }
}

}  // namespace fovea::cpu::products

FOVEA_AVX512_END

#else

namespace fovea::cpu::products {

void accumulate(const float*, const float*, float*, int64_t, int64_t, int64_t, const Terms&, const Finish&) {}

}  // namespace fovea::cpu::products

#endif

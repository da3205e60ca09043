#include "own_batch_norm.h"

#include <cmath>

#include "avx512.h"
#include "bf16.h"
#include "statistics.h"

namespace fovea::cpu {
namespace {

constexpr int64_t mostLanes = 16;

// The coefficients of a block's channels; zeros where it has no more.
struct Lanes {
  float mean[mostLanes] = {}, scale[mostLanes] = {}, shift[mostLanes] = {};

  Lanes(const Pointers& p, float eps, int64_t channel, int64_t count) {
    const auto operand = [&](size_t index) { return static_cast<const float*>(p.inputs[index]) + channel; };
    const float *gamma = operand(1), *beta = operand(2), *means = operand(3), *variance = operand(4);
    for (int64_t lane = 0; lane < count; ++lane) {
      mean[lane] = means[lane];
      scale[lane] = gamma[lane] / std::sqrt(variance[lane] + eps);
      shift[lane] = beta[lane];
    }
  }
  Coefficients coefficients() const { return {mean, scale, shift}; }
};

template <class Element>
using Normalize = void (*)(const Chunk& chunk, int64_t lanes, const Coefficients& c, bool relu,
                           const Element* x, Element* y);

// By way of float32, a part at a time that stays in a first-level cache.
void normalizeParts(const Chunk& chunk, int64_t lanes, const Coefficients& c, bool relu, const Bf16* x,
                    Bf16* y) {
  constexpr int64_t most = 1 << 12;
  float part[most];
  for (int64_t begin = 0; begin < chunk.pixels; begin += most / lanes) {
    const int64_t pixels = std::min(most / lanes, chunk.pixels - begin);
    widen(x + begin * lanes, part, pixels * lanes);
    normalize({chunk.channel, 0, pixels}, lanes, c, relu, part, part);
    narrow(part, y + begin * lanes, pixels * lanes);
  }
}

#ifdef FOVEA_AVX512
FOVEA_AVX512_BEGIN

// Of blocks of 16 channels, with the processor's own conversion.
__attribute__((target("avx512bf16"))) void normalizeVectors(const Chunk& chunk, int64_t,
                                                            const Coefficients& c, bool relu, const Bf16* x,
                                                            Bf16* y) {
  const __m512 mean = _mm512_loadu_ps(c.mean), scale = _mm512_loadu_ps(c.scale);
  const __m512 shift = _mm512_loadu_ps(c.shift);
  // Second in the comparison, a NaN stays one.
  const __m512 least = relu ? _mm512_setzero_ps() : _mm512_set1_ps(-__builtin_inff());
  for (int64_t pixel = 0; pixel < chunk.pixels; ++pixel, x += mostLanes, y += mostLanes) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
    const __m512 value = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
    const __m512 normal = _mm512_fmadd_ps(_mm512_sub_ps(value, mean), scale, shift);
    const __m256bh narrow = _mm512_cvtneps_pbh(_mm512_max_ps(least, normal));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), reinterpret_cast<__m256i>(narrow));
  }
}

FOVEA_AVX512_END
#endif

void select(Normalize<float>& rows, int64_t) { rows = normalize; }

void select(Normalize<Bf16>& rows, int64_t lanes) {
  rows = normalizeParts;
#ifdef FOVEA_AVX512
  if (lanes == mostLanes && dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core_bf16)
    rows = normalizeVectors;
#endif
}

template <class Element>
KernelPtr prepareNorm(const Request& request, const ops::BatchNorm& op, const ViewedLayout& x) {
  const ViewedLayout y = inFormatOf(x.view, request.output(0));
  auto kernel = std::make_unique<FunctionKernel>(request, "batchNorm");
  kernel->inputs[0] = x.layout;
  kernel->outputs[0] = y.layout;
  if (!x.view.channelsOutermost) kernel->aliases = {{0, 0, false}};
  Normalize<Element> rows;
  select(rows, y.view.lanes);
  kernel->body = [rows, from = divide(x.view), to = divide(y.view), channels = x.view.channels,
                  eps = static_cast<float>(op.eps),
                  relu = op.activation == ops::Activation::relu](const Pointers& p) {
    const auto count = static_cast<int64_t>(to.chunks.size());
#pragma omp parallel for
    for (int64_t i = 0; i < count; ++i) {
      const Chunk& chunk = to.chunks[i];
      const Lanes own(p, eps, chunk.channel, std::min(to.lanes, channels - chunk.channel));
      rows(chunk, to.lanes, own.coefficients(), relu,
           static_cast<const Element*>(p.inputs[0]) + from.chunks[i].offset,
           static_cast<Element*>(p.outputs[0]) + chunk.offset);
    }
  };
  return kernel;
}

}  // namespace

KernelPtr ownBatchNorm(const Request& request, const ops::BatchNorm& op) {
  const LayoutPtr layout = request.presentLayout(0);
  const auto view = channelView(*layout);
  if (!view || divide(*view).lanes > mostLanes) return nullptr;
  return withElement(request.input(0).dtype, [&](auto element) {
    return prepareNorm<decltype(element)>(request, op, {layout, *view});
  });
}

}  // namespace fovea::cpu

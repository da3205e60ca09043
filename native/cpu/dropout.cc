#include <algorithm>
#include <array>
#include <cmath>

#include "families.h"
#include "simd.h"

namespace fovea::cpu {
namespace {

// What Philox4x32-10 (Salmon et al. 2011) gives for one counter.
constexpr int64_t wordsPerCounter = 4;
// Counters that are worked out at once, a vector's worth.
constexpr int64_t countersAtOnce = 16;
constexpr int64_t wordsAtOnce = countersAtOnce * wordsPerCounter;

struct Philox {
  std::array<uint32_t, 2> key;
  std::array<uint32_t, 3> rest;  // of the counter, behind its first word
};

// The words of `countersAtOnce` counters from `first` on.
FOVEA_SIMD void generate(const Philox& philox, uint32_t first, uint32_t* words) {
  const auto [k0, k1] = philox.key;
  const auto [r1, r2, r3] = philox.rest;
#pragma omp simd
  for (uint32_t i = 0; i < countersAtOnce; ++i) {
    uint32_t c0 = first + i, c1 = r1, c2 = r2, c3 = r3;
#pragma GCC unroll 10
    for (uint32_t round = 0; round < 10; ++round) {
      const uint64_t a = uint64_t{0xD2511F53u} * c0, b = uint64_t{0xCD9E8D57u} * c2;
      c0 = static_cast<uint32_t>(b >> 32) ^ c1 ^ (k0 + round * 0x9E3779B9u);
      c1 = static_cast<uint32_t>(b);
      c2 = static_cast<uint32_t>(a >> 32) ^ c3 ^ (k1 + round * 0xBB67AE85u);
      c3 = static_cast<uint32_t>(a);
    }
    words[4 * i] = c0;
    words[4 * i + 1] = c1;
    words[4 * i + 2] = c2;
    words[4 * i + 3] = c3;
  }
}

// Which elements are kept, and what becomes of them.
struct Rule {
  uint32_t least;  // word of an element that is kept
  bool none;       // is kept
  float scale;
};

Rule ruleOf(double p) {
  const double bound = std::ceil(p * 0x1p32);
  const bool none = bound > 0xFFFFFFFFp0;
  return {none ? 0 : static_cast<uint32_t>(std::max(bound, 0.)), none,
          none ? 0.f : static_cast<float>(1 / (1 - p))};
}

FOVEA_SIMD void apply(const Rule& rule, const uint32_t* words, const float* x, float* y, int64_t count) {
  const uint32_t least = rule.least;
  const float scale = rule.scale;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = words[i] >= least ? x[i] * scale : 0.f;
}

// Elements that lie in memory as they are counted.
void dropRun(const Philox& philox, const Rule& rule, int64_t begin, int64_t count, const float* x, float* y) {
  alignas(64) uint32_t words[wordsAtOnce];
  for (int64_t i = 0; i < count; i += wordsAtOnce) {
    generate(philox, static_cast<uint32_t>((begin + i) / wordsPerCounter), words);
    apply(rule, words, x + i, y + i, std::min(wordsAtOnce, count - i));
  }
}

// Up to `mostLanes` channels whose values lie side by side, pixel by pixel, while every channel's pixels are
// counted one after the other: the words are laid across.
constexpr int64_t mostLanes = 16;
constexpr int64_t mostPixels = wordsAtOnce - wordsPerCounter;  // a channel may begin within a counter's words

void dropPixels(const Philox& philox, const Rule& rule, int64_t firstChannel, int64_t lanes, int64_t stride,
                int64_t spatial, const float* x, float* y) {
  alignas(64) uint32_t words[wordsAtOnce], across[mostPixels * mostLanes];
  for (int64_t s = 0; s < spatial; s += mostPixels) {
    const int64_t pixels = std::min(mostPixels, spatial - s);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const int64_t element = (firstChannel + lane) * spatial + s;
      generate(philox, static_cast<uint32_t>(element / wordsPerCounter), words);
      for (int64_t i = 0; i < pixels; ++i)
        across[i * mostLanes + lane] = words[element % wordsPerCounter + i];
    }
    for (int64_t i = 0; i < pixels; ++i)
      apply(rule, across + i * mostLanes, x + (s + i) * stride, y + (s + i) * stride, lanes);
  }
}

Philox philoxOf(int64_t stream, const void* random) {
  const auto* word = static_cast<const uint32_t*>(random);
  return {{word[0], word[1]}, {static_cast<uint32_t>(stream), word[2], word[3]}};
}

// A whole number of what is generated at once, small enough for the threads to share the work.
constexpr int64_t partElements = 64 * wordsAtOnce;

void dropAll(const Philox& philox, const Rule& rule, int64_t count, const float* x, float* y) {
#pragma omp parallel for
  for (int64_t begin = 0; begin < count; begin += partElements)
    dropRun(philox, rule, begin, std::min(partElements, count - begin), x + begin, y + begin);
}

void dropBlocks(const Philox& philox, const Rule& rule, const ChannelView& view, const float* x, float* y) {
  const int64_t groups = (view.lanes + mostLanes - 1) / mostLanes;
#pragma omp parallel for collapse(3)
  for (int64_t n = 0; n < view.batch; ++n)
    for (int64_t block = 0; block < view.blocks; ++block)
      for (int64_t group = 0; group < groups; ++group) {
        const int64_t lane = group * mostLanes, at = view.row(n, block) + lane;
        const int64_t used = std::min(mostLanes, view.used(block) - lane);
        dropPixels(philox, rule, n * view.channels + block * view.lanes + lane, used, view.lanes,
                   view.spatial, x + at, y + at);
        for (int64_t pad = view.used(block); group == 0 && pad < view.lanes; ++pad)
          for (int64_t s = 0; s < view.spatial; ++s) y[view.row(n, block) + s * view.lanes + pad] = 0;
      }
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Dropout& op) {
  if (request.input(0).dtype != DType::f32 || request.input(1).dtype != DType::i32)
    throw unsupported("takes f32 and the i32 state of the generator");
  const LayoutPtr present = request.inputLayout(0);
  const auto view = channelView(*present);
  const LayoutPtr layout = view ? present : plainLayout(request.input(0));
  const bool inOrder = !view || layout->equals(*plainLayout(request.input(0)));
  auto kernel = std::make_unique<FunctionKernel>(request, "dropout");
  kernel->inputs[0] = kernel->outputs[0] = layout;
  kernel->aliases = {{0, 0, false}};
  kernel->body = [rule = ruleOf(op.p), stream = op.stream, inOrder, view = view.value_or(ChannelView{}),
                  count = elementCount(request.input(0).shape)](const Pointers& p) {
    const Philox philox = philoxOf(stream, p.inputs[1]);
    const auto* x = static_cast<const float*>(p.inputs[0]);
    auto* y = static_cast<float*>(p.outputs[0]);
    if (rule.none)
      std::fill_n(y, inOrder ? count : view.row(view.batch, 0), 0.f);
    else if (inOrder)
      dropAll(philox, rule, count, x, y);
    else
      dropBlocks(philox, rule, view, x, y);
  };
  return kernel;
}

}  // namespace fovea::cpu

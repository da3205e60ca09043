#include "statistics.h"

#include <algorithm>

#include "simd.h"

namespace fovea::cpu {
namespace {

constexpr int64_t chunkFloats = 1 << 15;
constexpr int64_t fewestPixels = 64;  // of a chunk, or its sums would be as large as it is
constexpr int64_t width = 16;         // of a vector

// Single precision adds up no more than this many values.
constexpr int64_t shortRun = 64;

// `some` calls of add(row) for W values each, into double sums.
template <int64_t W, int64_t sums, class Add>
inline __attribute__((always_inline)) void accumulate(int64_t rows, double* const (&to)[sums],
                                                      const Add& add) {
  for (int64_t begin = 0; begin < rows; begin += shortRun) {
    const int64_t end = std::min(rows, begin + shortRun);
    // Two that do not wait for each other.
    float even[sums][W] = {}, odd[sums][W] = {};
    int64_t row = begin;
    for (; row + 2 <= end; row += 2) {
      add(row, even);
      add(row + 1, odd);
    }
    if (row < end) add(row, even);
    for (int64_t k = 0; k < sums; ++k)
#pragma omp simd
      for (int64_t w = 0; w < W; ++w) to[k][w] += even[k][w] + odd[k][w];
  }
}

// W neighbours in each of `rows` rows, `stride` apart.
struct Rows {
  int64_t count, stride;
};

// Copies that the compiler sees nobody write to, so that they stay in registers.
template <int64_t W>
struct Local {
  explicit Local(const float* from) {
    for (int64_t w = 0; w < W; ++w) value[w] = from[w];
  }
  float operator[](int64_t w) const { return value[w]; }
  float value[W];
};

template <int64_t W>
FOVEA_SIMD void addValues(const Rows& rows, const float* x, double* sum) {
  double* const sums[] = {sum};
  accumulate<W>(rows.count, sums, [&](int64_t row, auto& part) {
    const float* from = x + row * rows.stride;
#pragma omp simd
    for (int64_t w = 0; w < W; ++w) part[0][w] += from[w];
  });
}

template <int64_t W>
FOVEA_SIMD void addSquares(const Rows& rows, const float* x, const float* mean, double* sum) {
  double* const sums[] = {sum};
  const Local<W> center(mean);
  accumulate<W>(rows.count, sums, [&](int64_t row, auto& part) {
    const float* from = x + row * rows.stride;
#pragma omp simd
    for (int64_t w = 0; w < W; ++w) {
      const float distance = from[w] - center[w];
      part[0][w] += distance * distance;
    }
  });
}

// Asks for the gradient of a row that comes a little later. What ReLU blocks the compiler does not load, so
// that it knows the address only when the row of x is there: memory would stand idle meanwhile.
inline void foresee(const float* gradient, int64_t stride) { __builtin_prefetch(gradient + 16 * stride); }

template <int64_t W, bool relu>
FOVEA_SIMD void addGradients(const Rows& rows, const Coefficients& c, const float* x, const float* dy,
                             double* sum, double* product) {
  double* const sums[] = {sum, product};
  const Local<W> mean(c.mean), scale(c.scale), shift(c.shift);
  accumulate<W>(rows.count, sums, [&](int64_t row, auto& part) {
    const float *from = x + row * rows.stride, *gradient = dy + row * rows.stride;
    if (relu) foresee(gradient, rows.stride);
#pragma omp simd
    for (int64_t w = 0; w < W; ++w) {
      const float distance = from[w] - mean[w];
      const float d = !relu || distance * scale[w] + shift[w] > 0 ? gradient[w] : 0.f;
      part[0][w] += d;
      part[1][w] += d * distance;
    }
  });
}

template <int64_t W, bool relu>
FOVEA_SIMD void normalizeRows(const Rows& rows, const Coefficients& c, const float* x, float* y) {
  const Local<W> mean(c.mean), scale(c.scale), shift(c.shift);
  for (int64_t row = 0; row < rows.count; ++row, x += rows.stride, y += rows.stride)
#pragma omp simd
    for (int64_t w = 0; w < W; ++w) {
      const float value = (x[w] - mean[w]) * scale[w] + shift[w];
      y[w] = relu ? std::max(value, 0.f) : value;
    }
}

template <int64_t W, bool relu>
FOVEA_SIMD void gradientRows(const Rows& rows, const Coefficients& c, const Slopes& s, const float* x,
                             const float* dy, float* dx) {
  const Local<W> mean(c.mean), scale(c.scale), shift(c.shift), offset(s.offset), slope(s.slope);
  for (int64_t row = 0; row < rows.count; ++row, x += rows.stride, dy += rows.stride, dx += rows.stride) {
    if (relu) foresee(dy, rows.stride);
#pragma omp simd
    for (int64_t w = 0; w < W; ++w) {
      const float distance = x[w] - mean[w];
      const float d = !relu || distance * scale[w] + shift[w] > 0 ? dy[w] : 0.f;
      dx[w] = scale[w] * (d - offset[w] - distance * slope[w]);
    }
  }
}

template <int64_t W>
using Width = std::integral_constant<int64_t, W>;

// Calls visit(width, rows, first lane) for parts that cover a chunk.
template <class Visit>
void forLanes(const Chunk& chunk, int64_t lanes, const Visit& visit) {
  const Rows rows{chunk.pixels, lanes};
  int64_t lane = 0;
  for (; lane + width <= lanes; lane += width) visit(Width<width>{}, rows, lane);
  for (; lane + 8 <= lanes; lane += 8) visit(Width<8>{}, rows, lane);
  for (; lane < lanes; ++lane) visit(Width<1>{}, rows, lane);
}

// A single channel's values fill vectors too: as if there were as many channels.
struct Run {
  Rows wide, rest;
  int64_t restOffset;
};

Run runOf(const Chunk& chunk) {
  const int64_t rows = chunk.pixels / width;
  return {{rows, width}, {chunk.pixels - rows * width, 1}, rows * width};
}

struct Spread {
  float mean[width], scale[width], shift[width], offset[width], slope[width];

  explicit Spread(const Coefficients& c, const Slopes& s = {}) {
    const auto fill = [](float* to, const float* from) { std::fill_n(to, width, from ? *from : 0.f); };
    fill(mean, c.mean), fill(scale, c.scale), fill(shift, c.shift);
    fill(offset, s.offset), fill(slope, s.slope);
  }
  Coefficients coefficients() const { return {mean, scale, shift}; }
  Slopes slopes() const { return {offset, slope}; }
};

double total(const double (&sums)[width]) {
  double sum = 0;
  for (const double value : sums) sum += value;
  return sum;
}

Coefficients at(const Coefficients& c, int64_t lane) {
  const auto move = [&](const float* of) { return of ? of + lane : nullptr; };
  return {move(c.mean), move(c.scale), move(c.shift)};
}

// Calls use(true_type or false_type).
template <class Use>
void choose(bool relu, const Use& use) {
  if (relu)
    use(std::true_type{});
  else
    use(std::false_type{});
}

}  // namespace

Division divide(const ChannelView& view) {
  // Channels last, all images are one; so are features without images, where a row is a pixel.
  ChannelView seen = view;
  if (view.lanes == view.channels || (view.lanes == 1 && view.spatial == 1))
    seen = {1, view.channels, 1, view.batch * view.spatial, view.channels};
  Division division{seen.lanes, seen.blocks * seen.lanes, {}};
  const int64_t pixels = std::max(fewestPixels, chunkFloats / seen.lanes);
  for (int64_t n = 0; n < seen.batch; ++n)
    for (int64_t block = 0; block < seen.blocks; ++block)
      for (int64_t s = 0; s < seen.spatial; s += pixels)
        division.chunks.push_back(
            {block * seen.lanes, seen.row(n, block) + s * seen.lanes, std::min(pixels, seen.spatial - s)});
  return division;
}

void sumOf(const Chunk& chunk, int64_t lanes, const float* x, double* sum) {
  std::fill_n(sum, lanes, 0.);
  if (lanes == 1) {
    const auto [wide, rest, offset] = runOf(chunk);
    double sums[width] = {};
    addValues<width>(wide, x, sums);
    addValues<1>(rest, x + offset, sum);
    *sum += total(sums);
    return;
  }
  forLanes(chunk, lanes,
           [&](auto w, const Rows& rows, int64_t lane) { addValues<w>(rows, x + lane, sum + lane); });
}

void squaresOf(const Chunk& chunk, int64_t lanes, const float* x, const float* mean, double* sum) {
  std::fill_n(sum, lanes, 0.);
  if (lanes == 1) {
    const auto [wide, rest, offset] = runOf(chunk);
    double sums[width] = {};
    addSquares<width>(wide, x, Spread({mean, nullptr, nullptr}).mean, sums);
    addSquares<1>(rest, x + offset, mean, sum);
    *sum += total(sums);
    return;
  }
  forLanes(chunk, lanes, [&](auto w, const Rows& rows, int64_t lane) {
    addSquares<w>(rows, x + lane, mean + lane, sum + lane);
  });
}

void normalize(const Chunk& chunk, int64_t lanes, const Coefficients& c, bool relu, const float* x,
               float* y) {
  choose(relu, [&](auto isRelu) {
    if (lanes == 1) {
      const auto [wide, rest, offset] = runOf(chunk);
      normalizeRows<width, isRelu>(wide, Spread(c).coefficients(), x, y);
      normalizeRows<1, isRelu>(rest, c, x + offset, y + offset);
      return;
    }
    forLanes(chunk, lanes, [&](auto w, const Rows& rows, int64_t lane) {
      normalizeRows<w, isRelu>(rows, at(c, lane), x + lane, y + lane);
    });
  });
}

void gradientSumsOf(const Chunk& chunk, int64_t lanes, const Coefficients& c, bool relu, const float* x,
                    const float* dy, double* sum, double* product) {
  std::fill_n(sum, lanes, 0.);
  std::fill_n(product, lanes, 0.);
  choose(relu, [&](auto isRelu) {
    if (lanes == 1) {
      const auto [wide, rest, offset] = runOf(chunk);
      double sums[width] = {}, products[width] = {};
      addGradients<width, isRelu>(wide, Spread(c).coefficients(), x, dy, sums, products);
      addGradients<1, isRelu>(rest, c, x + offset, dy + offset, sum, product);
      *sum += total(sums);
      *product += total(products);
      return;
    }
    forLanes(chunk, lanes, [&](auto w, const Rows& rows, int64_t lane) {
      addGradients<w, isRelu>(rows, at(c, lane), x + lane, dy + lane, sum + lane, product + lane);
    });
  });
}

void gradientOf(const Chunk& chunk, int64_t lanes, const Coefficients& c, const Slopes& s, bool relu,
                const float* x, const float* dy, float* dx) {
  choose(relu, [&](auto isRelu) {
    if (lanes == 1) {
      const auto [wide, rest, offset] = runOf(chunk);
      const Spread spread(c, s);
      gradientRows<width, isRelu>(wide, spread.coefficients(), spread.slopes(), x, dy, dx);
      gradientRows<1, isRelu>(rest, c, s, x + offset, dy + offset, dx + offset);
      return;
    }
    forLanes(chunk, lanes, [&](auto w, const Rows& rows, int64_t lane) {
      gradientRows<w, isRelu>(rows, at(c, lane), {s.offset + lane, s.slope + lane}, x + lane, dy + lane,
                              dx + lane);
    });
  });
}

}  // namespace fovea::cpu

#include <algorithm>

#include "families.h"

namespace fovea::cpu {
namespace {

struct Bin {
  int64_t begin, end;
};

std::vector<Bin> binsOf(int64_t size, int64_t count) {
  std::vector<Bin> bins;
  for (int64_t i = 0; i < count; ++i)
    bins.push_back({i * size / count, ((i + 1) * size + count - 1) / count});
  return bins;
}

// The pooling of equal windows that this is, if the image divides into them.
std::optional<ops::Pooling> evenPooling(const Shape& x, const Shape& y) {
  if (x[2] % y[2] != 0 || x[3] % y[3] != 0) return {};
  ops::Pooling pooling;
  pooling.kind = ops::PoolingKind::average;
  pooling.kernel = pooling.stride = {x[2] / y[2], x[3] / y[3]};
  return pooling;
}

// Bins of unequal size, which may overlap: visit(first value of a bin's pixel, the bin's result) with the
// share that a pixel has in the bin.
struct Bins {
  int64_t width, lanes;
  std::vector<Bin> rows, columns;

  template <class Image, class Result, class Visit>
  void forEach(Image* image, Result* result, const Visit& visit) const {
    for (const Bin& row : rows)
      for (const Bin& column : columns) {
        const float share = 1.f / static_cast<float>((row.end - row.begin) * (column.end - column.begin));
        for (int64_t h = row.begin; h < row.end; ++h)
          for (int64_t w = column.begin; w < column.end; ++w)
            visit(image + (h * width + w) * lanes, result, share);
        result += lanes;
      }
  }
};

// Both directions: every block of the result begins with zeros, then add(bins, a block of the input, the
// result's) adds to it. `image` is the shape of what the bins lie in, `pooled` has a pixel for each.
template <class Add>
KernelPtr unevenKernel(const Request& request, const std::string& name, const Shape& image,
                       const Shape& pooled, const Add& add) {
  auto [kernel, from, to] = imageKernel(request, name);
  const Bins bins{image[3], from.lanes, binsOf(image[2], pooled[2]), binsOf(image[3], pooled[3])};
  kernel->body = [=, from = from, to = to](const Pointers& p) {
    const auto* source = static_cast<const float*>(p.inputs[0]);
    auto* target = static_cast<float*>(p.outputs[0]);
#pragma omp parallel for collapse(2)
    for (int64_t n = 0; n < to.batch; ++n)
      for (int64_t block = 0; block < to.blocks; ++block) {
        float* result = target + to.row(n, block);
        std::fill_n(result, to.spatial * to.lanes, 0.f);
        add(bins, source + from.row(n, block), result);
      }
  };
  return std::move(kernel);
}

KernelPtr unevenAverage(const Request& request) {
  const auto add = [](const Bins& bins, const float* x, float* y) {
    bins.forEach(x, y, [lanes = bins.lanes](const float* pixel, float* sum, float share) {
      for (int64_t lane = 0; lane < lanes; ++lane) sum[lane] += pixel[lane] * share;
    });
  };
  return unevenKernel(request, "adaptiveAverage", request.input(0).shape, request.output(0).shape, add);
}

KernelPtr unevenAverageBackward(const Request& request) {
  const auto add = [](const Bins& bins, const float* dy, float* dx) {
    bins.forEach(dx, dy, [lanes = bins.lanes](float* pixel, const float* gradient, float share) {
      for (int64_t lane = 0; lane < lanes; ++lane) pixel[lane] += gradient[lane] * share;
    });
  };
  return unevenKernel(request, "adaptiveAverageBackward", request.output(0).shape, request.input(0).shape,
                      add);
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::AdaptiveAveragePooling&) {
  if (const auto even = evenPooling(request.input(0).shape, request.output(0).shape))
    return prepare(request, *even);
  return unevenAverage(request);
}

KernelPtr prepare(const Request& request, const ops::AdaptiveAveragePoolingBackward&) {
  if (const auto even = evenPooling(request.output(0).shape, request.input(0).shape)) {
    ops::PoolingBackward backward;
    static_cast<ops::Pooling&>(backward) = *even;
    return prepare(request, backward);
  }
  return unevenAverageBackward(request);
}

}  // namespace fovea::cpu

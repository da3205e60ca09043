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

Bins binsOf(const Shape& x, const Shape& y, int64_t lanes) {
  return {x[3], lanes, binsOf(x[2], y[2]), binsOf(x[3], y[3])};
}

KernelPtr unevenAverage(const Request& request) {
  requireFloat(request);
  const TensorSpec &x = request.input(0), &y = request.output(0);
  const auto [xLayout, from] = viewed(x, request.inputLayout(0));
  const auto [yLayout, to] = inFormatOf(from, y);
  auto kernel = std::make_unique<FunctionKernel>(request, "adaptiveAverage");
  kernel->inputs[0] = xLayout;
  kernel->outputs[0] = yLayout;
  kernel->body = [from = from, to = to, bins = binsOf(x.shape, y.shape, from.lanes)](const Pointers& p) {
    const auto* source = static_cast<const float*>(p.inputs[0]);
    auto* target = static_cast<float*>(p.outputs[0]);
#pragma omp parallel for collapse(2)
    for (int64_t n = 0; n < from.batch; ++n)
      for (int64_t block = 0; block < from.blocks; ++block) {
        float* result = target + to.row(n, block);
        std::fill_n(result, to.spatial * to.lanes, 0.f);
        bins.forEach(source + from.row(n, block), result, [&](const float* pixel, float* sum, float share) {
          for (int64_t lane = 0; lane < from.lanes; ++lane) sum[lane] += pixel[lane] * share;
        });
      }
  };
  return kernel;
}

KernelPtr unevenAverageBackward(const Request& request) {
  requireFloat(request);
  const TensorSpec &dy = request.input(0), &dx = request.output(0);
  const auto [dyLayout, from] = viewed(dy, request.inputLayout(0));
  const auto [dxLayout, to] = inFormatOf(from, dx);
  auto kernel = std::make_unique<FunctionKernel>(request, "adaptiveAverageBackward");
  kernel->inputs[0] = dyLayout;
  kernel->outputs[0] = dxLayout;
  kernel->body = [from = from, to = to, bins = binsOf(dx.shape, dy.shape, from.lanes)](const Pointers& p) {
    const auto* source = static_cast<const float*>(p.inputs[0]);
    auto* target = static_cast<float*>(p.outputs[0]);
#pragma omp parallel for collapse(2)
    for (int64_t n = 0; n < from.batch; ++n)
      for (int64_t block = 0; block < from.blocks; ++block) {
        float* image = target + to.row(n, block);
        std::fill_n(image, to.spatial * to.lanes, 0.f);
        bins.forEach(image, source + from.row(n, block), [&](float* pixel, const float* dy, float share) {
          for (int64_t lane = 0; lane < from.lanes; ++lane) pixel[lane] += dy[lane] * share;
        });
      }
  };
  return kernel;
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

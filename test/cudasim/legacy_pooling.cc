#include <algorithm>
#include <cmath>

#include "legacy.h"

namespace cudasim {
namespace {

struct Pooling {
  bool set = false;
  cudnnPoolingMode_t mode = CUDNN_POOLING_MAX;
  int64_t window[2]{}, padding[2]{}, stride[2]{};

  bool isMax() const { return mode == CUDNN_POOLING_MAX || mode == CUDNN_POOLING_MAX_DETERMINISTIC; }
};

void requireFit(const Pooling& p, const Operand& x, const Operand& y) {
  const Dims &in = x.span.dims, &out = y.span.dims;
  require(
      in.size() == 4 && out.size() == 4 && in[0] == out[0] && in[1] == out[1] && x.span.type == y.span.type,
      CUDNN_STATUS_BAD_PARAM, "x " + spell(x.span) + ", y " + spell(y.span));
  for (size_t i = 0; i < 2; ++i) {
    const int64_t expected = (in[i + 2] + 2 * p.padding[i] - p.window[i]) / p.stride[i] + 1;
    require(out[i + 2] == expected, CUDNN_STATUS_BAD_PARAM,
            "an extent of y is " + std::to_string(out[i + 2]) + " and should be " + std::to_string(expected));
  }
}

// Calls `f(y, x, count)` for every output and input under its window, in order; `count` is the window's
// divisor.
template <class F>
void eachTap(const Pooling& p, const Dims& in, const Dims& out, F&& f) {
  for (int64_t image = 0; image < in[0] * in[1]; ++image)
    for (int64_t i = 0; i < out[2]; ++i)
      for (int64_t j = 0; j < out[3]; ++j) {
        const int64_t top = i * p.stride[0] - p.padding[0], left = j * p.stride[1] - p.padding[1];
        const int64_t y0 = std::max<int64_t>(top, 0), y1 = std::min(top + p.window[0], in[2]);
        const int64_t x0 = std::max<int64_t>(left, 0), x1 = std::min(left + p.window[1], in[3]);
        const int64_t count = p.mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING
                                  ? p.window[0] * p.window[1]
                                  : (y1 - y0) * (x1 - x0);
        const auto to = static_cast<size_t>((image * out[2] + i) * out[3] + j);
        for (int64_t y = y0; y < y1; ++y)
          for (int64_t x = x0; x < x1; ++x)
            f(to, static_cast<size_t>((image * in[2] + y) * in[3] + x), static_cast<double>(count));
      }
}

// Where each output's greatest input is: the first of several.
std::vector<size_t> greatest(const Pooling& p, const std::vector<double>& x, const Dims& in,
                             const Dims& out) {
  constexpr auto none = static_cast<size_t>(-1);
  std::vector<size_t> places(static_cast<size_t>(out[0] * out[1] * out[2] * out[3]), none);
  eachTap(p, in, out, [&](size_t to, size_t from, double) {
    size_t& place = places[to];
    if (place == none || x[from] > x[place] || (std::isnan(x[from]) && !std::isnan(x[place]))) place = from;
  });
  return places;
}

}  // namespace
}  // namespace cudasim

using namespace cudasim;

extern "C" {

cudnnStatus_t cudnnCreatePoolingDescriptor(cudnnPoolingDescriptor_t* descriptor) {
  CUDASIM_ENTER(cudnnCreatePoolingDescriptor, CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
  return makeDescriptor<Pooling>("cudnnCreatePoolingDescriptor", descriptor);
}

cudnnStatus_t cudnnDestroyPoolingDescriptor(cudnnPoolingDescriptor_t descriptor) {
  CUDASIM_LEAVE(cudnnDestroyPoolingDescriptor);
  return dropDescriptor<Pooling>("cudnnDestroyPoolingDescriptor", descriptor, injected);
}

cudnnStatus_t cudnnSetPooling2dDescriptor(cudnnPoolingDescriptor_t descriptor, cudnnPoolingMode_t mode,
                                          cudnnNanPropagation_t, int windowHeight, int windowWidth,
                                          int verticalPadding, int horizontalPadding, int verticalStride,
                                          int horizontalStride) {
  CUDASIM_ENTER(cudnnSetPooling2dDescriptor, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnSetPooling2dDescriptor", [&] {
    const auto found = described<Pooling, cudnnPoolingDescriptor_t>().find(descriptor);
    require(found != nullptr, CUDNN_STATUS_BAD_PARAM, "unknown descriptor");
    require(windowHeight > 0 && windowWidth > 0 && verticalStride > 0 && horizontalStride > 0 &&
                verticalPadding >= 0 && horizontalPadding >= 0,
            CUDNN_STATUS_BAD_PARAM, "windows and strides begin at 1, paddings at 0");
    require(verticalPadding < windowHeight && horizontalPadding < windowWidth, CUDNN_STATUS_BAD_PARAM,
            "a padding as large as the window");
    *found = {true,
              mode,
              {windowHeight, windowWidth},
              {verticalPadding, horizontalPadding},
              {verticalStride, horizontalStride}};
  });
}

cudnnStatus_t cudnnPoolingForward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t descriptor,
                                  const void* alpha, const cudnnTensorDescriptor_t xDesc, const void* x,
                                  const void* beta, const cudnnTensorDescriptor_t yDesc, void* y) {
  CUDASIM_ENTER(cudnnPoolingForward, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnPoolingForward", [&] {
    const Pooling pooling = descriptionOf<Pooling>(descriptor, "pooling");
    const Operand from(xDesc, x, "x"), to(yDesc, y, "y");
    requireFit(pooling, from, to);
    const double a = scalarOf(alpha, to.span, "alpha"), b = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnPoolingForward", [=] {
      from.check(), to.check();
      const std::vector<double> in = from.read();
      std::vector<double> out(static_cast<size_t>(to.span.count()));
      if (pooling.isMax()) {
        const std::vector<size_t> places = greatest(pooling, in, from.span.dims, to.span.dims);
        for (size_t i = 0; i < out.size(); ++i) out[i] = in.at(places[i]);
      } else {
        eachTap(pooling, from.span.dims, to.span.dims,
                [&](size_t target, size_t source, double count) { out[target] += in[source] / count; });
      }
      to.write(std::move(out), a, b);
    });
  });
}

cudnnStatus_t cudnnPoolingBackward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t descriptor,
                                   const void* alpha, const cudnnTensorDescriptor_t yDesc, const void* y,
                                   const cudnnTensorDescriptor_t dyDesc, const void* dy,
                                   const cudnnTensorDescriptor_t xDesc, const void* x, const void* beta,
                                   const cudnnTensorDescriptor_t dxDesc, void* dx) {
  CUDASIM_ENTER(cudnnPoolingBackward, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnPoolingBackward", [&] {
    const Pooling pooling = descriptionOf<Pooling>(descriptor, "pooling");
    const Operand result(yDesc, y, "y"), gradient(dyDesc, dy, "dy"), from(xDesc, x, "x"),
        to(dxDesc, dx, "dx");
    requireFit(pooling, from, result);
    requireSameShape(result, gradient);
    requireSameShape(from, to);
    require(result.span.strides == gradient.span.strides && from.span.strides == to.span.strides,
            CUDNN_STATUS_BAD_PARAM, "strides of y and dy, or of x and dx, differ");
    const double a = scalarOf(alpha, to.span, "alpha"), b = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnPoolingBackward", [=] {
      result.check(), gradient.check(), from.check(), to.check();
      const std::vector<double> out = gradient.read();
      std::vector<double> in(static_cast<size_t>(to.span.count()));
      if (pooling.isMax()) {
        const std::vector<size_t> places = greatest(pooling, from.read(), from.span.dims, result.span.dims);
        for (size_t i = 0; i < out.size(); ++i) in.at(places[i]) += out[i];
      } else {
        eachTap(pooling, from.span.dims, result.span.dims,
                [&](size_t source, size_t target, double count) { in[target] += out[source] / count; });
      }
      to.write(std::move(in), a, b);
    });
  });
}

}  // extern "C"

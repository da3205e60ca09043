// Local response normalization.
#include <algorithm>
#include <cmath>

#include "legacy.h"

namespace cudasim {
namespace {

struct Norm {
  bool set = false;
  int64_t size = 5;
  double alpha = 1e-4, beta = 0.75, k = 2;
};

// Calls `f(first, step)` for every pixel: where its first channel is, and how far apart channels are.
template <class F>
void eachPixel(const Dims& dims, F&& f) {
  int64_t pixels = 1;
  for (size_t i = 2; i < dims.size(); ++i) pixels *= dims[i];
  for (int64_t n = 0; n < dims[0]; ++n)
    for (int64_t pixel = 0; pixel < pixels; ++pixel) f(n * dims[1] * pixels + pixel, pixels);
}

struct Window {
  int64_t begin, end;
};
// The channels that channel c is normalized by.
Window windowOf(const Norm& norm, int64_t c, int64_t channels) {
  const int64_t behind = (norm.size - 1) / 2, ahead = norm.size - behind - 1;
  return {std::max<int64_t>(c - behind, 0), std::min(c + ahead + 1, channels)};
}

std::vector<double> scales(const Norm& norm, const std::vector<double>& x, const Dims& dims) {
  std::vector<double> result(x.size());
  eachPixel(dims, [&](int64_t first, int64_t step) {
    for (int64_t c = 0; c < dims[1]; ++c) {
      const auto [begin, end] = windowOf(norm, c, dims[1]);
      double sum = 0;
      for (int64_t other = begin; other < end; ++other) {
        const double value = x[static_cast<size_t>(first + other * step)];
        sum += value * value;
      }
      result[static_cast<size_t>(first + c * step)] =
          norm.k + norm.alpha / static_cast<double>(norm.size) * sum;
    }
  });
  return result;
}

std::vector<double> backward(const Norm& norm, const std::vector<double>& x, const std::vector<double>& dy,
                             const Dims& dims) {
  const std::vector<double> scale = scales(norm, x, dims);
  std::vector<double> dx(x.size());
  const double factor = 2 * norm.alpha * norm.beta / static_cast<double>(norm.size);
  eachPixel(dims, [&](int64_t first, int64_t step) {
    for (int64_t c = 0; c < dims[1]; ++c) {
      const auto at = static_cast<size_t>(first + c * step);
      dx[at] += dy[at] * std::pow(scale[at], -norm.beta);
      const double shared = factor * dy[at] * x[at] * std::pow(scale[at], -norm.beta - 1);
      const auto [begin, end] = windowOf(norm, c, dims[1]);
      for (int64_t other = begin; other < end; ++other) {
        const auto to = static_cast<size_t>(first + other * step);
        dx[to] -= shared * x[to];
      }
    }
  });
  return dx;
}

void requireMode(cudnnLRNMode_t mode) {
  require(mode == CUDNN_LRN_CROSS_CHANNEL_DIM1, CUDNN_STATUS_BAD_PARAM, "mode of the normalization");
}

}  // namespace
}  // namespace cudasim

using namespace cudasim;

extern "C" {

cudnnStatus_t cudnnCreateLRNDescriptor(cudnnLRNDescriptor_t* descriptor) {
  CUDASIM_ENTER(cudnnCreateLRNDescriptor, CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
  return makeDescriptor<Norm>("cudnnCreateLRNDescriptor", descriptor);
}

cudnnStatus_t cudnnDestroyLRNDescriptor(cudnnLRNDescriptor_t descriptor) {
  CUDASIM_LEAVE(cudnnDestroyLRNDescriptor);
  return dropDescriptor<Norm>("cudnnDestroyLRNDescriptor", descriptor, injected);
}

cudnnStatus_t cudnnSetLRNDescriptor(cudnnLRNDescriptor_t descriptor, unsigned size, double alpha, double beta,
                                    double k) {
  CUDASIM_ENTER(cudnnSetLRNDescriptor, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnSetLRNDescriptor", [&] {
    const auto found = described<Norm, cudnnLRNDescriptor_t>().find(descriptor);
    require(found != nullptr, CUDNN_STATUS_BAD_PARAM, "unknown descriptor");
    require(size >= CUDNN_LRN_MIN_N && size <= CUDNN_LRN_MAX_N && k >= CUDNN_LRN_MIN_K &&
                beta >= CUDNN_LRN_MIN_BETA,
            CUDNN_STATUS_BAD_PARAM, "size, k or beta of the normalization is out of range");
    *found = {true, size, alpha, beta, k};
  });
}

cudnnStatus_t cudnnLRNCrossChannelForward(cudnnHandle_t handle, cudnnLRNDescriptor_t descriptor,
                                          cudnnLRNMode_t mode, const void* alpha,
                                          const cudnnTensorDescriptor_t xDesc, const void* x,
                                          const void* beta, const cudnnTensorDescriptor_t yDesc, void* y) {
  CUDASIM_ENTER(cudnnLRNCrossChannelForward, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnLRNCrossChannelForward", [&] {
    requireMode(mode);
    const Norm norm = descriptionOf<Norm>(descriptor, "normalization");
    const Operand from(xDesc, x, "x"), to(yDesc, y, "y");
    requireSameShape(from, to);
    require(from.span.strides == to.span.strides, CUDNN_STATUS_NOT_SUPPORTED, "strides of x and y differ");
    const double a = scalarOf(alpha, to.span, "alpha"), b = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnLRNCrossChannelForward", [=] {
      from.check(), to.check();
      std::vector<double> values = from.read();
      const std::vector<double> scale = scales(norm, values, from.span.dims);
      for (size_t i = 0; i < values.size(); ++i) values[i] *= std::pow(scale[i], -norm.beta);
      to.write(std::move(values), a, b);
    });
  });
}

cudnnStatus_t cudnnLRNCrossChannelBackward(cudnnHandle_t handle, cudnnLRNDescriptor_t descriptor,
                                           cudnnLRNMode_t mode, const void* alpha,
                                           const cudnnTensorDescriptor_t yDesc, const void* y,
                                           const cudnnTensorDescriptor_t dyDesc, const void* dy,
                                           const cudnnTensorDescriptor_t xDesc, const void* x,
                                           const void* beta, const cudnnTensorDescriptor_t dxDesc, void* dx) {
  CUDASIM_ENTER(cudnnLRNCrossChannelBackward, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnLRNCrossChannelBackward", [&] {
    requireMode(mode);
    const Norm norm = descriptionOf<Norm>(descriptor, "normalization");
    const Operand result(yDesc, y, "y"), gradient(dyDesc, dy, "dy"), from(xDesc, x, "x"),
        to(dxDesc, dx, "dx");
    for (const Operand* other : {&gradient, &from, &to}) {
      requireSameShape(result, *other);
      require(result.span.strides == other->span.strides, CUDNN_STATUS_NOT_SUPPORTED,
              "strides of y and " + other->name + " differ");
    }
    const double a = scalarOf(alpha, to.span, "alpha"), b = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnLRNCrossChannelBackward", [=] {
      result.check(), gradient.check(), from.check(), to.check();
      // What the forward pass gave is read, as a caller who hands over something else would find out.
      const std::vector<double> inputs = from.read(), outputs = result.read();
      const std::vector<double> scale = scales(norm, inputs, from.span.dims);
      for (size_t i = 0; i < inputs.size(); ++i) {
        const double expected = inputs[i] * std::pow(scale[i], -norm.beta);
        require(!(std::fabs(outputs[i] - expected) > 1e-2 * std::max(1.0, std::fabs(expected))),
                CUDNN_STATUS_BAD_PARAM, "y is not what the forward pass made of x");
      }
      to.write(backward(norm, inputs, gradient.read(), from.span.dims), a, b);
    });
  });
}

}  // extern "C"

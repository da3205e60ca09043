// Softmax and activations.
#include <algorithm>
#include <cmath>

#include "legacy.h"

namespace cudasim {
namespace {

// Calls `f(first, count, step)` for every row that sums to one: all of an image, or a pixel's channels.
template <class F>
void eachRow(const Dims& dims, cudnnSoftmaxMode_t mode, F&& f) {
  size_t pixels = 1;
  for (size_t i = 2; i < dims.size(); ++i) pixels *= static_cast<size_t>(dims[i]);
  const auto images = static_cast<size_t>(dims[0]), channels = static_cast<size_t>(dims[1]);
  for (size_t n = 0; n < images; ++n)
    if (mode == CUDNN_SOFTMAX_MODE_INSTANCE)
      f(n * channels * pixels, channels * pixels, size_t{1});
    else
      for (size_t pixel = 0; pixel < pixels; ++pixel) f(n * channels * pixels + pixel, channels, pixels);
}

std::vector<double> softmax(std::vector<double> x, const Dims& dims, cudnnSoftmaxMode_t mode, bool log) {
  eachRow(dims, mode, [&](size_t first, size_t count, size_t step) {
    double highest = -INFINITY, sum = 0;
    for (size_t i = 0; i < count; ++i) highest = std::max(highest, x[first + i * step]);
    for (size_t i = 0; i < count; ++i) sum += std::exp(x[first + i * step] - highest);
    for (size_t i = 0; i < count; ++i) {
      double& value = x[first + i * step];
      value = log ? value - highest - std::log(sum) : std::exp(value - highest) / sum;
    }
  });
  return x;
}

std::vector<double> softmaxBack(const std::vector<double>& y, std::vector<double> dy, const Dims& dims,
                                cudnnSoftmaxMode_t mode, bool log) {
  eachRow(dims, mode, [&](size_t first, size_t count, size_t step) {
    double sum = 0;
    for (size_t i = first; i < first + count * step; i += step) sum += log ? dy[i] : dy[i] * y[i];
    for (size_t i = first; i < first + count * step; i += step)
      dy[i] = log ? dy[i] - std::exp(y[i]) * sum : y[i] * (dy[i] - sum);
  });
  return dy;
}

void requireAlgorithm(cudnnSoftmaxAlgorithm_t algorithm, cudnnSoftmaxMode_t mode) {
  require(algorithm >= CUDNN_SOFTMAX_FAST && algorithm <= CUDNN_SOFTMAX_LOG &&
              (mode == CUDNN_SOFTMAX_MODE_INSTANCE || mode == CUDNN_SOFTMAX_MODE_CHANNEL),
          CUDNN_STATUS_BAD_PARAM, "softmax algorithm or mode");
}

double activate(cudnnActivationMode_t mode, double x) {
  switch (mode) {
    case CUDNN_ACTIVATION_SIGMOID:
      return 1 / (1 + std::exp(-x));
    case CUDNN_ACTIVATION_RELU:
      return x > 0 || std::isnan(x) ? x : 0;
    default:
      return std::tanh(x);
  }
}

double slope(cudnnActivationMode_t mode, double y, double x) {
  switch (mode) {
    case CUDNN_ACTIVATION_SIGMOID:
      return y * (1 - y);
    case CUDNN_ACTIVATION_RELU:
      return x > 0 ? 1 : 0;
    default:
      return 1 - y * y;
  }
}

cudnnActivationMode_t modeOf(cudnnActivationDescriptor_t descriptor) {
  const auto mode = descriptionOf<Activation>(descriptor, "activation").mode;
  require(mode != CUDNN_ACTIVATION_IDENTITY, CUDNN_STATUS_BAD_PARAM, "the identity is no activation here");
  return mode;
}

}  // namespace
}  // namespace cudasim

using namespace cudasim;

extern "C" {

cudnnStatus_t cudnnSoftmaxForward(cudnnHandle_t handle, cudnnSoftmaxAlgorithm_t algorithm,
                                  cudnnSoftmaxMode_t mode, const void* alpha,
                                  const cudnnTensorDescriptor_t xDesc, const void* x, const void* beta,
                                  const cudnnTensorDescriptor_t yDesc, void* y) {
  CUDASIM_ENTER(cudnnSoftmaxForward, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnSoftmaxForward", [&] {
    requireAlgorithm(algorithm, mode);
    const Operand from(xDesc, x, "x"), to(yDesc, y, "y");
    requireSameShape(from, to);
    const double a = scalarOf(alpha, to.span, "alpha"), b = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnSoftmaxForward", [=] {
      from.check(), to.check();
      to.write(softmax(from.read(), from.span.dims, mode, algorithm == CUDNN_SOFTMAX_LOG), a, b);
    });
  });
}

cudnnStatus_t cudnnSoftmaxBackward(cudnnHandle_t handle, cudnnSoftmaxAlgorithm_t algorithm,
                                   cudnnSoftmaxMode_t mode, const void* alpha,
                                   const cudnnTensorDescriptor_t yDesc, const void* y,
                                   const cudnnTensorDescriptor_t dyDesc, const void* dy, const void* beta,
                                   const cudnnTensorDescriptor_t dxDesc, void* dx) {
  CUDASIM_ENTER(cudnnSoftmaxBackward, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnSoftmaxBackward", [&] {
    requireAlgorithm(algorithm, mode);
    const Operand result(yDesc, y, "y"), from(dyDesc, dy, "dy"), to(dxDesc, dx, "dx");
    requireSameShape(result, from);
    requireSameShape(from, to);
    const double a = scalarOf(alpha, to.span, "alpha"), b = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnSoftmaxBackward", [=] {
      result.check(), from.check(), to.check();
      to.write(softmaxBack(result.read(), from.read(), from.span.dims, mode, algorithm == CUDNN_SOFTMAX_LOG),
               a, b);
    });
  });
}

cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t* descriptor) {
  CUDASIM_ENTER(cudnnCreateActivationDescriptor, CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
  return makeDescriptor<Activation>("cudnnCreateActivationDescriptor", descriptor);
}

cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t descriptor) {
  CUDASIM_LEAVE(cudnnDestroyActivationDescriptor);
  return dropDescriptor<Activation>("cudnnDestroyActivationDescriptor", descriptor, injected);
}

cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t descriptor, cudnnActivationMode_t mode,
                                           cudnnNanPropagation_t, double coefficient) {
  CUDASIM_ENTER(cudnnSetActivationDescriptor, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnSetActivationDescriptor", [&] {
    const auto found = described<Activation, cudnnActivationDescriptor_t>().find(descriptor);
    require(found != nullptr, CUDNN_STATUS_BAD_PARAM, "unknown descriptor");
    *found = {true, mode, coefficient};
  });
}

cudnnStatus_t cudnnActivationForward(cudnnHandle_t handle, cudnnActivationDescriptor_t activation,
                                     const void* alpha, const cudnnTensorDescriptor_t xDesc, const void* x,
                                     const void* beta, const cudnnTensorDescriptor_t yDesc, void* y) {
  CUDASIM_ENTER(cudnnActivationForward, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnActivationForward", [&] {
    const auto mode = modeOf(activation);
    const Operand from(xDesc, x, "x"), to(yDesc, y, "y");
    requireSameShape(from, to);
    require(x != y || from.span.strides == to.span.strides, CUDNN_STATUS_BAD_PARAM,
            "in place with other strides");
    const double a = scalarOf(alpha, to.span, "alpha"), b = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnActivationForward", [=] {
      from.check(), to.check();
      std::vector<double> values = from.read();
      for (double& value : values) value = activate(mode, value);
      to.write(std::move(values), a, b);
    });
  });
}

cudnnStatus_t cudnnActivationBackward(cudnnHandle_t handle, cudnnActivationDescriptor_t activation,
                                      const void* alpha, const cudnnTensorDescriptor_t yDesc, const void* y,
                                      const cudnnTensorDescriptor_t dyDesc, const void* dy,
                                      const cudnnTensorDescriptor_t xDesc, const void* x, const void* beta,
                                      const cudnnTensorDescriptor_t dxDesc, void* dx) {
  CUDASIM_ENTER(cudnnActivationBackward, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnActivationBackward", [&] {
    const auto mode = modeOf(activation);
    const Operand result(yDesc, y, "y"), gradient(dyDesc, dy, "dy"), from(xDesc, x, "x"),
        to(dxDesc, dx, "dx");
    requireSameShape(result, gradient);
    requireSameShape(from, to);
    requireSameShape(from, result);
    require(result.span.strides == gradient.span.strides && from.span.strides == to.span.strides,
            CUDNN_STATUS_NOT_SUPPORTED, "strides of y and dy, or of x and dx, differ");
    const double a = scalarOf(alpha, to.span, "alpha"), b = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnActivationBackward", [=] {
      result.check(), gradient.check(), from.check(), to.check();
      std::vector<double> values = gradient.read();
      const std::vector<double> outputs = result.read(), inputs = from.read();
      for (size_t i = 0; i < values.size(); ++i) values[i] *= slope(mode, outputs[i], inputs[i]);
      to.write(std::move(values), a, b);
    });
  });
}

}  // extern "C"

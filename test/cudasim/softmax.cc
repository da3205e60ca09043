// cuDNN's older calls: descriptors of tensors that lie channels last, and softmax.
#include <algorithm>
#include <cmath>

#include "cudnn_handle.h"
#include "memory.h"

namespace cudasim {
namespace {

struct DescribedTensor {
  bool set = false;
  TensorSpan span;
};

Registry<DescribedTensor, cudnnTensorDescriptor_t>& descriptors() {
  static auto& registry =
      *std::make_unique<Registry<DescribedTensor, cudnnTensorDescriptor_t>>(Slot::cudnnDescriptors).release();
  return registry;
}

const TensorSpan& spanOf(cudnnTensorDescriptor_t descriptor, const char* name) {
  const auto found = descriptors().find(descriptor);
  require(found != nullptr, CUDNN_STATUS_BAD_PARAM, std::string("unknown descriptor of ") + name);
  require(found->set, CUDNN_STATUS_BAD_PARAM, std::string("the descriptor of ") + name + " was not set");
  return found->span;
}

// alpha or beta, which lie on the host: floats, but doubles for tensors of doubles.
double scalarOf(const void* pointer, const TensorSpan& span, const char* name) {
  require(pointer != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, std::string(name) + " is null");
  require(!deviceMemory().covers(pointer), CUDNN_STATUS_BAD_PARAM, std::string(name) + " lies on the device");
  return span.type == CUDNN_DATA_DOUBLE ? *static_cast<const double*>(pointer)
                                        : *static_cast<const float*>(pointer);
}

// A tensor that a call reads or writes.
struct Operand {
  TensorSpan span;
  void* data;
  std::string name;

  Operand(cudnnTensorDescriptor_t descriptor, const void* pointer, const char* name)
      : span(spanOf(descriptor, name)), data(const_cast<void*>(pointer)), name(name) {
    check();
  }
  void check() const { requireOnDevice(span, data, name); }
  std::vector<double> read() const { return gather(span, data); }
  void write(std::vector<double> values, double alpha, double beta) const {
    blend(span, data, std::move(values), alpha, beta);
  }
};

void requireSameShape(const Operand& a, const Operand& b) {
  require(a.span.dims == b.span.dims && a.span.type == b.span.type, CUDNN_STATUS_BAD_PARAM,
          a.name + " " + spell(a.span) + " and " + b.name + " " + spell(b.span));
}

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

}  // namespace
}  // namespace cudasim

using namespace cudasim;

extern "C" {

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* descriptor) {
  CUDASIM_ENTER(cudnnCreateTensorDescriptor, CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
  return guarded("cudnnCreateTensorDescriptor", [&] {
    require(descriptor != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no place for the descriptor");
    *descriptor = descriptors().add(std::make_shared<DescribedTensor>());
  });
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) {
  CUDASIM_LEAVE(cudnnDestroyTensorDescriptor);
  const cudnnStatus_t status = guarded("cudnnDestroyTensorDescriptor", [&] {
    require(descriptors().remove(descriptor), CUDNN_STATUS_BAD_PARAM, "unknown descriptor");
  });
  return injected ? CUDNN_STATUS_INTERNAL_ERROR : status;
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t descriptor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
  CUDASIM_ENTER(cudnnSetTensor4dDescriptor, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnSetTensor4dDescriptor", [&] {
    const auto found = descriptors().find(descriptor);
    require(found != nullptr, CUDNN_STATUS_BAD_PARAM, "unknown tensor descriptor");
    const int64_t channels = c, height = h, width = w;
    const TensorSpan span{type, {n, c, h, w}, {height * width * channels, 1, width * channels, channels}};
    require(format == CUDNN_TENSOR_NHWC, CUDNN_STATUS_NOT_SUPPORTED, "only channels last is simulated");
    require(isKnown(type), CUDNN_STATUS_BAD_PARAM, "unknown data type");
    require(n > 0 && c > 0 && h > 0 && w > 0, CUDNN_STATUS_BAD_PARAM, spell(span));
    require(span.bytes() < (size_t{1} << 31) * sizeOf(type), CUDNN_STATUS_NOT_SUPPORTED,
            "more than 2^31 elements");
    *found = {true, span};
  });
}

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

}  // extern "C"

// Batch norm over images and pixels, a channel at a time.
#include <algorithm>
#include <cmath>
#include <optional>

#include "legacy.h"

namespace cudasim {
namespace {

using Numbers = std::vector<double>;

// Calls `f(channel, i)` for every element.
template <class F>
void eachElement(const Dims& dims, F&& f) {
  size_t pixels = 1, at = 0;
  for (size_t i = 2; i < dims.size(); ++i) pixels *= static_cast<size_t>(dims[i]);
  for (int64_t n = 0; n < dims[0]; ++n)
    for (size_t c = 0; c < static_cast<size_t>(dims[1]); ++c)
      for (size_t pixel = 0; pixel < pixels; ++pixel) f(c, at++);
}

double countOf(const Dims& dims) {
  double count = 1;
  for (size_t i = 0; i < dims.size(); ++i)
    if (i != 1) count *= static_cast<double>(dims[i]);
  return count;
}

struct Statistics {
  Numbers mean, variance;
};
Statistics statisticsOf(const Numbers& x, const Dims& dims) {
  const auto channels = static_cast<size_t>(dims[1]);
  Statistics s{Numbers(channels), Numbers(channels)};
  eachElement(dims, [&](size_t c, size_t i) { s.mean[c] += x[i]; });
  for (double& mean : s.mean) mean /= countOf(dims);
  eachElement(dims, [&](size_t c, size_t i) { s.variance[c] += (x[i] - s.mean[c]) * (x[i] - s.mean[c]); });
  for (double& variance : s.variance) variance /= countOf(dims);
  return s;
}

// Parameters and statistics are floats for data of two bytes.
cudnnDataType_t channelType(cudnnDataType_t data) {
  return data == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
}

TensorSpan channelSpan(const TensorSpan& x) {
  Dims dims(x.dims.size(), 1);
  dims[1] = x.dims[1];
  return {channelType(x.type), dims, stridesOf(dims)};
}

void requireSpatial(cudnnBatchNormMode_t mode, const TensorSpan& x, double epsilon) {
  require(mode == CUDNN_BATCHNORM_SPATIAL || mode == CUDNN_BATCHNORM_SPATIAL_PERSISTENT,
          CUDNN_STATUS_NOT_SUPPORTED, "only spatial batch norm is simulated");
  require(x.dims.size() == 4 || x.dims.size() == 5, CUDNN_STATUS_NOT_SUPPORTED,
          std::to_string(x.dims.size()) + " dimensions");
  require(epsilon >= CUDNN_BN_MIN_EPSILON, CUDNN_STATUS_BAD_PARAM, "epsilon " + std::to_string(epsilon));
}

void requireChannels(cudnnTensorDescriptor_t descriptor, const TensorSpan& x) {
  const TensorSpan& channels = spanOf(descriptor, "channels");
  const TensorSpan expected = channelSpan(x);
  require(channels.dims == expected.dims && channels.type == expected.type, CUDNN_STATUS_BAD_PARAM,
          "parameters " + spell(channels) + " for x " + spell(x));
}

// What is fused needs halves, channels last, and the persistent mode.
void requireFused(cudnnBatchNormMode_t mode, cudnnBatchNormOps_t ops, const TensorSpan& x,
                  cudnnActivationDescriptor_t activation) {
  if (ops == CUDNN_BATCHNORM_OPS_BN) return;
  const bool channelsLast = x.strides[1] == 1;
  require(mode == CUDNN_BATCHNORM_SPATIAL_PERSISTENT && x.type == CUDNN_DATA_HALF && channelsLast &&
              x.dims[1] % 4 == 0,
          CUDNN_STATUS_NOT_SUPPORTED,
          "fused batch norm is for halves, channels last in fours, and the persistent mode: " + spell(x));
  require(descriptionOf<Activation>(activation, "activation").mode == CUDNN_ACTIVATION_RELU,
          CUDNN_STATUS_NOT_SUPPORTED, "only ReLU is fused");
}

// A vector of a number a channel, which may be absent.
std::optional<Operand> channelOperand(const TensorSpan& x, const void* data, const char* name) {
  if (!data) return std::nullopt;
  return Operand(channelSpan(x), data, name);
}

void requirePair(const void* a, const void* b, const char* names) {
  require(!a == !b, CUDNN_STATUS_BAD_PARAM, std::string(names) + ": one of two is null");
}

size_t reserveBytesOf(cudnnBatchNormOps_t ops, const TensorSpan& x) {
  return ops == CUDNN_BATCHNORM_OPS_BN ? 0 : static_cast<size_t>((x.count() + 31) / 32) * 4;
}

constexpr size_t workspaceBytesOfEx = 256;

void requireRoom(const void* memory, size_t bytes, size_t needed, const char* name) {
  require(needed == 0 || (bytes >= needed && deviceMemory().covers(memory, needed)), CUDNN_STATUS_BAD_PARAM,
          std::string(name) + " of " + std::to_string(bytes) + " bytes, where " + std::to_string(needed) +
              " of device memory are needed");
}

struct Training {
  Operand x, y;
  std::optional<Operand> z, scale, bias, runningMean, runningVariance, savedMean, savedInverse;
  double alpha, beta, factor, epsilon;
  bool relu;
  void* reserve;
};

void train(const Training& t) {
  for (const Operand* operand : {&t.x, &t.y, &*t.scale, &*t.bias}) operand->check();
  for (const auto* operand : {&t.z, &t.runningMean, &t.runningVariance, &t.savedMean, &t.savedInverse})
    if (*operand) (*operand)->check();
  const Dims& dims = t.x.span.dims;
  const Numbers x = t.x.read(), scale = t.scale->read(), bias = t.bias->read();
  const Statistics s = statisticsOf(x, dims);
  Numbers inverse, y(x.size());
  for (const double variance : s.variance) inverse.push_back(1 / std::sqrt(variance + t.epsilon));
  const Numbers z = t.z ? t.z->read() : Numbers(x.size());
  eachElement(dims, [&](size_t c, size_t i) {
    y[i] = scale[c] * (x[i] - s.mean[c]) * inverse[c] + bias[c] + z[i];
    if (t.relu && !(y[i] > 0)) y[i] = 0;
  });
  if (t.reserve) {
    auto* bits = static_cast<uint32_t*>(t.reserve);
    std::fill_n(bits, (y.size() + 31) / 32, 0u);
    for (size_t i = 0; i < y.size(); ++i) bits[i / 32] |= static_cast<uint32_t>(y[i] > 0) << i % 32;
  }
  t.y.write(y, t.alpha, t.beta);
  const double count = countOf(dims), unbiased = count > 1 ? count / (count - 1) : 1;
  const auto average = [&](const Operand& running, const Numbers& batch, double correction) {
    Numbers values = running.read();
    for (size_t c = 0; c < values.size(); ++c) values[c] += t.factor * (batch[c] * correction - values[c]);
    running.write(values);
  };
  if (t.runningMean) average(*t.runningMean, s.mean, 1);
  if (t.runningVariance) average(*t.runningVariance, s.variance, unbiased);
  if (t.savedMean) t.savedMean->write(s.mean);
  if (t.savedInverse) t.savedInverse->write(inverse);
}

struct Backward {
  Operand x, dy, dx;
  std::optional<Operand> dz, scale, dscale, dbias, savedMean, savedInverse;
  double alphaData, betaData, alphaParameters, betaParameters, epsilon;
  const void* reserve;  // which elements the ReLU let through
};

void goBack(const Backward& b) {
  for (const Operand* operand : {&b.x, &b.dy, &b.dx, &*b.scale, &*b.dscale, &*b.dbias}) operand->check();
  for (const auto* operand : {&b.dz, &b.savedMean, &b.savedInverse})
    if (*operand) (*operand)->check();
  const Dims& dims = b.x.span.dims;
  const auto channels = static_cast<size_t>(dims[1]);
  const Numbers x = b.x.read(), scale = b.scale->read();
  Numbers dy = b.dy.read();
  if (b.reserve) {
    const auto* bits = static_cast<const uint32_t*>(b.reserve);
    for (size_t i = 0; i < dy.size(); ++i)
      if (!(bits[i / 32] >> i % 32 & 1)) dy[i] = 0;
  }
  Numbers mean, inverse;
  if (b.savedMean) {
    mean = b.savedMean->read();
    inverse = b.savedInverse->read();
  } else {
    Statistics s = statisticsOf(x, dims);
    mean = s.mean;
    for (const double variance : s.variance) inverse.push_back(1 / std::sqrt(variance + b.epsilon));
  }
  Numbers dscale(channels), dbias(channels), dx(x.size());
  eachElement(dims, [&](size_t c, size_t i) {
    dscale[c] += dy[i] * (x[i] - mean[c]) * inverse[c];
    dbias[c] += dy[i];
  });
  const double count = countOf(dims);
  eachElement(dims, [&](size_t c, size_t i) {
    const double normal = (x[i] - mean[c]) * inverse[c];
    dx[i] = scale[c] * inverse[c] * (dy[i] - dbias[c] / count - normal * dscale[c] / count);
  });
  if (b.dz) b.dz->write(dy);
  b.dx.write(dx, b.alphaData, b.betaData);
  b.dscale->write(dscale, b.alphaParameters, b.betaParameters);
  b.dbias->write(dbias, b.alphaParameters, b.betaParameters);
}

}  // namespace
}  // namespace cudasim

using namespace cudasim;

extern "C" {

cudnnStatus_t cudnnDeriveBNTensorDescriptor(cudnnTensorDescriptor_t derived,
                                            const cudnnTensorDescriptor_t xDesc, cudnnBatchNormMode_t mode) {
  CUDASIM_ENTER(cudnnDeriveBNTensorDescriptor, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnDeriveBNTensorDescriptor", [&] {
    requireSpatial(mode, spanOf(xDesc, "x"), 1);
    setSpan(derived, channelSpan(spanOf(xDesc, "x")));
  });
}

cudnnStatus_t cudnnBatchNormalizationForwardInference(cudnnHandle_t handle, cudnnBatchNormMode_t mode,
                                                      const void* alpha, const void* beta,
                                                      const cudnnTensorDescriptor_t xDesc, const void* x,
                                                      const cudnnTensorDescriptor_t yDesc, void* y,
                                                      const cudnnTensorDescriptor_t channelDesc,
                                                      const void* scale, const void* bias, const void* mean,
                                                      const void* variance, double epsilon) {
  CUDASIM_ENTER(cudnnBatchNormalizationForwardInference, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnBatchNormalizationForwardInference", [&] {
    const Operand from(xDesc, x, "x"), to(yDesc, y, "y");
    requireSameShape(from, to);
    requireSpatial(mode, from.span, epsilon);
    requireChannels(channelDesc, from.span);
    const TensorSpan channels = channelSpan(from.span);
    const Operand factors(channels, scale, "scale"), shifts(channels, bias, "bias"),
        means(channels, mean, "mean"), variances(channels, variance, "variance");
    const double a = scalarOf(alpha, to.span, "alpha"), b = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnBatchNormalizationForwardInference", [=] {
      for (const Operand* operand : {&from, &to, &factors, &shifts, &means, &variances}) operand->check();
      Numbers values = from.read();
      const Numbers g = factors.read(), h = shifts.read(), m = means.read(), v = variances.read();
      eachElement(from.span.dims, [&](size_t c, size_t i) {
        values[i] = g[c] * (values[i] - m[c]) / std::sqrt(v[c] + epsilon) + h[c];
      });
      to.write(std::move(values), a, b);
    });
  });
}

cudnnStatus_t cudnnBatchNormalizationForwardTrainingEx(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, cudnnBatchNormOps_t ops, const void* alpha,
    const void* beta, const cudnnTensorDescriptor_t xDesc, const void* x, const cudnnTensorDescriptor_t zDesc,
    const void* z, const cudnnTensorDescriptor_t yDesc, void* y, const cudnnTensorDescriptor_t channelDesc,
    const void* scale, const void* bias, double momentum, void* runningMean, void* runningVariance,
    double epsilon, void* savedMean, void* savedInverseDeviation, cudnnActivationDescriptor_t activation,
    void* workspace, size_t workspaceBytes, void* reserve, size_t reserveBytes) {
  CUDASIM_ENTER(cudnnBatchNormalizationForwardTrainingEx, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnBatchNormalizationForwardTrainingEx", [&] {
    const Operand from(xDesc, x, "x"), to(yDesc, y, "y");
    requireSameShape(from, to);
    requireSpatial(mode, from.span, epsilon);
    requireChannels(channelDesc, from.span);
    requireFused(mode, ops, from.span, activation);
    requirePair(runningMean, runningVariance, "running statistics");
    requirePair(savedMean, savedInverseDeviation, "saved statistics");
    requireRoom(workspace, workspaceBytes, workspaceBytesOfEx, "workspace");
    requireRoom(reserve, reserveBytes, reserveBytesOf(ops, from.span), "reserve space");
    const TensorSpan& span = from.span;
    std::optional<Operand> sum;
    if (ops == CUDNN_BATCHNORM_OPS_BN_ADD_ACTIVATION) sum = Operand(zDesc, z, "z");
    const bool fused = ops != CUDNN_BATCHNORM_OPS_BN;
    const Training training{from,
                            to,
                            sum,
                            Operand(channelSpan(span), scale, "scale"),
                            Operand(channelSpan(span), bias, "bias"),
                            channelOperand(span, runningMean, "running mean"),
                            channelOperand(span, runningVariance, "running variance"),
                            channelOperand(span, savedMean, "saved mean"),
                            channelOperand(span, savedInverseDeviation, "saved inverse deviation"),
                            scalarOf(alpha, span, "alpha"),
                            scalarOf(beta, span, "beta"),
                            momentum,
                            epsilon,
                            fused,
                            fused ? reserve : nullptr};
    enqueueFor(handle, "cudnnBatchNormalizationForwardTrainingEx", [training] { train(training); });
  });
}

cudnnStatus_t cudnnBatchNormalizationForwardTraining(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void* alpha, const void* beta,
    const cudnnTensorDescriptor_t xDesc, const void* x, const cudnnTensorDescriptor_t yDesc, void* y,
    const cudnnTensorDescriptor_t channelDesc, const void* scale, const void* bias, double momentum,
    void* runningMean, void* runningVariance, double epsilon, void* savedMean, void* savedInverseDeviation) {
  CUDASIM_ENTER(cudnnBatchNormalizationForwardTraining, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnBatchNormalizationForwardTraining", [&] {
    const Operand from(xDesc, x, "x"), to(yDesc, y, "y");
    const TensorSpan& span = from.span;
    requireSameShape(from, to);
    requireSpatial(mode, span, epsilon);
    requireChannels(channelDesc, span);
    requirePair(runningMean, runningVariance, "running statistics");
    requirePair(savedMean, savedInverseDeviation, "saved statistics");
    const Training training{from,
                            to,
                            std::nullopt,
                            Operand(channelSpan(span), scale, "scale"),
                            Operand(channelSpan(span), bias, "bias"),
                            channelOperand(span, runningMean, "running mean"),
                            channelOperand(span, runningVariance, "running variance"),
                            channelOperand(span, savedMean, "saved mean"),
                            channelOperand(span, savedInverseDeviation, "saved inverse deviation"),
                            scalarOf(alpha, span, "alpha"),
                            scalarOf(beta, span, "beta"),
                            momentum,
                            epsilon,
                            false,
                            nullptr};
    enqueueFor(handle, "cudnnBatchNormalizationForwardTraining", [training] { train(training); });
  });
}

cudnnStatus_t cudnnBatchNormalizationBackwardEx(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, cudnnBatchNormOps_t ops, const void* alphaData,
    const void* betaData, const void* alphaParameters, const void* betaParameters,
    const cudnnTensorDescriptor_t xDesc, const void* x, const cudnnTensorDescriptor_t, const void*,
    const cudnnTensorDescriptor_t dyDesc, const void* dy, const cudnnTensorDescriptor_t dzDesc, void* dz,
    const cudnnTensorDescriptor_t dxDesc, void* dx, const cudnnTensorDescriptor_t channelDesc,
    const void* scale, const void*, void* dscale, void* dbias, double epsilon, const void* savedMean,
    const void* savedInverseDeviation, cudnnActivationDescriptor_t activation, void* workspace,
    size_t workspaceBytes, void* reserve, size_t reserveBytes) {
  CUDASIM_ENTER(cudnnBatchNormalizationBackwardEx, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnBatchNormalizationBackwardEx", [&] {
    const Operand from(xDesc, x, "x"), gradient(dyDesc, dy, "dy"), to(dxDesc, dx, "dx");
    const TensorSpan& span = from.span;
    requireSameShape(from, gradient);
    requireSameShape(from, to);
    requireSpatial(mode, span, epsilon);
    requireChannels(channelDesc, span);
    requireFused(mode, ops, span, activation);
    requirePair(savedMean, savedInverseDeviation, "saved statistics");
    requireRoom(workspace, workspaceBytes, workspaceBytesOfEx, "workspace");
    requireRoom(reserve, reserveBytes, reserveBytesOf(ops, span), "reserve space");
    std::optional<Operand> sum;
    if (ops == CUDNN_BATCHNORM_OPS_BN_ADD_ACTIVATION) sum = Operand(dzDesc, dz, "dz");
    const TensorSpan channels = channelSpan(span);
    const Backward backward{from,
                            gradient,
                            to,
                            sum,
                            Operand(channels, scale, "scale"),
                            Operand(channels, dscale, "dscale"),
                            Operand(channels, dbias, "dbias"),
                            channelOperand(span, savedMean, "saved mean"),
                            channelOperand(span, savedInverseDeviation, "saved inverse deviation"),
                            scalarOf(alphaData, span, "alpha"),
                            scalarOf(betaData, span, "beta"),
                            scalarOf(alphaParameters, channels, "alpha"),
                            scalarOf(betaParameters, channels, "beta"),
                            epsilon,
                            ops == CUDNN_BATCHNORM_OPS_BN ? nullptr : reserve};
    enqueueFor(handle, "cudnnBatchNormalizationBackwardEx", [backward] { goBack(backward); });
  });
}

cudnnStatus_t cudnnBatchNormalizationBackward(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void* alphaData, const void* betaData,
    const void* alphaParameters, const void* betaParameters, const cudnnTensorDescriptor_t xDesc,
    const void* x, const cudnnTensorDescriptor_t dyDesc, const void* dy, const cudnnTensorDescriptor_t dxDesc,
    void* dx, const cudnnTensorDescriptor_t channelDesc, const void* scale, void* dscale, void* dbias,
    double epsilon, const void* savedMean, const void* savedInverseDeviation) {
  CUDASIM_ENTER(cudnnBatchNormalizationBackward, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnBatchNormalizationBackward", [&] {
    const Operand from(xDesc, x, "x"), gradient(dyDesc, dy, "dy"), to(dxDesc, dx, "dx");
    const TensorSpan& span = from.span;
    requireSameShape(from, gradient);
    requireSameShape(from, to);
    requireSpatial(mode, span, epsilon);
    requireChannels(channelDesc, span);
    requirePair(savedMean, savedInverseDeviation, "saved statistics");
    const TensorSpan channels = channelSpan(span);
    const Backward backward{from,
                            gradient,
                            to,
                            std::nullopt,
                            Operand(channels, scale, "scale"),
                            Operand(channels, dscale, "dscale"),
                            Operand(channels, dbias, "dbias"),
                            channelOperand(span, savedMean, "saved mean"),
                            channelOperand(span, savedInverseDeviation, "saved inverse deviation"),
                            scalarOf(alphaData, span, "alpha"),
                            scalarOf(betaData, span, "beta"),
                            scalarOf(alphaParameters, channels, "alpha"),
                            scalarOf(betaParameters, channels, "beta"),
                            epsilon,
                            nullptr};
    enqueueFor(handle, "cudnnBatchNormalizationBackward", [backward] { goBack(backward); });
  });
}

cudnnStatus_t cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, cudnnBatchNormOps_t ops,
    const cudnnTensorDescriptor_t xDesc, const cudnnTensorDescriptor_t, const cudnnTensorDescriptor_t,
    const cudnnTensorDescriptor_t, const cudnnActivationDescriptor_t activation, size_t* bytes) {
  CUDASIM_ENTER(cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize", [&] {
    cudnnHandle(handle);
    requireFused(mode, ops, spanOf(xDesc, "x"), activation);
    *bytes = workspaceBytesOfEx;
  });
}

cudnnStatus_t cudnnGetBatchNormalizationBackwardExWorkspaceSize(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, cudnnBatchNormOps_t ops,
    const cudnnTensorDescriptor_t xDesc, const cudnnTensorDescriptor_t, const cudnnTensorDescriptor_t,
    const cudnnTensorDescriptor_t, const cudnnTensorDescriptor_t, const cudnnTensorDescriptor_t,
    const cudnnActivationDescriptor_t activation, size_t* bytes) {
  CUDASIM_ENTER(cudnnGetBatchNormalizationBackwardExWorkspaceSize, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnGetBatchNormalizationBackwardExWorkspaceSize", [&] {
    cudnnHandle(handle);
    requireFused(mode, ops, spanOf(xDesc, "x"), activation);
    *bytes = workspaceBytesOfEx;
  });
}

cudnnStatus_t cudnnGetBatchNormalizationTrainingExReserveSpaceSize(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, cudnnBatchNormOps_t ops,
    const cudnnActivationDescriptor_t activation, const cudnnTensorDescriptor_t xDesc, size_t* bytes) {
  CUDASIM_ENTER(cudnnGetBatchNormalizationTrainingExReserveSpaceSize, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnGetBatchNormalizationTrainingExReserveSpaceSize", [&] {
    cudnnHandle(handle);
    requireFused(mode, ops, spanOf(xDesc, "x"), activation);
    *bytes = reserveBytesOf(ops, spanOf(xDesc, "x"));
  });
}

}  // extern "C"

#pragma once
#include <array>
#include <string>
#include <variant>
#include <vector>

#include "types.h"

// Every instruction of a plan and its attributes: the one native declaration. `visit` lists the fields; the
// plan reader, the schema that JavaScript compares with its own (ts/graph/schema.ts) and printing use it.
namespace fovea::ops {

using Pair = std::array<int64_t, 2>;   // height, width
using Edges = std::array<int64_t, 4>;  // top, left, bottom, right

enum class Activation { none, relu };
enum class PoolingKind { max, average };
// relu: max(x, 0); sigmoid; tanh: alpha * tanh(beta * x); linear: alpha * x + beta
enum class ElementwiseKind { relu, sigmoid, tanh, linear };

template <class E>
struct EnumNames;
template <>
struct EnumNames<Activation> {
  static constexpr std::array<const char*, 2> values{"none", "relu"};
};
template <>
struct EnumNames<PoolingKind> {
  static constexpr std::array<const char*, 2> values{"max", "average"};
};
template <>
struct EnumNames<ElementwiseKind> {
  static constexpr std::array<const char*, 4> values{"relu", "sigmoid", "tanh", "linear"};
};

struct NoAttributes {
  template <class V>
  void visit(V&&) {}
};

struct ConvolutionGeometry {
  Pair stride{1, 1};
  Edges padding{};
  Pair dilation{1, 1};  // 1 is dense, as in PyTorch
  int64_t groups = 1;
  template <class V>
  void visit(V&& v) {
    v("stride", stride), v("padding", padding), v("dilation", dilation), v("groups", groups);
  }
};

// x [N,C,H,W], weight [O,C/groups,kh,kw], bias [O]?, residual (as y)? -> y = act(conv(x) + bias + residual)
struct Convolution : ConvolutionGeometry {
  static constexpr const char* name = "convolution";
  Activation activation = Activation::none;
  template <class V>
  void visit(V&& v) {
    ConvolutionGeometry::visit(v), v("activation", activation);
  }
};
// dy, weight -> dx
struct ConvolutionBackwardData : ConvolutionGeometry {
  static constexpr const char* name = "convolutionBackwardData";
};
// x, dy -> dweight, dbias?
struct ConvolutionBackwardWeights : ConvolutionGeometry {
  static constexpr const char* name = "convolutionBackwardWeights";
};

// x -> y, workspace? (opaque; asked for by programs with a backward half). The bottom and right padding may
// reach past what the window covers, which is how a rounded-up output size is spelt.
struct Pooling {
  static constexpr const char* name = "pooling";
  PoolingKind kind = PoolingKind::max;
  Pair kernel{1, 1}, stride{1, 1};
  Edges padding{};
  bool countPadding = false;  // average: whether padding counts in the divisor
  template <class V>
  void visit(V&& v) {
    v("kind", kind), v("kernel", kernel), v("stride", stride), v("padding", padding),
        v("countPadding", countPadding);
  }
};
// dy, workspace? -> dx
struct PoolingBackward : Pooling {
  static constexpr const char* name = "poolingBackward";
};
// x [N,C,H,W] -> y [N,C,h,w]; bin i covers floor(i*H/h) to ceil((i+1)*H/h), as in PyTorch
struct AdaptiveAveragePooling : NoAttributes {
  static constexpr const char* name = "adaptiveAveragePooling";
};
// dy -> dx
struct AdaptiveAveragePoolingBackward : NoAttributes {
  static constexpr const char* name = "adaptiveAveragePoolingBackward";
};

// x, gamma, beta, mean, variance -> act(gamma * (x - mean) / sqrt(variance + eps) + beta)
struct BatchNorm {
  static constexpr const char* name = "batchNorm";
  double eps = 1e-5;
  Activation activation = Activation::none;
  template <class V>
  void visit(V&& v) {
    v("eps", eps), v("activation", activation);
  }
};
// x, gamma, beta, running mean, running variance -> y, mean, variance (of this batch, biased), running mean,
// running variance (in place, the variance unbiased: (1 - momentum) * running + momentum * batch)
struct BatchNormTraining {
  static constexpr const char* name = "batchNormTraining";
  double eps = 1e-5, momentum = 0.1;
  Activation activation = Activation::none;
  template <class V>
  void visit(V&& v) {
    v("eps", eps), v("momentum", momentum), v("activation", activation);
  }
};
// x, dy, gamma, beta, mean, variance -> dx, dgamma?, dbeta?. `activation` is what stands behind the norm;
// with `runningStatistics`, mean and variance were constants and not the batch's own.
struct BatchNormBackward {
  static constexpr const char* name = "batchNormBackward";
  double eps = 1e-5;
  Activation activation = Activation::none;
  bool runningStatistics = false;
  template <class V>
  void visit(V&& v) {
    v("eps", eps), v("activation", activation), v("runningStatistics", runningStatistics);
  }
};
// weight, bias?, gamma, beta, mean, variance -> weight', bias' of the convolution that includes the norm
struct FoldBatchNorm {
  static constexpr const char* name = "foldBatchNorm";
  double eps = 1e-5;
  template <class V>
  void visit(V&& v) {
    v("eps", eps);
  }
};
// Across channels, x / (k + alpha / size * sum of squares)^beta: alpha is divided by size, as in PyTorch
// and Caffe and unlike the AlexNet paper. x -> y, workspace? (opaque; in programs with a backward half)
struct LocalResponseNorm {
  static constexpr const char* name = "localResponseNorm";
  int64_t size = 5;
  double alpha = 1e-4, beta = 0.75, k = 1;
  template <class V>
  void visit(V&& v) {
    v("size", size), v("alpha", alpha), v("beta", beta), v("k", k);
  }
};
// x, dy, workspace -> dx
struct LocalResponseNormBackward : LocalResponseNorm {
  static constexpr const char* name = "localResponseNormBackward";
};

// x [N,...] seen as [N,I], weight [O,I], bias [O]? -> act(x weight^T + bias) [N,O]
struct Linear {
  static constexpr const char* name = "linear";
  Activation activation = Activation::none;
  template <class V>
  void visit(V&& v) {
    v("activation", activation);
  }
};
// dy, weight -> dx
struct LinearBackwardData : NoAttributes {
  static constexpr const char* name = "linearBackwardData";
};
// x, dy -> dweight, dbias?
struct LinearBackwardWeights : NoAttributes {
  static constexpr const char* name = "linearBackwardWeights";
};

struct Elementwise {
  static constexpr const char* name = "elementwise";
  ElementwiseKind kind = ElementwiseKind::relu;
  double alpha = 1, beta = 1;
  template <class V>
  void visit(V&& v) {
    v("kind", kind), v("alpha", alpha), v("beta", beta);
  }
};
// dy, y (the forward result; absent for linear) -> dx
struct ElementwiseBackward : Elementwise {
  static constexpr const char* name = "elementwiseBackward";
};
// a, b of one shape -> act(a + b)
struct Add {
  static constexpr const char* name = "add";
  Activation activation = Activation::none;
  template <class V>
  void visit(V&& v) {
    v("activation", activation);
  }
};
// x, coefficient [C], bias [C]? -> x * coefficient + bias, a channel at a time
struct ScaleChannels : NoAttributes {
  static constexpr const char* name = "scaleChannels";
};
// x, coefficient, dy -> dx, dcoefficient, dbias?
struct ScaleChannelsBackward : NoAttributes {
  static constexpr const char* name = "scaleChannelsBackward";
};
// over axis 1
struct Softmax {
  static constexpr const char* name = "softmax";
  bool log = false;
  template <class V>
  void visit(V&& v) {
    v("log", log);
  }
};
// dy, y -> dx
struct SoftmaxBackward : Softmax {
  static constexpr const char* name = "softmaxBackward";
};
// x, random i32 [4] (seed low, seed high, step low, step high) -> y: zero with probability p, else x / (1 -
// p). Element i, in row-major order, is kept where word i % 4 of Philox4x32-10, with counter (i / 4, stream,
// step low, step high) and key (seed low, seed high), is at least p * 2^32. The backward half is the same on
// dy.
struct Dropout {
  static constexpr const char* name = "dropout";
  double p = 0.5;
  int64_t stream = 0;  // tells the layers apart
  template <class V>
  void visit(V&& v) {
    v("p", p), v("stream", stream);
  }
};
// x [N,I], centres [O,I] -> squared Euclidean distances [N,O] (LeCun et al. 1998, equation 7)
struct RadialBasis : NoAttributes {
  static constexpr const char* name = "radialBasis";
};
// x, centres, dy -> dx, dcentres?
struct RadialBasisBackward : NoAttributes {
  static constexpr const char* name = "radialBasisBackward";
};

// along axis 1
struct Concat : NoAttributes {
  static constexpr const char* name = "concat";
};
// y = x[:, start : start + C of y]
struct Slice {
  static constexpr const char* name = "slice";
  int64_t start = 0;
  template <class V>
  void visit(V&& v) {
    v("start", start);
  }
};
// dy -> dx, zero outside the slice
struct SliceBackward : Slice {
  static constexpr const char* name = "sliceBackward";
};
// y = x[:, :, ::stride, ::stride] with `before` channels of zeros before it and as many behind as y has room
// for
struct SubsamplePad {
  static constexpr const char* name = "subsamplePad";
  int64_t stride = 1, before = 0;
  template <class V>
  void visit(V&& v) {
    v("stride", stride), v("before", before);
  }
};
// dy -> dx
struct SubsamplePadBackward : SubsamplePad {
  static constexpr const char* name = "subsamplePadBackward";
};
struct Pad {
  static constexpr const char* name = "pad";
  Edges padding{};
  double value = 0;
  template <class V>
  void visit(V&& v) {
    v("padding", padding), v("value", value);
  }
};
// dy -> dx: the inner part
struct PadBackward : Pad {
  static constexpr const char* name = "padBackward";
};
// same elements in row-major order, another shape
struct Reshape : NoAttributes {
  static constexpr const char* name = "reshape";
};
// uint8 [N,H,W,C] -> f32 [N,C,H,W]: y[c] = x[order[c]] * scale[c] + bias[c]
struct NormalizeImage {
  static constexpr const char* name = "normalizeImage";
  std::vector<double> scale, bias;
  std::vector<int64_t> order;
  template <class V>
  void visit(V&& v) {
    v("scale", scale), v("bias", bias), v("order", order);
  }
};
// x [R, ...] -> y of zeros with y[indices[r]] = x[r]: a row is the trailing dimensions of x behind its first,
// and y is seen as rows of that size
struct ScatterRows {
  static constexpr const char* name = "scatterRows";
  std::vector<int64_t> indices;
  template <class V>
  void visit(V&& v) {
    v("indices", indices);
  }
};
// x -> y with y[r] = x[indices[r]]
struct GatherRows {
  static constexpr const char* name = "gatherRows";
  std::vector<int64_t> indices;
  template <class V>
  void visit(V&& v) {
    v("indices", indices);
  }
};

// Eight-bit inference. A tensor of 8 bits stands for its integers (u8, or s8 from -127) times a scale that
// the plan knows from calibration; products are summed in 32 bits.

// x f32 -> u8 or s8: x / scale, to the nearest, ties to even, and to the nearest that there is
struct Quantize {
  static constexpr const char* name = "quantize";
  double scale = 1;
  template <class V>
  void visit(V&& v) {
    v("scale", scale);
  }
};
// x u8 or s8 -> f32: x * scale
struct Dequantize : Quantize {
  static constexpr const char* name = "dequantize";
};
// weight f32 [O,...], bias f32 [O]? -> weight s8 (perhaps of another shape: as many elements an output),
// factor f32 [O], bias f32 [O] for a quantizedConvolution of x at `inputScale` to y at `outputScale`. An
// output's weights are divided by their largest magnitude / 127.
struct QuantizeWeights {
  static constexpr const char* name = "quantizeWeights";
  double inputScale = 1, outputScale = 1;
  template <class V>
  void visit(V&& v) {
    v("inputScale", inputScale), v("outputScale", outputScale);
  }
};
// x u8 or s8, weight s8, factor [O], bias [O], residual (u8 or s8 where y is, else f32)?
// -> y = act(factor * (conv(x) + bias) + residualFactor * residual), u8 or s8 (as `quantize`) or f32
struct QuantizedConvolution : Convolution {
  static constexpr const char* name = "quantizedConvolution";
  double residualFactor = 1;
  template <class V>
  void visit(V&& v) {
    Convolution::visit(v), v("residualFactor", residualFactor);
  }
};

// Losses: the mean over N times `weight`, and its gradient. A label may be a class, i32 [N], or a
// distribution over classes, f32 [N,K].

// logits [N,K], labels -> loss [1], dlogits
struct SoftmaxCrossEntropy {
  static constexpr const char* name = "softmaxCrossEntropy";
  double labelSmoothing = 0, weight = 1;
  template <class V>
  void visit(V&& v) {
    v("labelSmoothing", labelSmoothing), v("weight", weight);
  }
};
// y, target f32 (as y) -> loss [1] (the mean over all elements, as PyTorch's), dy
struct MeanSquaredError {
  static constexpr const char* name = "meanSquaredError";
  double weight = 1;
  template <class V>
  void visit(V&& v) {
    v("weight", weight);
  }
};
// distances [N,K], labels i32 [N] -> loss [1], dy: distance of the right class + log(e^-j + sum of
// e^-distance) (LeCun et al. 1998, equation 9; the sum is over all classes)
struct RadialBasisLoss {
  static constexpr const char* name = "radialBasisLoss";
  double j = 0.1, weight = 1;
  template <class V>
  void visit(V&& v) {
    v("j", j), v("weight", weight);
  }
};

// Optimizers. All read `scalars`, f32 [4]: the learning rate, a factor for gradients (the inverse of how many
// batches were accumulated), and Adam's two bias corrections 1 / (1 - beta^step). All read `norm`, f32 [1],
// the l2 norm of all gradients before that factor: where it is not finite, nothing is changed; where
// `maxNorm` is not 0, gradients are scaled by min(1, maxNorm / (factor * norm + 1e-6)). All updates are in
// place.
struct Optimizer {
  double lrScale = 1, weightDecay = 0, maxNorm = 0;
  template <class V>
  void visit(V&& v) {
    v("lrScale", lrScale), v("weightDecay", weightDecay), v("maxNorm", maxNorm);
  }
};
// parameter, gradient, scalars, norm, velocity? -> parameter, velocity?
// PyTorch's: g += weightDecay * p; v = momentum * v + g; p -= lr * (nesterov ? g + momentum * v : v)
struct Sgd : Optimizer {
  static constexpr const char* name = "sgd";
  double momentum = 0;
  bool nesterov = false;
  template <class V>
  void visit(V&& v) {
    Optimizer::visit(v), v("momentum", momentum), v("nesterov", nesterov);
  }
};
// parameter, gradient, scalars, norm, square, velocity? -> parameter, square, velocity?
// g += weightDecay * p; s = decay * s + (1 - decay) * g^2; then PyTorch: u = g / (sqrt(s) + eps),
// TensorFlow (`epsInsideRoot`): u = g / sqrt(s + eps); without momentum p -= lr * u; with momentum PyTorch:
// v = momentum * v + u, p -= lr * v, TensorFlow: v = momentum * v + lr * u, p -= v
struct RmsProp : Optimizer {
  static constexpr const char* name = "rmsProp";
  double decay = 0.9, eps = 1e-8, momentum = 0;
  bool epsInsideRoot = false;
  template <class V>
  void visit(V&& v) {
    Optimizer::visit(v), v("decay", decay), v("eps", eps), v("momentum", momentum),
        v("epsInsideRoot", epsInsideRoot);
  }
};
// parameter, gradient, scalars, norm, mean, square -> parameter, mean, square
// PyTorch's Adam (weight decay added to the gradient) or, `decoupled`, AdamW (p -= lr * weightDecay * p
// first)
struct Adam : Optimizer {
  static constexpr const char* name = "adam";
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  bool decoupled = false;
  template <class V>
  void visit(V&& v) {
    Optimizer::visit(v), v("beta1", beta1), v("beta2", beta2), v("eps", eps), v("decoupled", decoupled);
  }
};
// Dynamic loss scaling, for gradients that f16 would round to zero. `lossScale`, f32 [2], is what multiplies
// the gradients, and how many updates in a row they have been finite.
// dy, lossScale -> dy times the scale
struct ScaleGradient : NoAttributes {
  static constexpr const char* name = "scaleGradient";
};
// scalars, norm, lossScale -> scalars with a factor that takes the scale out of gradients, the norm without
// it, lossScale (in place). Where the norm is not finite, the scale is halved for the next step; it is
// doubled after `interval` updates in a row.
struct UnscaleGradients {
  static constexpr const char* name = "unscaleGradients";
  int64_t interval = 2000;
  template <class V>
  void visit(V&& v) {
    v("interval", interval);
  }
};
// any number of gradients -> their joint l2 norm [1]; not finite where any element is not
struct GradientNorm : NoAttributes {
  static constexpr const char* name = "gradientNorm";
};
// sum, gradient -> sum + gradient (in place)
struct Accumulate : NoAttributes {
  static constexpr const char* name = "accumulate";
};
// x -> zeros (in place)
struct Clear : NoAttributes {
  static constexpr const char* name = "clear";
};
// average, parameter -> decay * average + (1 - decay) * parameter (in place)
struct MovingAverage {
  static constexpr const char* name = "movingAverage";
  double decay = 0.9999;
  template <class V>
  void visit(V&& v) {
    v("decay", decay);
  }
};

using Any =
    std::variant<Convolution, ConvolutionBackwardData, ConvolutionBackwardWeights, Pooling, PoolingBackward,
                 AdaptiveAveragePooling, AdaptiveAveragePoolingBackward, BatchNorm, BatchNormTraining,
                 BatchNormBackward, FoldBatchNorm, LocalResponseNorm, LocalResponseNormBackward, Linear,
                 LinearBackwardData, LinearBackwardWeights, Elementwise, ElementwiseBackward, Add,
                 ScaleChannels, ScaleChannelsBackward, Softmax, SoftmaxBackward, Dropout, RadialBasis,
                 RadialBasisBackward, Concat, Slice, SliceBackward, SubsamplePad, SubsamplePadBackward, Pad,
                 PadBackward, Reshape, NormalizeImage, ScatterRows, GatherRows, Quantize, Dequantize,
                 QuantizeWeights, QuantizedConvolution, SoftmaxCrossEntropy, MeanSquaredError,
                 RadialBasisLoss, Sgd, RmsProp, Adam, ScaleGradient, UnscaleGradients, GradientNorm,
                 Accumulate, Clear, MovingAverage>;

}  // namespace fovea::ops

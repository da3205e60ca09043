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
// and Caffe and unlike the AlexNet paper.
struct LocalResponseNorm {
  static constexpr const char* name = "localResponseNorm";
  int64_t size = 5;
  double alpha = 1e-4, beta = 0.75, k = 1;
  template <class V>
  void visit(V&& v) {
    v("size", size), v("alpha", alpha), v("beta", beta), v("k", k);
  }
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
struct Pad {
  static constexpr const char* name = "pad";
  Edges padding{};
  double value = 0;
  template <class V>
  void visit(V&& v) {
    v("padding", padding), v("value", value);
  }
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

// logits [N,K], labels i32 [N] -> loss [1] (mean over N), dlogits [N,K] (of that mean)
struct SoftmaxCrossEntropy {
  static constexpr const char* name = "softmaxCrossEntropy";
  double labelSmoothing = 0;
  template <class V>
  void visit(V&& v) {
    v("labelSmoothing", labelSmoothing);
  }
};

// parameter, gradient, velocity?, scalars f32 [learning rate] -> parameter, velocity? (in place)
// PyTorch's: g += weightDecay * p; v = momentum * v + g; p -= lr * (nesterov ? g + momentum * v : v)
struct Sgd {
  static constexpr const char* name = "sgd";
  double momentum = 0, weightDecay = 0;
  bool nesterov = false;
  template <class V>
  void visit(V&& v) {
    v("momentum", momentum), v("weightDecay", weightDecay), v("nesterov", nesterov);
  }
};

using Any = std::variant<Convolution, ConvolutionBackwardData, ConvolutionBackwardWeights, Pooling,
                         PoolingBackward, AdaptiveAveragePooling, BatchNorm, FoldBatchNorm, LocalResponseNorm,
                         Linear, LinearBackwardData, LinearBackwardWeights, Elementwise, ElementwiseBackward,
                         Add, ScaleChannels, ScaleChannelsBackward, Softmax, Concat, Slice, SubsamplePad, Pad,
                         Reshape, NormalizeImage, ScatterRows, GatherRows, SoftmaxCrossEntropy, Sgd>;

}  // namespace fovea::ops

#include "graph_operations.h"

#include <algorithm>
#include <cmath>

namespace cudasim {
namespace {

GraphTensorPtr tensorOf(const Descriptor& d, cudnnBackendAttributeName_t name) {
  const DescriptorPtr child = d.child(name);
  return child ? std::static_pointer_cast<const GraphTensor>(child->meaning) : nullptr;
}

struct Convolution : Finalized {
  cudnnDataType_t compute;
  cudnnConvolutionMode_t mode;
  Dims strides, dilations, before, after;
};

struct Pointwise : Finalized {
  cudnnPointwiseMode_t mode;
  double lower, upper, slope;
};

bool isComputeType(cudnnDataType_t type) {
  return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_DOUBLE || type == CUDNN_DATA_HALF;
}

// Checks that x, w and y meet, and says how.
ConvolutionShape shapeOf(const Convolution& c, const GraphTensor& x, const GraphTensor& w,
                         const GraphTensor& y) {
  const Dims &xDims = x.span.dims, &wDims = w.span.dims, &yDims = y.span.dims;
  const std::string all = "x " + spell(xDims) + ", w " + spell(wDims) + ", y " + spell(yDims) + ", strides " +
                          spell(c.strides) + ", dilations " + spell(c.dilations) + ", paddings " +
                          spell(c.before) + " and " + spell(c.after);
  const size_t rank = c.strides.size() + 2;
  require(xDims.size() == rank && wDims.size() == rank && yDims.size() == rank,
          CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "ranks that are not " + std::to_string(rank) + ": " + all);
  require(rank == 4, CUDNN_STATUS_NOT_SUPPORTED, "only two-dimensional convolutions are simulated");
  require(xDims[1] % wDims[1] == 0 && wDims[0] % (xDims[1] / wDims[1]) == 0 && yDims[0] == xDims[0] &&
              yDims[1] == wDims[0],
          CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, all);
  for (size_t i = 0; i < 2; ++i) {
    const int64_t reach = (wDims[i + 2] - 1) * c.dilations[i] + 1;
    const int64_t out = (xDims[i + 2] + c.before[i] + c.after[i] - reach) / c.strides[i] + 1;
    require(xDims[i + 2] + c.before[i] + c.after[i] >= reach && yDims[i + 2] == out,
            CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH,
            "an extent of y should be " + std::to_string(out) + ": " + all);
  }
  require(isFloating(x.span.type) && x.span.type == w.span.type, CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE,
          "types of x and w");
  const int64_t groups = xDims[1] / wDims[1];
  return {xDims[0],
          groups,
          wDims[1],
          wDims[0] / groups,
          xDims[2],
          xDims[3],
          yDims[2],
          yDims[3],
          wDims[2],
          wDims[3],
          {c.strides[0], c.strides[1]},
          {c.before[0], c.before[1]},
          {c.dilations[0], c.dilations[1]},
          c.mode == CUDNN_CONVOLUTION};
}

struct ConvolutionNames {
  Operation::Kind kind;
  cudnnBackendAttributeName_t description, x, w, y, alpha, beta;
};

std::shared_ptr<Operation> convolutionOperation(const Descriptor& d, const ConvolutionNames& names) {
  auto operation = std::make_shared<Operation>();
  const auto& convolution = d.child(names.description)->as<Convolution>();
  const auto x = tensorOf(d, names.x), w = tensorOf(d, names.w), y = tensorOf(d, names.y);
  const ConvolutionShape shape = shapeOf(convolution, *x, *w, *y);
  operation->kind = names.kind;
  operation->computeType = convolution.compute;
  operation->alpha = d.number(names.alpha, 1);
  operation->beta = d.number(names.beta, 0);
  operation->unitStride3x3 = shape.kernelHeight == 3 && shape.kernelWidth == 3 && shape.stride[0] == 1 &&
                             shape.stride[1] == 1 && shape.dilation[0] == 1 && shape.dilation[1] == 1;
  using Arrays = const std::vector<std::vector<double>>&;
  switch (names.kind) {
    case Operation::Kind::convolution:
      operation->inputs = {x, w};
      operation->output = y;
      operation->compute = [shape](Arrays in) { return convolve(shape, in[0], in[1]); };
      break;
    case Operation::Kind::backwardData:
      operation->inputs = {w, y};
      operation->output = x;
      operation->compute = [shape](Arrays in) { return convolveBackData(shape, in[0], in[1]); };
      break;
    default:
      operation->inputs = {x, y};
      operation->output = w;
      operation->compute = [shape](Arrays in) { return convolveBackFilter(shape, in[0], in[1]); };
  }
  return operation;
}

bool isBackward(cudnnPointwiseMode_t mode) { return mode >= CUDNN_POINTWISE_RELU_BWD; }

bool isBinary(cudnnPointwiseMode_t mode) {
  switch (mode) {
    case CUDNN_POINTWISE_ADD:
    case CUDNN_POINTWISE_MUL:
    case CUDNN_POINTWISE_MIN:
    case CUDNN_POINTWISE_MAX:
    case CUDNN_POINTWISE_DIV:
    case CUDNN_POINTWISE_SUB:
      return true;
    default:
      return false;
  }
}

// `b` is the second operand, or, backward, dy.
double apply(const Pointwise& p, double x, double b) {
  switch (p.mode) {
    case CUDNN_POINTWISE_ADD:
      return x + b;
    case CUDNN_POINTWISE_MUL:
      return x * b;
    case CUDNN_POINTWISE_MIN:
      return std::min(x, b);
    case CUDNN_POINTWISE_MAX:
      return std::max(x, b);
    case CUDNN_POINTWISE_SQRT:
      return std::sqrt(x);
    case CUDNN_POINTWISE_DIV:
      return x / b;
    case CUDNN_POINTWISE_SUB:
      return x - b;
    case CUDNN_POINTWISE_RSQRT:
      return 1 / std::sqrt(x);
    case CUDNN_POINTWISE_IDENTITY:
      return x;
    case CUDNN_POINTWISE_RELU_FWD:
      return x > p.upper ? p.upper : x > p.lower || std::isnan(x) ? x : p.lower + p.slope * (x - p.lower);
    case CUDNN_POINTWISE_TANH_FWD:
      return std::tanh(x);
    case CUDNN_POINTWISE_SIGMOID_FWD:
      return 1 / (1 + std::exp(-x));
    case CUDNN_POINTWISE_RELU_BWD:
      return x > p.upper ? 0 : x > p.lower ? b : p.slope * b;
    case CUDNN_POINTWISE_TANH_BWD:
      return b * (1 - std::tanh(x) * std::tanh(x));
    case CUDNN_POINTWISE_SIGMOID_BWD: {
      const double y = 1 / (1 + std::exp(-x));
      return b * y * (1 - y);
    }
  }
  return NAN;
}

std::shared_ptr<Operation> pointwiseOperation(const Descriptor& d) {
  auto operation = std::make_shared<Operation>();
  operation->kind = Operation::Kind::pointwise;
  const Pointwise pointwise = d.child(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)->as<Pointwise>();
  const bool backward = isBackward(pointwise.mode), binary = isBinary(pointwise.mode);
  const auto x = tensorOf(d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC);
  const auto b =
      tensorOf(d, backward ? CUDNN_ATTR_OPERATION_POINTWISE_DYDESC : CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
  const auto y =
      tensorOf(d, backward ? CUDNN_ATTR_OPERATION_POINTWISE_DXDESC : CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
  require(y != nullptr, CUDNN_STATUS_BAD_PARAM, "a pointwise operation has no output");
  require((b != nullptr) == (binary || backward), CUDNN_STATUS_BAD_PARAM,
          "pointwise mode " + std::to_string(pointwise.mode) + " has the wrong number of operands");
  for (const auto& input : {x, b})
    require(!input || stretches(input->span.dims, y->span.dims), CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH,
            "pointwise: " + (input ? spell(input->span.dims) : "") + " and " + spell(y->span.dims));
  const double first = d.number(CUDNN_ATTR_OPERATION_POINTWISE_ALPHA1, 1);
  const double second = d.number(CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2, 1);
  operation->inputs = {x};
  if (b) operation->inputs.push_back(b);
  operation->output = y;
  operation->compute = [=](const std::vector<std::vector<double>>& in) {
    std::vector<double> result = stretch(in[0], x->span.dims, y->span.dims);
    const std::vector<double> other = b ? stretch(in[1], b->span.dims, y->span.dims) : std::vector<double>();
    for (size_t i = 0; i < result.size(); ++i)
      result[i] = apply(pointwise, first * result[i], b ? second * other[i] : 0);
    return result;
  };
  return operation;
}

}  // namespace

std::shared_ptr<const Finalized> finalizeConvolution(const Descriptor& d) {
  auto c = std::make_shared<Convolution>();
  c->compute = d.value(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  c->mode = d.value(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  c->strides = d.values<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
  c->dilations = d.values<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS);
  c->before = d.values<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  c->after = d.values<int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS);
  const auto dims = static_cast<size_t>(d.value<int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 0));
  for (const Dims* list : {&c->strides, &c->dilations, &c->before, &c->after})
    require(list->size() == dims, CUDNN_STATUS_BAD_PARAM,
            "a list of " + std::to_string(list->size()) + " where there are " + std::to_string(dims) +
                " spatial dimensions");
  require(isComputeType(c->compute), CUDNN_STATUS_BAD_PARAM, "compute type " + std::to_string(c->compute));
  for (size_t i = 0; i < dims; ++i)
    require(c->strides[i] > 0 && c->dilations[i] > 0 && c->before[i] >= 0 && c->after[i] >= 0,
            CUDNN_STATUS_BAD_PARAM, "strides and dilations begin at 1, paddings at 0");
  return c;
}

std::shared_ptr<const Finalized> finalizePointwise(const Descriptor& d) {
  auto p = std::make_shared<Pointwise>();
  p->mode = d.value(CUDNN_ATTR_POINTWISE_MODE, CUDNN_POINTWISE_ADD);
  p->lower = d.number(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, 0);
  p->upper = d.number(CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, INFINITY);
  p->slope = d.number(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, 0);
  require(isComputeType(d.value(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_INT8)), CUDNN_STATUS_BAD_PARAM,
          "precision of a pointwise operation");
  return p;
}

std::shared_ptr<const Finalized> finalizeOperation(const Descriptor& d) {
  switch (d.type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
      return convolutionOperation(
          d, {Operation::Kind::convolution, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA});
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
      return convolutionOperation(
          d, {Operation::Kind::backwardData, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA});
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
      return convolutionOperation(
          d,
          {Operation::Kind::backwardFilter, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA});
    default:
      return pointwiseOperation(d);
  }
}

}  // namespace cudasim

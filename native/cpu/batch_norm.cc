#include <cmath>

#include "bf16.h"
#include "families.h"
#include "statistics.h"

namespace fovea::cpu {
namespace {

using dnnl::normalization_flags;

// Features without an image are channels of images of one pixel.
Shape imageShape(const Shape& shape) {
  Shape image = shape;
  image.resize(std::max<size_t>(shape.size(), 4), 1);
  return image;
}

constexpr int64_t mostLanes = 16;

// The coefficients of a block's channels; zeros where it has no more.
struct Lanes {
  float mean[mostLanes] = {}, scale[mostLanes] = {}, shift[mostLanes] = {};

  Lanes(const Pointers& p, double eps, int64_t channel, int64_t count) {
    const auto operand = [&](size_t index) { return static_cast<const float*>(p.inputs[index]) + channel; };
    const float *gamma = operand(1), *beta = operand(2), *means = operand(3), *variance = operand(4);
    for (int64_t lane = 0; lane < count; ++lane) {
      mean[lane] = means[lane];
      scale[lane] = gamma[lane] / std::sqrt(variance[lane] + static_cast<float>(eps));
      shift[lane] = beta[lane];
    }
  }
  Coefficients coefficients() const { return {mean, scale, shift}; }
};

void normalizeChunk(const Chunk& chunk, int64_t lanes, const Coefficients& c, bool relu, const float* x,
                    float* y) {
  normalize(chunk, lanes, c, relu, x, y);
}

// In float32, a part at a time that stays in a first-level cache.
void normalizeChunk(const Chunk& chunk, int64_t lanes, const Coefficients& c, bool relu, const Bf16* x,
                    Bf16* y) {
  constexpr int64_t most = 1 << 12;
  float part[most];
  for (int64_t begin = 0; begin < chunk.pixels; begin += most / lanes) {
    const int64_t pixels = std::min(most / lanes, chunk.pixels - begin), count = pixels * lanes;
    widen(x + begin * lanes, part, count);
    normalize({chunk.channel, 0, pixels}, lanes, c, relu, part, part);
    narrow(part, y + begin * lanes, count);
  }
}

// Of a tensor with channels outermost, from which it gives one with images outermost.
template <class Element>
KernelPtr normalizeOutermost(const Request& request, const ops::BatchNorm& op, const ViewedLayout& x) {
  const ViewedLayout y = inFormatOf(x.view, request.output(0));
  auto kernel = std::make_unique<FunctionKernel>(request, "batchNorm");
  kernel->inputs[0] = x.layout;
  kernel->outputs[0] = y.layout;
  kernel->body = [from = divide(x.view), to = divide(y.view), channels = x.view.channels, eps = op.eps,
                  relu = op.activation == ops::Activation::relu](const Pointers& p) {
    const auto count = static_cast<int64_t>(to.chunks.size());
#pragma omp parallel for
    for (int64_t i = 0; i < count; ++i) {
      const Chunk& chunk = to.chunks[i];
      const Lanes own(p, eps, chunk.channel, std::min(to.lanes, channels - chunk.channel));
      normalizeChunk(chunk, to.lanes, own.coefficients(), relu,
                     static_cast<const Element*>(p.inputs[0]) + from.chunks[i].offset,
                     static_cast<Element*>(p.outputs[0]) + chunk.offset);
    }
  };
  return kernel;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::BatchNorm& op) {
  const auto x = viewed(request.input(0), request.presentLayout(0));
  if (x.view.channelsOutermost)
    return withElement(request.input(0).dtype, [&](auto element) {
      return normalizeOutermost<decltype(element)>(request, op, x);
    });
  auto flags =
      normalization_flags::use_global_stats | normalization_flags::use_scale | normalization_flags::use_shift;
  if (op.activation == ops::Activation::relu) flags |= normalization_flags::fuse_norm_relu;
  const auto candidates = activationCandidates(request, 0, imageShape(request.input(0).shape));
  const auto description = chooseImplementation(candidates, [&](const Desc& x) {
    const dnnl::batch_normalization_forward::desc desc(dnnl::prop_kind::forward_inference, x,
                                                       static_cast<float>(op.eps), flags);
    return dnnl::batch_normalization_forward::primitive_desc(desc, userScratchpad(), request.context.engine);
  });
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC)
      .input(1, DNNL_ARG_SCALE)
      .input(2, DNNL_ARG_SHIFT)
      .input(3, DNNL_ARG_MEAN)
      .input(4, DNNL_ARG_VARIANCE)
      .output(0, DNNL_ARG_DST);
  kernel->aliases = {{0, 0, false}};
  return kernel;
}

// In double: the folded weights then differ from exact ones by one rounding.
KernelPtr prepare(const Request& request, const ops::FoldBatchNorm& op) {
  requireFloat(request);
  const Shape& weight = request.input(0).shape;
  auto kernel = std::make_unique<FunctionKernel>(request, "foldBatchNorm");
  kernel->body = [rows = weight[0], size = elementCount(weight) / std::max<int64_t>(weight[0], 1),
                  eps = op.eps](const Pointers& p) {
    const auto operand = [&](size_t index) { return static_cast<const float*>(p.inputs[index]); };
    const float *from = operand(0), *bias = operand(1), *gamma = operand(2), *beta = operand(3),
                *mean = operand(4), *variance = operand(5);
    auto* to = static_cast<float*>(p.outputs[0]);
    auto* toBias = static_cast<float*>(p.outputs[1]);
#pragma omp parallel for
    for (int64_t row = 0; row < rows; ++row) {
      const double scale = gamma[row] / std::sqrt(variance[row] + eps);
      for (int64_t i = row * size; i < (row + 1) * size; ++i) to[i] = static_cast<float>(from[i] * scale);
      toBias[row] = static_cast<float>(((bias ? double{bias[row]} : 0) - mean[row]) * scale + beta[row]);
    }
  };
  return kernel;
}

}  // namespace fovea::cpu

#include <cmath>

#include "families.h"

namespace fovea::cpu {
namespace {

using dnnl::normalization_flags;
using dnnl::prop_kind;

// Features without an image are channels of images of one pixel.
Shape imageShape(const Shape& shape) {
  Shape image = shape;
  image.resize(std::max<size_t>(shape.size(), 4), 1);
  return image;
}

normalization_flags flagsOf(bool givenStatistics, bool relu) {
  auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
  if (givenStatistics) flags |= normalization_flags::use_global_stats;
  if (relu) flags |= normalization_flags::fuse_norm_relu;
  return flags;
}

using Forward = dnnl::batch_normalization_forward::primitive_desc;

Forward describeForward(const Request& request, prop_kind kind, const Desc& x, double eps,
                        normalization_flags flags) {
  return {{kind, x, static_cast<float>(eps), flags}, userScratchpad(), request.context.engine};
}

// Normalises with the statistics of the batch, and lets them into the running ones.
class TrainingKernel final : public Kernel {
 public:
  TrainingKernel(std::unique_ptr<PrimitiveKernel> norm, const Shape& x, double momentum)
      : norm_(std::move(norm)), channels_(x[1]), momentum_(momentum) {
    inputs = norm_->inputs;
    outputs = norm_->outputs;
    aliases = norm_->aliases;
    scratchBytes = norm_->scratchBytes;
    const auto count = static_cast<double>(elementCount(x) / channels_);
    if (count > 1) unbiased_ = count / (count - 1);
  }

  void bind(const Pointers& pointers) override {
    norm_->bind(pointers);
    pointers_ = pointers;
  }

  void enqueue() override {
    norm_->enqueue();
    update(1, 4, 1);
    update(2, 5, unbiased_);
  }

  std::string implementation() const override { return norm_->implementation(); }

 private:
  void update(size_t batch, size_t running, double factor) {
    if (running >= outputs.size() || !outputs[running]) return;
    const auto* from = static_cast<const float*>(pointers_.outputs[batch]);
    auto* to = static_cast<float*>(pointers_.outputs[running]);
    const auto keep = static_cast<float>(1 - momentum_), share = static_cast<float>(momentum_ * factor);
    for (int64_t c = 0; c < channels_; ++c) to[c] = keep * to[c] + share * from[c];
  }

  std::unique_ptr<PrimitiveKernel> norm_;
  int64_t channels_;
  double momentum_, unbiased_ = 1;
  Pointers pointers_;
};

}  // namespace

KernelPtr prepare(const Request& request, const ops::BatchNorm& op) {
  const auto flags = flagsOf(true, op.activation == ops::Activation::relu);
  const auto candidates = activationCandidates(request, 0, imageShape(request.input(0).shape));
  const auto description = chooseImplementation(candidates, [&](const Desc& x) {
    return describeForward(request, prop_kind::forward_inference, x, op.eps, flags);
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

KernelPtr prepare(const Request& request, const ops::BatchNormTraining& op) {
  const bool relu = op.activation == ops::Activation::relu;
  const auto candidates = activationCandidates(request, 0, imageShape(request.input(0).shape));
  const auto description = chooseImplementation(candidates, [&](const Desc& x) {
    return describeForward(request, prop_kind::forward_training, x, op.eps, flagsOf(false, relu));
  });
  auto norm = std::make_unique<PrimitiveKernel>(request, description);
  norm->input(0, DNNL_ARG_SRC).input(1, DNNL_ARG_SCALE).input(2, DNNL_ARG_SHIFT);
  norm->output(0, DNNL_ARG_DST).output(1, DNNL_ARG_MEAN).output(2, DNNL_ARG_VARIANCE);
  const bool workspace = description.workspace_desc().get_size() > 0;
  if (request.hasOutput(3) && workspace)
    norm->opaqueOutput(3, DNNL_ARG_WORKSPACE, std::make_shared<OpaqueLayout>(description));
  else if (request.hasOutput(3))
    norm->outputs[3] = std::make_shared<OpaqueLayout>();
  else if (workspace)
    norm->scratch(DNNL_ARG_WORKSPACE);
  for (const int running : {3, 4}) {
    if (!request.hasInput(running) || !request.hasOutput(running + 1)) continue;
    norm->inputs[running] = norm->outputs[running + 1] = plainLayout(request.input(running));
    norm->aliases.push_back({running + 1, running, true});
  }
  return std::make_unique<TrainingKernel>(std::move(norm), request.input(0).shape, op.momentum);
}

KernelPtr prepare(const Request& request, const ops::BatchNormBackward& op) {
  const bool relu = request.hasInput(5);
  const auto flags = flagsOf(op.runningStatistics, relu);
  // A workspace lies as the forward's operands did, so these must too.
  const auto candidates = relu ? std::vector{forwardIn<Forward>(*request.inputLayout(5)).src_desc()}
                               : activationCandidates(request, 0, imageShape(request.input(0).shape));
  const auto description = chooseImplementation(candidates, [&](const Desc& x) {
    const dnnl::batch_normalization_backward::desc desc(prop_kind::backward, x, x, static_cast<float>(op.eps),
                                                        flags);
    return dnnl::batch_normalization_backward::primitive_desc(
        desc, userScratchpad(), request.context.engine,
        describeForward(request, prop_kind::forward_training, x, op.eps, flags));
  });
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC)
      .input(1, DNNL_ARG_DIFF_DST)
      .input(2, DNNL_ARG_SCALE)
      .input(2, DNNL_ARG_SHIFT)  // has to be there, is not read: the workspace knows what ReLU let through
      .input(3, DNNL_ARG_MEAN)
      .input(4, DNNL_ARG_VARIANCE)
      .output(0, DNNL_ARG_DIFF_SRC);
  if (relu) kernel->opaqueInput(5, DNNL_ARG_WORKSPACE, request.inputLayout(5));
  const auto gradient = [&](size_t index, int argument) {
    if (request.hasOutput(index))
      kernel->output(index, argument);
    else
      kernel->scratch(argument);
  };
  gradient(1, DNNL_ARG_DIFF_SCALE);
  gradient(2, DNNL_ARG_DIFF_SHIFT);
  kernel->aliases = {{0, 1, false}};
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

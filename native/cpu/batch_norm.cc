#include <cmath>

#include "families.h"
#include "own_batch_norm.h"

namespace fovea::cpu {
namespace {

using dnnl::normalization_flags;

// Features without an image are channels of images of one pixel.
Shape imageShape(const Shape& shape) {
  Shape image = shape;
  image.resize(std::max<size_t>(shape.size(), 4), 1);
  return image;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::BatchNorm& op) {
  if (auto kernel = ownBatchNorm(request, op)) return kernel;
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

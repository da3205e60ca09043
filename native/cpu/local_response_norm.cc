#include "families.h"

namespace fovea::cpu {
namespace {

dnnl::lrn_forward::primitive_desc describeForward(const Request& request, const ops::LocalResponseNorm& op,
                                                  dnnl::prop_kind kind, const Desc& x) {
  const dnnl::lrn_forward::desc desc(kind, dnnl::algorithm::lrn_across_channels, x, op.size,
                                     static_cast<float>(op.alpha), static_cast<float>(op.beta),
                                     static_cast<float>(op.k));
  return {desc, userScratchpad(), request.context.engine};
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::LocalResponseNorm& op) {
  const bool training = request.hasOutput(1);
  const auto kind = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const auto description = chooseImplementation(
      activationCandidates(request), [&](const Desc& x) { return describeForward(request, op, kind, x); });
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC).output(0, DNNL_ARG_DST);
  if (!training) return kernel;
  const auto workspace = std::make_shared<OpaqueLayout>(description);
  if (workspace->bytes() > 0)
    kernel->opaqueOutput(1, DNNL_ARG_WORKSPACE, workspace);
  else
    kernel->outputs[1] = workspace;
  return kernel;
}

// In the layout of the forward half, which the workspace is for.
KernelPtr prepare(const Request& request, const ops::LocalResponseNormBackward& op) {
  if (!request.hasInput(2)) throw unsupported("needs the forward's workspace");
  // oneDNN 2.6 writes out of bounds for 1 and is wrong for 7 and more where channels do not fill their
  // blocks.
  const int64_t channels = request.input(0).shape[1];
  if (op.size == 1 || (op.size > 5 && channels % 16 != 0))
    throw unsupported("over " + std::to_string(op.size) + " of " + std::to_string(channels) +
                      " channels; supported here: 3, 5, and more of a multiple of 16");
  const LayoutPtr workspace = request.inputLayout(2);
  const auto& forward = forwardIn<dnnl::lrn_forward::primitive_desc>(*workspace);
  const Desc x = forward.src_desc();
  const dnnl::lrn_backward::desc desc(dnnl::algorithm::lrn_across_channels, x, x, op.size,
                                      static_cast<float>(op.alpha), static_cast<float>(op.beta),
                                      static_cast<float>(op.k));
  const dnnl::lrn_backward::primitive_desc description(desc, userScratchpad(), request.context.engine,
                                                       forward);
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC).input(1, DNNL_ARG_DIFF_DST).output(0, DNNL_ARG_DIFF_SRC);
  if (workspace->bytes() > 0)
    kernel->opaqueInput(2, DNNL_ARG_WORKSPACE, workspace);
  else
    kernel->inputs[2] = workspace;
  return kernel;
}

}  // namespace fovea::cpu

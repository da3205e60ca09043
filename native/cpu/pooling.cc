#include <algorithm>

#include "families.h"

namespace fovea::cpu {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;

algorithm algorithmOf(const ops::Pooling& op) {
  if (op.kind == ops::PoolingKind::max) return algorithm::pooling_max;
  return op.countPadding ? algorithm::pooling_avg_include_padding : algorithm::pooling_avg_exclude_padding;
}

struct Window {
  dnnl::memory::dims strides, kernel, before, after;
};

// The padding behind is what the windows reach, which may be less than what the attributes allow.
Window windowOf(const ops::Pooling& op, const Shape& x, const Shape& y) {
  Window window;
  for (size_t axis = 0; axis < 2; ++axis) {
    const int64_t before = op.padding[axis];
    const int64_t reach = (y[axis + 2] - 1) * op.stride[axis] + op.kernel[axis] - before - x[axis + 2];
    window.strides.push_back(op.stride[axis]);
    window.kernel.push_back(op.kernel[axis]);
    window.before.push_back(before);
    window.after.push_back(std::max<int64_t>(reach, 0));
  }
  return window;
}

dnnl::pooling_forward::primitive_desc describeForward(const Context& context, const ops::Pooling& op,
                                                      prop_kind kind, const Desc& x, const Shape& xShape,
                                                      const TensorSpec& y) {
  const Window window = windowOf(op, xShape, y.shape);
  const dnnl::pooling_forward::desc desc(kind, algorithmOf(op), x, anyDesc(y.dtype, y.shape), window.strides,
                                         window.kernel, window.before, window.after);
  return {desc, userScratchpad(), context.engine};
}

KernelPtr forwardKernel(const Request& request, const ops::Pooling& op) {
  const bool keepsArgmax = op.kind == ops::PoolingKind::max && request.hasOutput(1);
  const auto kind = keepsArgmax ? prop_kind::forward_training : prop_kind::forward_inference;
  const auto description = chooseImplementation(activationCandidates(request), [&](const Desc& x) {
    return describeForward(request.context, op, kind, x, request.input(0).shape, request.output(0));
  });
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC).output(0, DNNL_ARG_DST);
  if (keepsArgmax)
    kernel->opaqueOutput(1, DNNL_ARG_WORKSPACE, std::make_shared<OpaqueLayout>(description));
  else if (request.hasOutput(1))
    kernel->outputs[1] = std::make_shared<OpaqueLayout>();
  return kernel;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Pooling& op) { return forwardKernel(request, op); }

KernelPtr prepare(const Request& request, const ops::PoolingBackward& op) {
  const TensorSpec &dy = request.input(0), &dx = request.output(0);
  const auto describe = [&](const Desc& dxDesc, const Desc& dyDesc,
                            const dnnl::pooling_forward::primitive_desc& forward) {
    const Window window = windowOf(op, dx.shape, dy.shape);
    const dnnl::pooling_backward::desc desc(algorithmOf(op), dxDesc, dyDesc, window.strides, window.kernel,
                                            window.before, window.after);
    return dnnl::pooling_backward::primitive_desc(desc, userScratchpad(), request.context.engine, forward);
  };
  if (op.kind == ops::PoolingKind::max) {
    if (!request.hasInput(1)) throw unsupported("max pooling needs the forward's workspace");
    // The workspace lies as the forward's result did, so the gradients must too.
    const auto layout = request.inputLayout(1);
    const auto& forward = forwardIn<dnnl::pooling_forward::primitive_desc>(*layout);
    auto kernel =
        std::make_unique<PrimitiveKernel>(request, describe(forward.src_desc(), forward.dst_desc(), forward));
    kernel->input(0, DNNL_ARG_DIFF_DST).output(0, DNNL_ARG_DIFF_SRC);
    kernel->opaqueInput(1, DNNL_ARG_WORKSPACE, layout);
    return kernel;
  }
  const auto description = chooseImplementation(activationCandidates(request), [&](const Desc& dyDesc) {
    // dx in the format of dy, which the forward's description finds from the other end.
    const auto dyLayout = layoutOf(dy, dyDesc);
    const auto view = channelView(*dyLayout);
    const Desc dxDesc = view ? *descAs(*inFormatOf(*view, dx).layout, dx.shape) : plainDesc(dx);
    const auto forward =
        describeForward(request.context, op, prop_kind::forward_training, dxDesc, dx.shape, dy);
    return describe(dxDesc, dyDesc, forward);
  });
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_DIFF_DST).output(0, DNNL_ARG_DIFF_SRC);
  if (request.hasInput(1)) kernel->inputs[1] = request.inputLayout(1);
  return kernel;
}

}  // namespace fovea::cpu

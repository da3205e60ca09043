#include "families.h"

namespace fovea::cpu {
namespace {

using dnnl::prop_kind;

// Channels last has the classes of a pixel next to each other too.
std::vector<Desc> candidates(const TensorSpec& spec) { return {plainDesc(spec), channelsLastDesc(spec)}; }

template <class Softmax>
typename Softmax::primitive_desc forwardOf(const Request& request, prop_kind kind, const Desc& x) {
  return {{kind, x, 1}, userScratchpad(), request.context.engine};
}

template <class Forward>
KernelPtr forwardKernel(const Request& request) {
  const auto description = chooseImplementation(candidates(request.input(0)), [&](const Desc& x) {
    return forwardOf<Forward>(request, prop_kind::forward_inference, x);
  });
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC).output(0, DNNL_ARG_DST);
  kernel->aliases = {{0, 0, false}};
  return kernel;
}

template <class Forward, class Backward>
KernelPtr backwardKernel(const Request& request) {
  const auto description = chooseImplementation(candidates(request.input(0)), [&](const Desc& dy) {
    return typename Backward::primitive_desc({dy, dy, 1}, userScratchpad(), request.context.engine,
                                             forwardOf<Forward>(request, prop_kind::forward_training, dy));
  });
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_DIFF_DST).input(1, DNNL_ARG_DST).output(0, DNNL_ARG_DIFF_SRC);
  kernel->aliases = {{0, 0, false}};
  return kernel;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Softmax& op) {
  if (op.log) return forwardKernel<dnnl::logsoftmax_forward>(request);
  return forwardKernel<dnnl::softmax_forward>(request);
}

KernelPtr prepare(const Request& request, const ops::SoftmaxBackward& op) {
  if (op.log) return backwardKernel<dnnl::logsoftmax_forward, dnnl::logsoftmax_backward>(request);
  return backwardKernel<dnnl::softmax_forward, dnnl::softmax_backward>(request);
}

}  // namespace fovea::cpu

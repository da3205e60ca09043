#include "families.h"

namespace fovea::cpu {

KernelPtr prepare(const Request& request, const ops::LocalResponseNorm& op) {
  const auto description = chooseImplementation(activationCandidates(request), [&](const Desc& x) {
    const dnnl::lrn_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::lrn_across_channels, x, op.size,
        static_cast<float>(op.alpha), static_cast<float>(op.beta), static_cast<float>(op.k));
    return dnnl::lrn_forward::primitive_desc(desc, userScratchpad(), request.context.engine);
  });
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC).output(0, DNNL_ARG_DST);
  return kernel;
}

}  // namespace fovea::cpu

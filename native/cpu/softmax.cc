#include "families.h"

namespace fovea::cpu {

using dnnl::prop_kind;

KernelPtr prepare(const Request& request, const ops::Softmax& op) {
  const auto build = [&](const auto& description) {
    auto kernel = std::make_unique<PrimitiveKernel>(request, description);
    kernel->input(0, DNNL_ARG_SRC).output(0, DNNL_ARG_DST);
    kernel->aliases = {{0, 0, false}};
    return kernel;
  };
  const std::vector<Desc> layouts{plainDesc(request.input(0)), channelsLastDesc(request.input(0))};
  if (op.log)
    return build(chooseImplementation(layouts, [&](const Desc& x) {
      return dnnl::logsoftmax_forward::primitive_desc({prop_kind::forward_inference, x, 1}, userScratchpad(),
                                                      request.context.engine);
    }));
  return build(chooseImplementation(layouts, [&](const Desc& x) {
    return dnnl::softmax_forward::primitive_desc({prop_kind::forward_inference, x, 1}, userScratchpad(),
                                                 request.context.engine);
  }));
}

}  // namespace fovea::cpu

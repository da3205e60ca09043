#include "blocked_convolution.h"

#include "avx512.h"
#include "products.h"

namespace fovea::cpu {

std::unique_ptr<FunctionKernel> blockedConvolution(const Request& request, const std::string& name) {
  using products::lanes;
  const TensorSpec &x = request.input(0), &weight = request.input(1), &y = request.output(0);
  for (const TensorSpec* spec : {&x, &weight, &y})
    if (spec->dtype != DType::f32) return nullptr;
  // A vector that is mostly padding is work for nothing.
  if (!hasAvx512() || x.shape[1] < lanes || y.shape[1] < lanes) return nullptr;
  const LayoutPtr layout = layoutOf(y, *blockedDesc(y, lanes));
  if (const LayoutPtr forced = request.forcedLayout(0); forced && !forced->equals(*layout)) return nullptr;
  auto kernel = std::make_unique<FunctionKernel>(request, name);
  kernel->inputs[0] = layoutOf(x, *blockedDesc(x, lanes));
  kernel->outputs[0] = layout;
  if (request.hasInput(3)) {
    kernel->inputs[3] = layout;
    kernel->aliases = {{0, 3, false}};
  }
  return kernel;
}

}  // namespace fovea::cpu

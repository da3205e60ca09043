#include <algorithm>
#include <cmath>

#include "families.h"

namespace fovea::cpu {

KernelPtr prepare(const Request& request, const ops::ScaleGradient&) {
  requireFloat(request);
  auto kernel = std::make_unique<FunctionKernel>(request, "scaleGradient");
  kernel->aliases = {{0, 0, false}};
  kernel->body = [count = elementCount(request.input(0).shape)](const Pointers& p) {
    const auto* dy = static_cast<const float*>(p.inputs[0]);
    const float scale = *static_cast<const float*>(p.inputs[1]);
    auto* scaled = static_cast<float*>(p.outputs[0]);
    for (int64_t i = 0; i < count; ++i) scaled[i] = scale * dy[i];
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::UnscaleGradients& op) {
  requireFloat(request);
  auto kernel = std::make_unique<FunctionKernel>(request, "unscaleGradients");
  kernel->aliases = {{2, 2, true}};
  kernel->body = [interval = static_cast<float>(op.interval)](const Pointers& p) {
    const auto* scalars = static_cast<const float*>(p.inputs[0]);
    const float norm = *static_cast<const float*>(p.inputs[1]);
    auto* unscaled = static_cast<float*>(p.outputs[0]);
    auto *scale = static_cast<float*>(p.outputs[2]), *finite = scale + 1;
    std::copy_n(scalars, 4, unscaled);
    unscaled[1] = scalars[1] / *scale;
    *static_cast<float*>(p.outputs[1]) = norm / *scale;
    if (!std::isfinite(norm)) {
      *scale /= 2;
      *finite = 0;
    } else if (*finite + 1 < interval) {
      *finite += 1;
    } else {
      // It stays finite, or nothing would ever be again.
      if (std::isfinite(2 * *scale)) *scale *= 2;
      *finite = 0;
    }
  };
  return kernel;
}

}  // namespace fovea::cpu

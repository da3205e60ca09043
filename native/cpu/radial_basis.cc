#include <algorithm>

#include "families.h"

namespace fovea::cpu {
namespace {

struct Sizes {
  int64_t batch, inputs, outputs;
};

Sizes sizesOf(const Shape& x, const Shape& centres) {
  return {x[0], elementCount(x) / std::max<int64_t>(x[0], 1), centres[0]};
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::RadialBasis&) {
  requireFloat(request);
  const Sizes sizes = sizesOf(request.input(0).shape, request.input(1).shape);
  return std::make_unique<FunctionKernel>(request, "radialBasis", [sizes](const Pointers& p) {
    const auto *x = static_cast<const float*>(p.inputs[0]), *centres = static_cast<const float*>(p.inputs[1]);
    auto* y = static_cast<float*>(p.outputs[0]);
#pragma omp parallel for collapse(2)
    for (int64_t n = 0; n < sizes.batch; ++n)
      for (int64_t o = 0; o < sizes.outputs; ++o) {
        const float *row = x + n * sizes.inputs, *centre = centres + o * sizes.inputs;
        double sum = 0;
        for (int64_t i = 0; i < sizes.inputs; ++i) {
          const double difference = double{row[i]} - centre[i];
          sum += difference * difference;
        }
        y[n * sizes.outputs + o] = static_cast<float>(sum);
      }
  });
}

KernelPtr prepare(const Request& request, const ops::RadialBasisBackward&) {
  requireFloat(request);
  const Sizes sizes = sizesOf(request.input(0).shape, request.input(1).shape);
  const bool hasCentres = request.hasOutput(1);
  return std::make_unique<FunctionKernel>(
      request, "radialBasisBackward", [sizes, hasCentres](const Pointers& p) {
        const auto operand = [&](size_t index) { return static_cast<const float*>(p.inputs[index]); };
        const auto [batch, inputs, outputs] = sizes;
        const float *x = operand(0), *centres = operand(1), *dy = operand(2);
        auto* dx = static_cast<float*>(p.outputs[0]);
#pragma omp parallel for
        for (int64_t n = 0; n < batch; ++n)
          for (int64_t i = 0; i < inputs; ++i) {
            double sum = 0;
            for (int64_t o = 0; o < outputs; ++o)
              sum += dy[n * outputs + o] * (double{x[n * inputs + i]} - centres[o * inputs + i]);
            dx[n * inputs + i] = static_cast<float>(2 * sum);
          }
        if (!hasCentres) return;
        auto* dcentres = static_cast<float*>(p.outputs[1]);
#pragma omp parallel for
        for (int64_t o = 0; o < outputs; ++o)
          for (int64_t i = 0; i < inputs; ++i) {
            double sum = 0;
            for (int64_t n = 0; n < batch; ++n)
              sum += dy[n * outputs + o] * (double{x[n * inputs + i]} - centres[o * inputs + i]);
            dcentres[o * inputs + i] = static_cast<float>(-2 * sum);
          }
      });
}

}  // namespace fovea::cpu

#include "families.h"

namespace fovea::cpu {
namespace {

struct Factors {
  float rate, momentum, decay;
  bool nesterov;
};

void step(int64_t count, const Factors& f, float* parameter, const float* gradient) {
#pragma omp parallel for simd
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] + f.decay * parameter[i];
    parameter[i] -= f.rate * g;
  }
}

void stepWithMomentum(int64_t count, const Factors& f, float* parameter, const float* gradient,
                      float* velocity) {
#pragma omp parallel for simd
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] + f.decay * parameter[i];
    const float v = f.momentum * velocity[i] + g;
    velocity[i] = v;
    parameter[i] -= f.rate * (f.nesterov ? g + f.momentum * v : v);
  }
}

}  // namespace

// Runs over the bytes as they lie: zeros that pad a parameter have zero gradients and stay zeros.
KernelPtr prepare(const Request& request, const ops::Sgd& op) {
  requireFloat(request);
  const LayoutPtr layout = request.inputLayout(0);
  if (!layout->elementwise())
    throw unsupported("the parameter lies in " + layout->name() + ", which is opaque");
  const bool hasVelocity = request.hasInput(2);
  auto kernel = std::make_unique<FunctionKernel>(request, "sgd");
  kernel->inputs[0] = kernel->inputs[1] = kernel->outputs[0] = layout;
  kernel->aliases = {{0, 0, true}};
  if (hasVelocity) {
    kernel->inputs[2] = kernel->outputs[1] = layout;
    kernel->aliases.push_back({1, 2, true});
  }
  kernel->body = [op, count = static_cast<int64_t>(layout->bytes() / sizeof(float)),
                  hasVelocity](const Pointers& p) {
    const Factors factors{*static_cast<const float*>(p.inputs[3]), static_cast<float>(op.momentum),
                          static_cast<float>(op.weightDecay), op.nesterov};
    auto* parameter = static_cast<float*>(p.outputs[0]);
    const auto* gradient = static_cast<const float*>(p.inputs[1]);
    if (hasVelocity)
      stepWithMomentum(count, factors, parameter, gradient, static_cast<float*>(p.outputs[1]));
    else
      step(count, factors, parameter, gradient);
  };
  return kernel;
}

}  // namespace fovea::cpu

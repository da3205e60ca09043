#include <algorithm>
#include <cmath>

#include "families.h"
#include "simd.h"

namespace fovea::cpu {
namespace {

// Where the common operands are.
enum Input { parameterInput, gradientInput, scalarsInput, normInput, firstState };

// What one step does to every element, in single precision as PyTorch's does.
struct Factors {
  float rate, gradient, weightDecay;
};

// Nothing where the step must be left out.
std::optional<Factors> factorsOf(const ops::Optimizer& op, const Pointers& p) {
  const auto* scalars = static_cast<const float*>(p.inputs[scalarsInput]);
  const float norm = *static_cast<const float*>(p.inputs[normInput]);
  if (!std::isfinite(norm)) return {};
  Factors factors{static_cast<float>(scalars[0] * op.lrScale), scalars[1],
                  static_cast<float>(op.weightDecay)};
  if (op.maxNorm != 0)
    factors.gradient *= std::min(1.f, static_cast<float>(op.maxNorm) / (factors.gradient * norm + 1e-6f));
  return factors;
}

// An update over the bytes as they lie: zeros that pad a parameter have zero gradients and stay zeros. The
// operands from `firstState` on are kept from step to step.
std::unique_ptr<FunctionKernel> updateKernel(const Request& request, const char* name) {
  requireFloat(request);
  const LayoutPtr layout = request.inputLayout(parameterInput);
  if (!layout->elementwise())
    throw unsupported("the parameter lies in " + layout->name() + ", which is opaque");
  auto kernel = std::make_unique<FunctionKernel>(request, name);
  kernel->inputs[parameterInput] = kernel->inputs[gradientInput] = kernel->outputs[0] = layout;
  kernel->aliases = {{0, parameterInput, true}};
  for (size_t state = firstState; request.hasInput(state); ++state) {
    const size_t output = state - firstState + 1;
    kernel->inputs[state] = kernel->outputs[output] = layout;
    kernel->aliases.push_back({static_cast<int>(output), static_cast<int>(state), true});
  }
  return kernel;
}

// The operands of an update, at the first element of a part.
struct Part {
  float* parameter;
  const float* gradient;
  float *state, *secondState;
  int64_t count;
};

// Calls update(part) for all elements, on all threads.
template <class Update>
void overParts(const Pointers& p, int64_t count, const Update& update) {
  constexpr int64_t part = 1 << 14;
  const auto output = [&](size_t index, int64_t begin) -> float* {
    if (index >= p.outputs.size() || !p.outputs[index]) return nullptr;
    return static_cast<float*>(p.outputs[index]) + begin;
  };
#pragma omp parallel for
  for (int64_t begin = 0; begin < count; begin += part)
    update(Part{output(0, begin), static_cast<const float*>(p.inputs[gradientInput]) + begin,
                output(1, begin), output(2, begin), std::min(part, count - begin)});
}

int64_t elementsOf(const FunctionKernel& kernel) {
  return static_cast<int64_t>(kernel.outputs[0]->bytes() / sizeof(float));
}

FOVEA_SIMD void descend(const Part& part, const Factors& f) {
  const auto [p, gradient, unused, none, count] = part;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * f.gradient + f.weightDecay * p[i];
    p[i] -= f.rate * g;
  }
}

FOVEA_SIMD void descendWithMomentum(const Part& part, const Factors& f, float momentum, bool nesterov) {
  const auto [p, gradient, velocity, none, count] = part;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * f.gradient + f.weightDecay * p[i];
    const float v = momentum * velocity[i] + g;
    velocity[i] = v;
    p[i] -= f.rate * (nesterov ? g + momentum * v : v);
  }
}

struct RmsPropFactors {
  float decay, share, epsInside, epsOutside;
  // What the velocity takes of an update and the parameter of the velocity: the learning rate is in either.
  float momentum, toVelocity, toParameter;
};

FOVEA_SIMD void rmsProp(const Part& part, const Factors& f, const RmsPropFactors& r) {
  const auto [p, gradient, square, none, count] = part;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * f.gradient + f.weightDecay * p[i];
    const float s = r.decay * square[i] + r.share * g * g;
    square[i] = s;
    p[i] -= f.rate * (g / (std::sqrt(s + r.epsInside) + r.epsOutside));
  }
}

FOVEA_SIMD void rmsPropWithMomentum(const Part& part, const Factors& f, const RmsPropFactors& r) {
  const auto [p, gradient, square, velocity, count] = part;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * f.gradient + f.weightDecay * p[i];
    const float s = r.decay * square[i] + r.share * g * g;
    square[i] = s;
    const float u = g / (std::sqrt(s + r.epsInside) + r.epsOutside);
    const float v = r.momentum * velocity[i] + r.toVelocity * u;
    velocity[i] = v;
    p[i] -= r.toParameter * v;
  }
}

struct AdamFactors {
  float keep;  // of a parameter, before the step
  float share1, beta2, share2, rate, root, eps;
};

FOVEA_SIMD void adam(const Part& part, const Factors& f, const AdamFactors& a) {
  const auto [p, gradient, mean, square, count] = part;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * f.gradient + f.weightDecay * p[i];
    const float m = mean[i] + a.share1 * (g - mean[i]);
    const float s = a.beta2 * square[i] + a.share2 * g * g;
    mean[i] = m;
    square[i] = s;
    p[i] = p[i] * a.keep - a.rate * (m / (std::sqrt(s) * a.root + a.eps));
  }
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Sgd& op) {
  auto kernel = updateKernel(request, "sgd");
  kernel->body = [op, count = elementsOf(*kernel), hasVelocity = request.hasInput(firstState),
                  momentum = static_cast<float>(op.momentum)](const Pointers& p) {
    const auto factors = factorsOf(op, p);
    if (!factors) return;
    overParts(p, count, [&](const Part& part) {
      if (hasVelocity)
        descendWithMomentum(part, *factors, momentum, op.nesterov);
      else
        descend(part, *factors);
    });
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::RmsProp& op) {
  auto kernel = updateKernel(request, "rmsProp");
  kernel->body = [op, count = elementsOf(*kernel),
                  hasVelocity = request.hasInput(firstState + 1)](const Pointers& p) {
    const auto factors = factorsOf(op, p);
    if (!factors) return;
    const auto eps = static_cast<float>(op.eps);
    const RmsPropFactors r{.decay = static_cast<float>(op.decay),
                           .share = static_cast<float>(1 - op.decay),
                           .epsInside = op.epsInsideRoot ? eps : 0.f,
                           .epsOutside = op.epsInsideRoot ? 0.f : eps,
                           .momentum = static_cast<float>(op.momentum),
                           .toVelocity = op.epsInsideRoot ? factors->rate : 1.f,
                           .toParameter = op.epsInsideRoot ? 1.f : factors->rate};
    overParts(p, count, [&](const Part& part) {
      if (hasVelocity)
        rmsPropWithMomentum(part, *factors, r);
      else
        rmsProp(part, *factors, r);
    });
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::Adam& op) {
  auto kernel = updateKernel(request, "adam");
  kernel->body = [op, count = elementsOf(*kernel)](const Pointers& p) {
    auto factors = factorsOf(op, p);
    if (!factors) return;
    const auto* scalars = static_cast<const float*>(p.inputs[scalarsInput]);
    const AdamFactors a{.keep = op.decoupled ? 1.f - factors->rate * static_cast<float>(op.weightDecay) : 1.f,
                        .share1 = static_cast<float>(1 - op.beta1),
                        .beta2 = static_cast<float>(op.beta2),
                        .share2 = static_cast<float>(1 - op.beta2),
                        .rate = factors->rate * scalars[2],
                        .root = std::sqrt(scalars[3]),
                        .eps = static_cast<float>(op.eps)};
    if (op.decoupled) factors->weightDecay = 0;
    overParts(p, count, [&](const Part& part) { adam(part, *factors, a); });
  };
  return kernel;
}

}  // namespace fovea::cpu

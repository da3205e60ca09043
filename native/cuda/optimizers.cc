#include "families.h"
#include "own_kernels.h"

namespace fovea::cuda {
namespace {

// Where the common operands are.
enum Input { parameterInput, gradientInput, scalarsInput, normInput, firstState };

// As in kernels/optimizers.cu.
struct Step {
  const void *scalars, *norm;
  unsigned count;
  float rateScale, weightDecay, maxNorm;
};
struct RmsPropFactors {
  float decay, share, epsInside, epsOutside, momentum;
  int rateInVelocity;
};
struct AdamFactors {
  float beta2, share1, share2, eps;
  int decoupled;
};

// What all optimizers do: an update over the bytes as they lie. The operands from `firstState` on are kept
// from step to step.
struct Update {
  std::unique_ptr<StreamKernel> kernel;
  Function function;
  Step step;
  Dim3 grid;
};

Update updateOf(const Request& request, const ops::Optimizer& op, const char* name) {
  const TensorSpec &parameter = request.input(parameterInput), &gradient = request.input(gradientInput);
  requireF32(parameter, "the parameter");
  requireFloating(gradient, "the gradient");
  for (size_t state = scalarsInput; request.hasInput(state); ++state)
    requireF32(request.input(state), "what an optimizer keeps");
  const LayoutPtr layout = request.inputLayout(parameterInput);
  if (!layout->elementwise())
    throw unsupported("the parameter lies in " + layout->name() + ", which is opaque");
  auto kernel = std::make_unique<StreamKernel>(request, name);
  kernel->inputs[parameterInput] = kernel->outputs[0] = layout;
  kernel->inputs[gradientInput] = layoutAs(gradient, isChannelsLast(*layout, parameter.shape));
  kernel->aliases = {{0, parameterInput, true}};
  for (size_t state = firstState; request.hasInput(state); ++state) {
    const size_t output = state - firstState + 1;
    kernel->inputs[state] = kernel->outputs[output] = layout;
    kernel->aliases.push_back({static_cast<int>(output), static_cast<int>(state), true});
  }
  const unsigned count = elementsOf(parameter);
  return {std::move(kernel), request.context.function("optimizers", name, typed(gradient.dtype)),
          Step{nullptr, nullptr, count, static_cast<float>(op.lrScale), static_cast<float>(op.weightDecay),
               static_cast<float>(op.maxNorm)},
          gridFor(request.context, ceilDiv(count, 4))};
}

Step with(Step step, const Pointers& p) {
  step.scalars = in(p, scalarsInput);
  step.norm = in(p, normInput);
  return step;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Sgd& op) {
  auto [kernel, function, step, grid] = updateOf(request, op, "sgd");
  kernel->body = [function = function, step = step, grid = grid, momentum = static_cast<float>(op.momentum),
                  nesterov =
                      static_cast<int>(op.nesterov && request.hasInput(firstState))](const Pointers& p) {
    function.launch(grid, {threadsPerBlock}, with(step, p), out(p, 0), in(p, gradientInput), out(p, 1),
                    momentum, nesterov);
  };
  return std::move(kernel);
}

KernelPtr prepare(const Request& request, const ops::RmsProp& op) {
  auto [kernel, function, step, grid] = updateOf(request, op, "rmsProp");
  const auto eps = static_cast<float>(op.eps);
  const RmsPropFactors factors{.decay = static_cast<float>(op.decay),
                               .share = static_cast<float>(1 - op.decay),
                               .epsInside = op.epsInsideRoot ? eps : 0.f,
                               .epsOutside = op.epsInsideRoot ? 0.f : eps,
                               .momentum = static_cast<float>(op.momentum),
                               .rateInVelocity = op.epsInsideRoot};
  kernel->body = [function = function, step = step, grid = grid, factors](const Pointers& p) {
    function.launch(grid, {threadsPerBlock}, with(step, p), out(p, 0), in(p, gradientInput), out(p, 1),
                    out(p, 2), factors);
  };
  return std::move(kernel);
}

KernelPtr prepare(const Request& request, const ops::Adam& op) {
  auto [kernel, function, step, grid] = updateOf(request, op, "adam");
  const AdamFactors factors{.beta2 = static_cast<float>(op.beta2),
                            .share1 = static_cast<float>(1 - op.beta1),
                            .share2 = static_cast<float>(1 - op.beta2),
                            .eps = static_cast<float>(op.eps),
                            .decoupled = op.decoupled};
  kernel->body = [function = function, step = step, grid = grid, factors](const Pointers& p) {
    function.launch(grid, {threadsPerBlock}, with(step, p), out(p, 0), in(p, gradientInput), out(p, 1),
                    out(p, 2), factors);
  };
  return std::move(kernel);
}

}  // namespace fovea::cuda

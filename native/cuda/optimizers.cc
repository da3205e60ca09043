#include "families.h"
#include "updates.h"

namespace fovea::cuda {
namespace {

// Where the common operands are.
enum Input { parameterInput, gradientInput, scalarsInput, normInput, firstState };

// As in kernels/optimizers.cu.
struct Step {
  const void *scalars, *norm;
  float rateScale, weightDecay, maxNorm;
};
struct SgdFactors {
  float momentum;
  int nesterov;
};
struct RmsPropFactors {
  float decay, share, epsInside, epsOutside, momentum;
  int rateInVelocity;
};
struct AdamFactors {
  float beta2, share1, share2, eps;
  int decoupled;
};

// An update by the kernel `name`, which takes the tensors, the step and its own factors.
template <class Factors>
KernelPtr updateWith(const Request& request, const ops::Optimizer& op, const char* name,
                     const Factors& factors) {
  const DType type = request.input(gradientInput).dtype;
  requireF32(request.input(parameterInput), "the parameter");
  requireFloating(request.input(gradientInput), "the gradient");
  for (size_t state = scalarsInput; request.hasInput(state); ++state)
    requireF32(request.input(state), "what an optimizer reads");
  const Step step{nullptr, nullptr, static_cast<float>(op.lrScale), static_cast<float>(op.weightDecay),
                  static_cast<float>(op.maxNorm)};
  const std::string rule = name + kernelType(type) + bytesOf(step.rateScale) + bytesOf(step.weightDecay) +
                           bytesOf(step.maxNorm) + bytesOf(factors);
  return std::make_unique<UpdateKernel>(
      request, name, request.inputLayout(parameterInput), rule,
      [function = request.context.function("optimizers", name, typed(type)), step, factors](
          Dim3 grid, const UpdatedTensors& tensors, const Pointers& p) {
        Step now = step;
        now.scalars = in(p, scalarsInput);
        now.norm = in(p, normInput);
        function.launch(grid, {threadsPerBlock}, tensors, now, factors);
      });
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Sgd& op) {
  const bool hasVelocity = request.hasInput(firstState);
  return updateWith(request, op, "sgd",
                    SgdFactors{.momentum = hasVelocity ? static_cast<float>(op.momentum) : 0.f,
                               .nesterov = hasVelocity && op.nesterov});
}

KernelPtr prepare(const Request& request, const ops::RmsProp& op) {
  const auto eps = static_cast<float>(op.eps);
  const bool hasVelocity = request.hasInput(firstState + 1);
  return updateWith(request, op, "rmsProp",
                    RmsPropFactors{.decay = static_cast<float>(op.decay),
                                   .share = static_cast<float>(1 - op.decay),
                                   .epsInside = op.epsInsideRoot ? eps : 0.f,
                                   .epsOutside = op.epsInsideRoot ? 0.f : eps,
                                   .momentum = hasVelocity ? static_cast<float>(op.momentum) : 0.f,
                                   .rateInVelocity = op.epsInsideRoot});
}

KernelPtr prepare(const Request& request, const ops::Adam& op) {
  return updateWith(request, op, "adam",
                    AdamFactors{.beta2 = static_cast<float>(op.beta2),
                                .share1 = static_cast<float>(1 - op.beta1),
                                .share2 = static_cast<float>(1 - op.beta2),
                                .eps = static_cast<float>(op.eps),
                                .decoupled = op.decoupled});
}

}  // namespace fovea::cuda

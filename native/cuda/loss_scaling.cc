#include "families.h"

namespace fovea::cuda {

KernelPtr prepare(const Request& request, const ops::ScaleGradient&) {
  const TensorSpec& dy = request.input(0);
  requireFloating(dy, "dy");
  requireF32(request.input(1), "the loss scale");
  auto kernel = std::make_unique<StreamKernel>(request, "scaleGradient");
  kernel->inputs[0] = kernel->outputs[0] = request.inputLayout(0);
  kernel->aliases = {{0, 0, false}};
  const int64_t count = elementCount(dy.shape);
  kernel->body = [function = request.context.function("loss_scaling", "scaleGradient", typed(dy.dtype)),
                  grid = gridFor(request.context, count), count](const Pointers& p) {
    function.launch(grid, {threadsPerBlock}, in(p, 0), in(p, 1), out(p, 0), count);
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::UnscaleGradients& op) {
  for (const size_t i : {0, 1, 2}) requireF32(request.input(i), "what a step is scaled by");
  auto kernel = std::make_unique<StreamKernel>(request, "unscaleGradients");
  kernel->aliases = {{2, 2, true}};
  kernel->body = [function = request.context.function("loss_scaling", "unscaleGradients", typed(DType::f32)),
                  interval = static_cast<float>(op.interval)](const Pointers& p) {
    function.launch({1}, {1}, in(p, 0), in(p, 1), out(p, 0), out(p, 1), out(p, 2), interval);
  };
  return kernel;
}

}  // namespace fovea::cuda

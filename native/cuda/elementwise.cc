#include <string>

#include "families.h"

namespace fovea::cuda {
namespace {

std::string nameOf(ops::ElementwiseKind kind) {
  return ops::EnumNames<ops::ElementwiseKind>::values[static_cast<size_t>(kind)];
}

Dim3 gridOver(const Request& request, const TensorSpec& spec) {
  const auto width = static_cast<int64_t>(16 / sizeOf(spec.dtype));
  return gridFor(request.context, ceilDiv(elementCount(spec.shape), width));
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Elementwise& op) {
  const TensorSpec& x = request.input(0);
  requireFloating(x, "x");
  auto kernel = std::make_unique<StreamKernel>(request, "fovea:" + nameOf(op.kind));
  kernel->inputs[0] = kernel->outputs[0] = request.inputLayout(0);
  kernel->aliases = {{0, 0, false}};
  kernel->body =
      [function = request.context.function("elementwise", nameOf(op.kind) + "Forward", typed(x.dtype)),
       grid = gridOver(request, x), count = elementCount(x.shape), alpha = static_cast<float>(op.alpha),
       beta = static_cast<float>(op.beta)](const Pointers& p) {
        function.launch(grid, {threadsPerBlock}, in(p, 0), out(p, 0), count, alpha, beta);
      };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::ElementwiseBackward& op) {
  const TensorSpec& dy = request.input(0);
  requireFloating(dy, "dy");
  const bool readsResult = op.kind != ops::ElementwiseKind::linear;
  if (readsResult && !request.hasInput(1)) throw unsupported("needs the forward's result");
  const LayoutPtr layout = readsResult ? request.commonLayout(1, 0) : request.inputLayout(0);
  auto kernel = std::make_unique<StreamKernel>(request, "fovea:" + nameOf(op.kind) + "Backward");
  kernel->inputs[0] = kernel->outputs[0] = layout;
  if (request.hasInput(1)) kernel->inputs[1] = readsResult ? layout : request.inputLayout(1);
  kernel->aliases = {{0, 0, false}};
  if (readsResult) kernel->aliases.push_back({0, 1, false});
  // tanh: alpha * beta * (1 - (y / alpha)^2)
  const bool tanh = op.kind == ops::ElementwiseKind::tanh;
  kernel->body = [function =
                      request.context.function("elementwise", nameOf(op.kind) + "Backward", typed(dy.dtype)),
                  grid = gridOver(request, dy), count = elementCount(dy.shape),
                  first = static_cast<float>(tanh ? op.alpha * op.beta : op.alpha),
                  second = static_cast<float>(tanh ? op.beta / op.alpha : op.beta)](const Pointers& p) {
    function.launch(grid, {threadsPerBlock}, in(p, 0), in(p, 1), out(p, 0), count, first, second);
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::Add& op) {
  const TensorSpec& a = request.input(0);
  requireFloating(a, "a");
  auto kernel = std::make_unique<StreamKernel>(request, "fovea:add");
  kernel->inputs[0] = kernel->inputs[1] = kernel->outputs[0] = request.commonLayout(0, 1);
  kernel->aliases = {{0, 0, false}, {0, 1, false}};
  const char* name = op.activation == ops::Activation::relu ? "addRelu" : "add";
  kernel->body = [function = request.context.function("elementwise", name, typed(a.dtype)),
                  grid = gridOver(request, a), count = elementCount(a.shape)](const Pointers& p) {
    function.launch(grid, {threadsPerBlock}, in(p, 0), in(p, 1), out(p, 0), count);
  };
  return kernel;
}

}  // namespace fovea::cuda

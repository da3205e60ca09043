#include "families.h"

// Our own: cuDNN's backward half reads the forward's result, which the plan does not keep.
namespace fovea::cuda {
namespace {

struct Norm {
  Norm(const Request& request, const ops::LocalResponseNorm& op)
      : count(elementCount(request.input(0).shape)),
        channels(static_cast<int>(request.input(0).shape.at(1))),
        size(static_cast<int>(op.size)),
        before(size / 2),
        scale(static_cast<float>(op.alpha / static_cast<double>(op.size))),
        beta(static_cast<float>(op.beta)),
        k(static_cast<float>(op.k)),
        grid(gridFor(request.context, count)) {
    requireFloating(request.input(0), "x");
    rowsOf(request.input(0));  // its shape is one of images
  }

  int64_t count;
  int channels, size, before;
  float scale, beta, k;
  Dim3 grid;
};

size_t sumBytes(const TensorSpec& x) { return static_cast<size_t>(elementCount(x.shape)) * sizeof(float); }

}  // namespace

KernelPtr prepare(const Request& request, const ops::LocalResponseNorm& op) {
  const TensorSpec& x = request.input(0);
  auto kernel = std::make_unique<StreamKernel>(request, "fovea:localResponseNorm");
  kernel->inputs[0] = kernel->outputs[0] = channelsLastLayout(x);
  if (request.hasOutput(1)) kernel->outputs[1] = opaqueLayout(sumBytes(x));
  kernel->body = [norm = Norm(request, op),
                  function = request.context.function("local_response_norm", "forward", typed(x.dtype))](
                     const Pointers& p) {
    function.launch(norm.grid, {threadsPerBlock}, in(p, 0), out(p, 0), out(p, 1), norm.count, norm.channels,
                    norm.size, norm.before, norm.scale, norm.beta, norm.k);
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::LocalResponseNormBackward& op) {
  if (!request.hasInput(2)) throw unsupported("needs the forward's workspace");
  const TensorSpec& x = request.input(0);
  auto kernel = std::make_unique<StreamKernel>(request, "fovea:localResponseNormBackward");
  kernel->inputs[0] = kernel->inputs[1] = kernel->outputs[0] = channelsLastLayout(x);
  kernel->inputs[2] = opaqueLayout(sumBytes(x));
  kernel->body = [norm = Norm(request, op),
                  function = request.context.function("local_response_norm", "backward", typed(x.dtype))](
                     const Pointers& p) {
    function.launch(norm.grid, {threadsPerBlock}, in(p, 0), in(p, 1), in(p, 2), out(p, 0), norm.count,
                    norm.channels, norm.size, norm.before, norm.scale, norm.beta);
  };
  return kernel;
}

}  // namespace fovea::cuda

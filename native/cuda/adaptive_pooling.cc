#include "families.h"
#include "own_kernels.h"

namespace fovea::cuda {
namespace {

// As in kernels/adaptive_pooling.cu.
struct Bins {
  unsigned height, width, rows, columns, channels;
};

// Fewer than elsewhere: a small batch's few averages spread over more of the GPU.
constexpr unsigned threads = 64;

// Averages of `x` in bins as many as `y` has pixels, or the reverse.
KernelPtr overBins(const Request& request, const char* name, const char* function, const TensorSpec& x,
                   const TensorSpec& y) {
  requireFloating(x, "x");
  requireSameType(x, y);
  if (x.shape.size() != 4 || y.shape.size() != 4)
    throw unsupported("takes images [N,C,H,W], not " + format(x.shape));
  elementsOf(x);
  const Bins bins{narrow(x.shape[2]), narrow(x.shape[3]), narrow(y.shape[2]), narrow(y.shape[3]),
                  narrow(x.shape[1])};
  const unsigned count = elementsOf(request.output(0));
  auto kernel = std::make_unique<StreamKernel>(request, name);
  kernel->inputs[0] = channelsLastLayout(request.input(0));
  kernel->outputs[0] = channelsLastLayout(request.output(0));
  kernel->body = [function = request.context.function("adaptive_pooling", function, typed(x.dtype)), bins,
                  count, grid = Dim3{narrow(ceilDiv(count, threads))}](const Pointers& p) {
    function.launch(grid, {threads}, in(p, 0), out(p, 0), count, bins);
  };
  return kernel;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::AdaptiveAveragePooling&) {
  return overBins(request, "adaptiveAverage", "averageOverBins", request.input(0), request.output(0));
}

KernelPtr prepare(const Request& request, const ops::AdaptiveAveragePoolingBackward&) {
  return overBins(request, "adaptiveAverageBackward", "averageOverBinsBackward", request.output(0),
                  request.input(0));
}

}  // namespace fovea::cuda

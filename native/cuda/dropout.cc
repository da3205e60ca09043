#include <algorithm>
#include <cmath>

#include "families.h"
#include "own_kernels.h"

namespace fovea::cuda {
namespace {

// As in kernels/dropout.cu: an element is kept where its word is at least `least`.
struct Rule {
  unsigned least;
  int none;  // is kept
  float scale;
};

Rule ruleOf(double p) {
  const double bound = std::ceil(p * 0x1p32);
  if (bound > 0xFFFFFFFFp0) return {0, 1, 0.f};
  return {static_cast<unsigned>(std::max(bound, 0.)), 0, static_cast<float>(1 / (1 - p))};
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Dropout& op) {
  const TensorSpec& x = request.input(0);
  requireFloating(x, "x");
  requireSameType(x, request.output(0));
  if (request.input(1).dtype != DType::i32)
    throw unsupported(std::string("takes the i32 state of the generator, not ") +
                      nameOf(request.input(1).dtype));
  const unsigned count = elementsOf(x);
  const auto stream = static_cast<unsigned>(op.stream);
  const Rule rule = ruleOf(op.p);
  auto kernel = std::make_unique<StreamKernel>(request, "dropout");
  kernel->aliases = {{0, 0, false}};
  const bool last = hasChannelsLast(x.shape) && isChannelsLast(*request.inputLayout(0), x.shape);
  kernel->inputs[0] = kernel->outputs[0] = layoutAs(x, last);
  if (!last) {
    kernel->body = [function = request.context.function("dropout", "dropoutInOrder", typed(x.dtype)), count,
                    stream, rule, grid = gridFor(request.context, ceilDiv(count, 4))](const Pointers& p) {
      function.launch(grid, {threadsPerBlock}, in(p, 0), in(p, 1), out(p, 0), count, stream, rule);
    };
    return kernel;
  }
  const auto [batch, channels, height, width] = imageOf(x.shape);
  const int64_t threads = batch * channels * (ceilDiv(height * width, 4) + 1);
  kernel->body = [function = request.context.function("dropout", "dropoutChannelsLast", typed(x.dtype)),
                  batch = narrow(batch), pixels = narrow(height * width), channels = narrow(channels), stream,
                  rule, grid = gridFor(request.context, narrow(threads))](const Pointers& p) {
    function.launch(grid, {threadsPerBlock}, in(p, 0), in(p, 1), out(p, 0), batch, pixels, channels, stream,
                    rule);
  };
  return kernel;
}

}  // namespace fovea::cuda

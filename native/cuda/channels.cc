#include <algorithm>

#include "families.h"
#include "own_kernels.h"

namespace fovea::cuda {
namespace {

// How the channels of x lie: value i belongs to channel i / inner % channels.
struct Channels {
  bool last;
  unsigned channels, inner;
};

Channels channelsOf(const TensorSpec& x, bool last) {
  if (x.shape.size() < 2) throw unsupported("takes tensors with channels, not " + format(x.shape));
  const int64_t inner = last ? 1 : elementsOf(x) / (x.shape[0] * x.shape[1]);
  return {last, narrow(x.shape[1]), narrow(inner)};
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::ScaleChannels&) {
  const TensorSpec& x = request.input(0);
  requireFloating(x, "x");
  requireSameType(x, request.output(0));
  requireF32(request.input(1), "the coefficient");
  if (request.hasInput(2)) requireF32(request.input(2), "the bias");
  const unsigned count = elementsOf(x);
  const auto [last, channels, inner] = channelsOf(x, isChannelsLast(*request.inputLayout(0), x.shape));
  auto kernel = std::make_unique<StreamKernel>(request, "scaleChannels");
  kernel->inputs[0] = kernel->outputs[0] = layoutAs(x, last);
  kernel->aliases = {{0, 0, false}};
  if (inner == 1 && channels % 4 == 0)
    kernel->body = [function = request.context.function("channels", "scaleChannelsByFours", typed(x.dtype)),
                    grid = gridFor(request.context, count / 4), count,
                    channels = channels](const Pointers& p) {
      function.launch(grid, {threadsPerBlock}, in(p, 0), in(p, 1), in(p, 2), out(p, 0), count, channels);
    };
  else
    kernel->body = [function = request.context.function("channels", "scaleChannels", typed(x.dtype)),
                    grid = gridFor(request.context, count), count, channels = channels,
                    inner = inner](const Pointers& p) {
      function.launch(grid, {threadsPerBlock}, in(p, 0), in(p, 1), in(p, 2), out(p, 0), count, channels,
                      inner);
    };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::ScaleChannelsBackward&) {
  // As in kernels/channels.cu: a block's channels, and how many rows its threads take at once.
  constexpr unsigned width = 32, rowsAtOnce = 8, mostParts = 512;
  const TensorSpec& x = request.input(0);
  requireFloating(x, "x");
  requireSameType(x, request.input(2));
  requireSameType(x, request.output(0));
  requireF32(request.input(1), "the coefficient");
  const auto lies = [&](size_t index) { return isChannelsLast(*request.inputLayout(index), x.shape); };
  const auto [last, channels, inner] = channelsOf(x, lies(0) || lies(2));
  const unsigned rows = elementsOf(x) / channels;
  const auto part = narrow(std::max<int64_t>(8 * rowsAtOnce, ceilDiv(rows, mostParts)));
  const auto parts = narrow(ceilDiv(rows, part));
  auto kernel = std::make_unique<StreamKernel>(request, "scaleChannelsBackward");
  kernel->inputs[0] = kernel->inputs[2] = kernel->outputs[0] = layoutAs(x, last);
  kernel->aliases = {{0, 2, false}};
  Scratch scratch;
  const size_t products = scratch.add<float>(int64_t{parts} * channels);
  const size_t sums = scratch.add<float>(int64_t{parts} * channels);
  kernel->scratchBytes = scratch.bytes();
  kernel->body = [backward = request.context.function("channels", "scaleChannelsBackward", typed(x.dtype)),
                  add = request.context.function("channels", "addParts", typed(x.dtype)),
                  blocks = Dim3{narrow(ceilDiv(channels, width)), parts},
                  grid = gridFor(request.context, channels), products, sums, rows, part, parts,
                  channels = channels, inner = inner](const Pointers& p) {
    auto *product = scratchAt<float>(p, products), *sum = scratchAt<float>(p, sums);
    backward.launch(blocks, {width * rowsAtOnce}, in(p, 0), in(p, 1), in(p, 2), out(p, 0), product, sum, rows,
                    part, channels, inner);
    add.launch(grid, {threadsPerBlock}, product, sum, out(p, 1), out(p, 2), parts, channels);
  };
  return kernel;
}

}  // namespace fovea::cuda

#include "families.h"
#include "own_kernels.h"

namespace fovea::cuda {
namespace {

// As in kernels/normalize_image.cu.
constexpr int64_t mostChannels = 64;
struct Channels {
  unsigned count;
  unsigned from[mostChannels];
  float scale[mostChannels], bias[mostChannels];
};

}  // namespace

KernelPtr prepare(const Request& request, const ops::NormalizeImage& op) {
  const TensorSpec &x = request.input(0), &y = request.output(0);
  if (x.dtype != DType::u8) throw unsupported(std::string("takes u8 images, not ") + nameOf(x.dtype));
  requireFloating(y, "the result");
  const int64_t channels = y.shape.at(1), depth = x.shape.at(3);
  if (channels > mostChannels)
    throw unsupported("takes images of up to " + std::to_string(mostChannels) + " channels, not " +
                      std::to_string(channels));
  Channels plan{.count = narrow(channels), .from = {}, .scale = {}, .bias = {}};
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t from = op.order.at(c);
    if (from < 0 || from >= depth) throw Error("INVALID_ARGUMENT", "no channel " + std::to_string(from));
    plan.from[c] = narrow(from);
    plan.scale[c] = static_cast<float>(op.scale.at(c));
    plan.bias[c] = static_cast<float>(op.bias.at(c));
  }
  elementsOf(x);
  const unsigned count = elementsOf(y);
  auto kernel = std::make_unique<StreamKernel>(request, "normalizeImage");
  kernel->outputs[0] = channelsLastLayout(y);
  kernel->body = [function = request.context.function("normalize_image", "normalizeImage", typed(y.dtype)),
                  plan, count, depth = narrow(depth),
                  grid = gridFor(request.context, ceilDiv(count, 4))](const Pointers& p) {
    function.launch(grid, {threadsPerBlock}, in(p, 0), out(p, 0), count, depth, plan);
  };
  return kernel;
}

}  // namespace fovea::cuda

#include "families.h"
#include "own_kernels.h"

namespace fovea::cuda {
namespace {

// As in kernels/moves.cu.
struct Sampling {
  unsigned stride, toHeight, toWidth, fromHeight, fromWidth;
};
struct Frame {
  unsigned toHeight, toWidth, fromHeight, fromWidth;
  int top, left;
};

// A tensor as rows of channels: a row is a pixel, or an image of which only whole channels are moved.
struct View {
  int64_t height, width, channelBytes;
};

View viewOf(const TensorSpec& spec, int64_t stride) {
  const Shape& s = spec.shape;
  const auto size = static_cast<int64_t>(sizeOf(spec.dtype));
  if (s.size() == 4) return {s[2], s[3], size};
  if (s.size() < 2 || stride != 1) throw unsupported("takes images [N,C,H,W], not " + format(s));
  return {1, 1, size * elementCount(s) / (s[0] * s[1])};
}

// to[:, c] = from[:, c + shift], zeros where from has no such channel, by the kernel `function`.
KernelPtr moveChannels(const Request& request, const char* name, const char* function, int64_t shift,
                       int64_t stride) {
  const TensorSpec &from = request.input(0), &to = request.output(0);
  requireSameType(from, to);
  elementsOf(from);
  const View source = viewOf(from, stride), target = viewOf(to, stride);
  const int64_t fromBytes = from.shape[1] * source.channelBytes, toBytes = to.shape[1] * source.channelBytes;
  const Unit unit{fromBytes, toBytes, shift * source.channelBytes};
  const Sampling sampling{narrow(stride), narrow(target.height), narrow(target.width), narrow(source.height),
                          narrow(source.width)};
  const unsigned count = unit.count(elementsOf(to) * static_cast<int64_t>(sizeOf(to.dtype)));
  auto kernel = std::make_unique<StreamKernel>(request, name);
  kernel->inputs[0] = channelsLastLayout(from);
  kernel->outputs[0] = channelsLastLayout(to);
  kernel->body = [function = request.context.function("moves", function, {{"FOVEA_UNIT", unit.name()}}),
                  count, grid = gridFor(request.context, count), toChannels = unit.count(toBytes),
                  fromChannels = unit.count(fromBytes),
                  shift = static_cast<int>(shift * source.channelBytes / unit.bytes),
                  sampling](const Pointers& p) {
    function.launch(grid, {threadsPerBlock}, in(p, 0), out(p, 0), count, toChannels, fromChannels, shift,
                    sampling);
  };
  return kernel;
}

// The image moved down by `top` and right by `left`, or up and left, into another of the size of y.
KernelPtr moveImage(const Request& request, const char* name, int64_t top, int64_t left, double value) {
  const TensorSpec &x = request.input(0), &y = request.output(0);
  requireFloating(x, "x");
  requireSameType(x, y);
  if (x.shape.size() != 4) throw unsupported("takes images [N,C,H,W], not " + format(x.shape));
  elementsOf(x);
  const int64_t pixelBytes = x.shape[1] * static_cast<int64_t>(sizeOf(x.dtype));
  const Unit unit{pixelBytes};
  const Frame frame{narrow(y.shape[2]), narrow(y.shape[3]),    narrow(x.shape[2]),
                    narrow(x.shape[3]), static_cast<int>(top), static_cast<int>(left)};
  const unsigned count = unit.count(elementsOf(y) * static_cast<int64_t>(sizeOf(y.dtype)));
  auto kernel = std::make_unique<StreamKernel>(request, name);
  kernel->inputs[0] = channelsLastLayout(x);
  kernel->outputs[0] = channelsLastLayout(y);
  kernel->body = [function = request.context.function("moves", "moveImages",
                                                      typed(x.dtype, {{"FOVEA_UNIT", unit.name()}})),
                  count, grid = gridFor(request.context, count), channels = unit.count(pixelBytes), frame,
                  value = static_cast<float>(value)](const Pointers& p) {
    function.launch(grid, {threadsPerBlock}, in(p, 0), out(p, 0), count, channels, frame, value);
  };
  return kernel;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Slice& op) {
  return moveChannels(request, "slice", "shiftChannels", op.start, 1);
}

KernelPtr prepare(const Request& request, const ops::SliceBackward& op) {
  return moveChannels(request, "sliceBackward", "shiftChannels", -op.start, 1);
}

KernelPtr prepare(const Request& request, const ops::SubsamplePad& op) {
  return moveChannels(request, "subsamplePad", "shiftChannels", -op.before, op.stride);
}

KernelPtr prepare(const Request& request, const ops::SubsamplePadBackward& op) {
  return moveChannels(request, "subsamplePadBackward", "spreadChannels", op.before, op.stride);
}

KernelPtr prepare(const Request& request, const ops::Pad& op) {
  return moveImage(request, "pad", op.padding[0], op.padding[1], op.value);
}

KernelPtr prepare(const Request& request, const ops::PadBackward& op) {
  return moveImage(request, "padBackward", -op.padding[0], -op.padding[1], 0);
}

}  // namespace fovea::cuda

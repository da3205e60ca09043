#include "families.h"
#include "rows.h"

// Our own: cuDNN's backward half reads the forward's operands, which the plan does not keep, and its windows
// lie alike on both sides of an image.
namespace fovea::cuda {
namespace {

// As in kernels/pooling.cu.
struct Window {
  int channels, height, width, outHeight, outWidth;
  int rows, columns, strideRows, strideColumns, top, left;
};

int extent(int64_t value) { return static_cast<int>(value); }

Window windowOf(const ops::Pooling& op, const Shape& x, const Shape& y) {
  return {extent(x.at(1)),      extent(x.at(2)),       extent(x.at(3)),      extent(y.at(2)),
          extent(y.at(3)),      extent(op.kernel[0]),  extent(op.kernel[1]), extent(op.stride[0]),
          extent(op.stride[1]), extent(op.padding[0]), extent(op.padding[1])};
}

// How the place of the greatest element in its window is kept.
struct Index {
  const char* type;
  size_t bytes;
};
Index indexOf(const ops::Pooling& op) {
  return op.kernel[0] * op.kernel[1] <= 256 ? Index{"u8", 1} : Index{"int", sizeof(int)};
}
size_t workspaceBytes(const ops::Pooling& op, const Shape& y) {
  return static_cast<size_t>(elementCount(y)) * indexOf(op).bytes;
}

// Channels that a thread works on.
int64_t widthOf(const TensorSpec& spec) { return widthFor(spec.shape.at(1), spec.dtype); }

Function function(const Request& request, const ops::Pooling& op, const char* name) {
  const TensorSpec& spec = request.input(0);
  return request.context.function(
      "pooling", name,
      typed(spec.dtype, {{"Index", indexOf(op).type}, {"V", std::to_string(widthOf(spec))}}));
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Pooling& op) {
  const TensorSpec &x = request.input(0), &y = request.output(0);
  requireFloating(x, "x");
  const bool max = op.kind == ops::PoolingKind::max;
  auto kernel = std::make_unique<StreamKernel>(request, max ? "fovea:maxPooling" : "fovea:averagePooling");
  kernel->inputs[0] = channelsLastLayout(x);
  kernel->outputs[0] = channelsLastLayout(y);
  if (request.hasOutput(1)) kernel->outputs[1] = opaqueLayout(max ? workspaceBytes(op, y.shape) : 0);
  const Window window = windowOf(op, x.shape, y.shape);
  const int64_t count = elementCount(y.shape) / widthOf(x);
  const Dim3 grid = gridFor(request.context, count);
  if (max)
    kernel->body = [=, function = function(request, op, "maxForward")](const Pointers& p) {
      function.launch(grid, {threadsPerBlock}, in(p, 0), out(p, 0), out(p, 1), count, window);
    };
  else
    kernel->body = [=, function = function(request, op, "averageForward"),
                    countPadding = int{op.countPadding}](const Pointers& p) {
      function.launch(grid, {threadsPerBlock}, in(p, 0), out(p, 0), count, window, countPadding);
    };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::PoolingBackward& op) {
  const TensorSpec &dy = request.input(0), &dx = request.output(0);
  requireFloating(dy, "dy");
  const bool max = op.kind == ops::PoolingKind::max;
  if (max && !request.hasInput(1)) throw unsupported("max pooling needs the forward's workspace");
  auto kernel = std::make_unique<StreamKernel>(
      request, max ? "fovea:maxPoolingBackward" : "fovea:averagePoolingBackward");
  kernel->inputs[0] = channelsLastLayout(dy);
  kernel->outputs[0] = channelsLastLayout(dx);
  if (request.hasInput(1)) kernel->inputs[1] = request.inputLayout(1);
  const Window window = windowOf(op, dx.shape, dy.shape);
  const int64_t count = elementCount(dx.shape) / widthOf(dy);
  const Dim3 grid = gridFor(request.context, count);
  if (max)
    kernel->body = [=, function = function(request, op, "maxBackward")](const Pointers& p) {
      function.launch(grid, {threadsPerBlock}, in(p, 0), in(p, 1), out(p, 0), count, window);
    };
  else
    kernel->body = [=, function = function(request, op, "averageBackward"),
                    countPadding = int{op.countPadding}](const Pointers& p) {
      function.launch(grid, {threadsPerBlock}, in(p, 0), out(p, 0), count, window, countPadding);
    };
  return kernel;
}

}  // namespace fovea::cuda

#include <algorithm>

#include "families.h"
#include "status.h"

namespace fovea::cuda {
namespace {

using Format = CudaLayout::Format;

KernelPtr copy(const Request& request, const LayoutPtr& layout) {
  auto kernel = std::make_unique<StreamKernel>(request, "copy");
  kernel->inputs = {layout};
  kernel->outputs = {layout};
  kernel->aliases = {{0, 0, false}};
  kernel->body = [context = request.shared, bytes = layout->bytes()](const Pointers& p) {
    if (p.outputs[0] == p.inputs[0] || bytes == 0) return;
    FOVEA_CUDA_CALL(*context->libraries, runtime, cudaMemcpyAsync, p.outputs[0], p.inputs[0], bytes,
                    cudaMemcpyDeviceToDevice, context->stream);
  };
  return kernel;
}

// Elements are moved, not read: any type of their size does.
std::string moverType(DType dtype) {
  switch (sizeOf(dtype)) {
    case 4:
      return "u32";
    case 2:
      return "u16";
    default:
      return "u8";
  }
}

}  // namespace

KernelPtr prepareReorder(const std::shared_ptr<const Context>& context, const TensorSpec& spec,
                         const LayoutPtr& from, const LayoutPtr& to) {
  const Operands operands{{Operand{spec, from}}, {Operand{spec, to}}};
  const Request request(context, operands);
  if (from->equals(*to)) return copy(request, from);
  const auto* source = dynamic_cast<const CudaLayout*>(from.get());
  const auto* target = dynamic_cast<const CudaLayout*>(to.get());
  if (!source || !target || source->format() == Format::opaque || target->format() == Format::opaque)
    throw unsupported("an opaque tensor has one layout only");

  const auto [n, c, h, w] = imageOf(spec.shape);
  const bool gather = target->format() == Format::channelsLast;
  const int64_t batch = n, rows = gather ? c : h * w, columns = gather ? h * w : c;
  constexpr int64_t narrow = 8;
  const bool tiled = std::min(rows, columns) >= narrow;
  const Defines types{{"FROM", moverType(spec.dtype)}, {"TO", moverType(spec.dtype)}};
  auto kernel = std::make_unique<StreamKernel>(request, gather ? "fovea:toNhwc" : "fovea:toNchw");
  kernel->inputs = {from};
  kernel->outputs = {to};
  const Function function = context->function("reorder", tiled ? "transpose" : "transposeNarrow", types);
  const int64_t work =
      tiled ? batch * ceilDiv(rows, 32) * ceilDiv(columns, 32) * threadsPerBlock : batch * rows * columns;
  kernel->body = [=, grid = gridFor(*context, work),
                  block = tiled ? Dim3{32, 8} : Dim3{threadsPerBlock}](const Pointers& p) {
    function.launch(grid, block, in(p, 0), out(p, 0), batch, rows, columns);
  };
  return kernel;
}

}  // namespace fovea::cuda

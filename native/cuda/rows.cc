#include "rows.h"

#include <algorithm>
#include <bit>

namespace fovea::cuda {
namespace {

Defines withBias(Defines defines, DType bias) {
  defines["B"] = kernelType(bias);
  return defines;
}

}  // namespace

int widthFor(int64_t channels, DType dtype) {
  int width = static_cast<int>(16 / sizeOf(dtype));
  while (channels % width != 0) width /= 2;
  return width;
}

RowLaunch::RowLaunch(const Context& context, const Rows& rows, DType dtype)
    : rows(rows), width(widthFor(rows.channels, dtype)) {
  constexpr int64_t mostAcross = 32, blocksPerProcessor = 8, rowsPerThread = 4, mostParts = 1024;
  const int64_t packs = rows.channels / width;
  block.x = static_cast<unsigned>(std::bit_ceil(static_cast<uint64_t>(std::min(packs, mostAcross))));
  block.y = threadsPerBlock / block.x;
  grid.x = static_cast<unsigned>(ceilDiv(packs, block.x));
  const int64_t most = std::clamp<int64_t>(blocksPerProcessor * context.processors / grid.x, 1, mostParts);
  grid.y = static_cast<unsigned>(std::clamp<int64_t>(ceilDiv(rows.rows, block.y * rowsPerThread), 1, most));
  channelGrid.x = static_cast<unsigned>(ceilDiv(rows.channels, threadsPerBlock));
  defines = typed(dtype, {{"V", std::to_string(width)}});
}

Epilogue::Epilogue(const Request& request, const Rows& rows, DType dtype, DType bias,
                   ops::Activation activation)
    : launch_(request.context, rows, dtype),
      function_(request.context.function("rows", "epilogue", withBias(launch_.defines, bias))),
      relu_(activation == ops::Activation::relu) {}

void Epilogue::enqueue(const void* x, const void* bias, const void* residual, void* y) const {
  function_.launch(launch_.grid, launch_.block, x, bias, residual, y, launch_.rows.rows,
                   launch_.rows.channels, relu_);
}

ChannelSums::ChannelSums(const Request& request, const Rows& rows, DType dtype, DType result,
                         Scratch& scratch)
    : launch_(request.context, rows, dtype),
      parts_(request.context.function("rows", "sumParts", withBias(launch_.defines, result))),
      totals_(request.context.function("rows", "sumTotals", withBias(launch_.defines, result))),
      offset_(scratch.add<float>(static_cast<int64_t>(launch_.grid.y) * rows.channels)) {}

void ChannelSums::enqueue(const void* x, const Pointers& pointers, void* sums) const {
  void* parts = scratchAt<float>(pointers, offset_);
  parts_.launch(launch_.grid, launch_.block, x, parts, launch_.rows.rows, launch_.rows.channels);
  totals_.launch(launch_.channelGrid, {threadsPerBlock}, parts, sums, static_cast<int>(launch_.grid.y),
                 launch_.rows.channels);
}

}  // namespace fovea::cuda

#include <algorithm>
#include <cstring>

#include "families.h"

namespace fovea::cpu {
namespace {

// Whether the parts of a concatenation meet where blocks of so many channels do.
bool meets(const Request& request, int64_t block) {
  for (size_t i = 0; i + 1 < request.operands.inputs.size(); ++i)
    if (request.input(i).shape[1] % block != 0) return false;
  return true;
}

// One format for all parts of a concatenation: the blocked one that a part comes in, if the parts meet at
// block boundaries; otherwise channels last or row-major, where any number of channels may be joined.
ViewedLayout commonFormat(const Request& request) {
  const TensorSpec& result = request.output(0);
  std::vector<ChannelView> views;
  for (size_t i = 0; i < request.operands.inputs.size(); ++i)
    if (const auto view = channelView(*request.inputLayout(i))) views.push_back(*view);
  for (const int64_t block : {16, 8})
    for (const ChannelView& view : views)
      if (view.lanes == block && meets(request, block)) return inFormatOf(view, result);
  const bool last = !views.empty() && std::all_of(views.begin(), views.end(), [](const ChannelView& view) {
    return view.lanes == view.channels && view.spatial > 1;
  });
  return viewed(result, last ? layoutOf(result, channelsLastDesc(result)) : plainLayout(result));
}

// What a concatenation writes, and whether its first part lies as the beginning of that.
struct ConcatFormat {
  ViewedLayout result;
  bool continues;
};

// With channels outermost the next concatenation can write behind what lies there, however many the images.
ConcatFormat concatFormat(const Request& request) {
  const auto first = channelView(*request.presentLayout(0));
  const bool continues = first && first->channelsOutermost && meets(request, first->lanes);
  const ViewedLayout format = continues ? inFormatOf(*first, request.output(0)) : commonFormat(request);
  if (!continues && !request.operands.outputs[0]->extended) return {format, false};
  return {viewed(request.output(0), channelsOutermost(format.layout)), continues};
}

// A part of a row that is copied whole, in bytes from the start of the row.
struct Piece {
  size_t input;
  int64_t from, to, bytes;
};

// Small enough for the threads to share the work evenly.
constexpr int64_t mostPieceBytes = 1 << 16;

struct Rows {
  int64_t bytes;
  std::vector<int64_t> indices;
};

Rows rowsOf(const TensorSpec& of, const std::vector<int64_t>& indices, int64_t limit) {
  const int64_t elements = of.shape[0] > 0 ? elementCount(of.shape) / of.shape[0] : 0;
  for (const int64_t index : indices)
    if (index < 0 || index >= limit)
      throw Error("INVALID_ARGUMENT", "row " + std::to_string(index) + " of " + std::to_string(limit));
  return {elements * static_cast<int64_t>(sizeOf(of.dtype)), indices};
}

}  // namespace

// Our own: oneDNN 2.6.3 falls to its reference where a part has a single block of channels.
KernelPtr prepare(const Request& request, const ops::Concat&) {
  const auto [result, continues] = concatFormat(request);
  const auto& [layout, to] = result;
  const bool channelsLast = to.lanes == to.channels && to.spatial > 1 && to.lanes > 1;
  auto kernel = std::make_unique<FunctionKernel>(request, "concat");
  kernel->outputs[0] = layout;
  // Channels last, an image is as many rows as it has pixels; otherwise one row.
  const int64_t rows = channelsLast ? to.batch * to.spatial : to.batch;
  const auto elementBytes = static_cast<int64_t>(sizeOf(request.output(0).dtype));
  std::vector<int64_t> inputRow;
  std::vector<Piece> pieces;
  int64_t start = 0;  // of the part in the output
  for (size_t i = 0; i < request.operands.inputs.size(); ++i) {
    const TensorSpec& spec = request.input(i);
    const auto [partLayout, part] =
        channelsLast ? viewed(spec, layoutOf(spec, channelsLastDesc(spec))) : inFormatOf(to, spec);
    const bool outermost = i == 0 && continues;
    kernel->inputs[i] = outermost ? channelsOutermost(partLayout) : partLayout;
    // Channels outermost, a row is in as many places as there are blocks of channels.
    const int64_t runs = to.channelsOutermost ? part.blocks : 1;
    const int64_t bytes = static_cast<int64_t>(partLayout->bytes()) / std::max<int64_t>(rows * runs, 1);
    const int64_t fromRun = outermost ? rows * bytes : bytes, toRun = rows * bytes;
    for (int64_t run = 0; run < runs; ++run)
      for (int64_t begin = 0; begin < bytes; begin += mostPieceBytes)
        pieces.push_back(
            {i, run * fromRun + begin, start + run * toRun + begin, std::min(mostPieceBytes, bytes - begin)});
    inputRow.push_back(outermost ? bytes : runs * bytes);
    start += to.channelsOutermost ? runs * toRun : bytes;
  }
  const int64_t outputRow = to.channelsOutermost ? to.row(1, 0) * elementBytes : start;
  // What follows a first part that lies in one piece can be put behind it.
  if (rows == 1 || continues) kernel->aliases = {{.output = 0, .input = 0, .required = false, .grows = true}};
  const int64_t firstPieces = std::ranges::count(pieces, size_t{0}, &Piece::input);
  kernel->body = [=, count = static_cast<int64_t>(pieces.size())](const Pointers& p) {
    const int64_t first = p.inputs[0] == p.outputs[0] ? firstPieces : 0;
#pragma omp parallel for collapse(2)
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t i = first; i < count; ++i) {
        const Piece& piece = pieces[i];
        std::memcpy(
            static_cast<char*>(p.outputs[0]) + row * outputRow + piece.to,
            static_cast<const char*>(p.inputs[piece.input]) + row * inputRow[piece.input] + piece.from,
            piece.bytes);
      }
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::Reshape&) {
  auto kernel = std::make_unique<FunctionKernel>(request, "reshape");
  kernel->aliases = {{0, 0, false}};
  kernel->body = [bytes = kernel->inputs[0]->bytes()](const Pointers& p) {
    copyBytes(p.outputs[0], p.inputs[0], bytes);
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::NormalizeImage& op) {
  const Shape& y = request.output(0).shape;
  if (request.input(0).dtype != DType::u8 || request.output(0).dtype != DType::f32)
    throw unsupported("takes u8 images to f32");
  const int64_t batch = y[0], channels = y[1], height = y[2], width = y[3], depth = request.input(0).shape[3];
  struct Channel {
    int64_t from;
    float scale, bias;
  };
  std::vector<Channel> plan;
  for (int64_t c = 0; c < channels; ++c) {
    plan.push_back({op.order.at(c), static_cast<float>(op.scale.at(c)), static_cast<float>(op.bias.at(c))});
    if (plan.back().from < 0 || plan.back().from >= depth)
      throw Error("INVALID_ARGUMENT", "no channel " + std::to_string(plan.back().from));
  }
  return std::make_unique<FunctionKernel>(request, "normalizeImage", [=](const Pointers& p) {
    const auto* images = static_cast<const uint8_t*>(p.inputs[0]);
    auto* target = static_cast<float*>(p.outputs[0]);
#pragma omp parallel for collapse(2)
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t h = 0; h < height; ++h) {
        const uint8_t* row = images + (n * height + h) * width * depth;
        for (int64_t c = 0; c < channels; ++c) {
          const auto [from, scale, bias] = plan[c];
          float* to = target + ((n * channels + c) * height + h) * width;
          for (int64_t w = 0; w < width; ++w)
            to[w] = static_cast<float>(row[w * depth + from]) * scale + bias;
        }
      }
  });
}

KernelPtr prepare(const Request& request, const ops::ScatterRows& op) {
  const TensorSpec &x = request.input(0), &y = request.output(0);
  const int64_t perRow = x.shape[0] > 0 ? elementCount(x.shape) / x.shape[0] : 1;
  const Rows rows = rowsOf(x, op.indices, elementCount(y.shape) / std::max<int64_t>(perRow, 1));
  return std::make_unique<FunctionKernel>(
      request, "scatterRows", [rows, bytes = plainLayout(y)->bytes()](const Pointers& p) {
        std::memset(p.outputs[0], 0, bytes);
        for (size_t r = 0; r < rows.indices.size(); ++r)
          std::memcpy(static_cast<char*>(p.outputs[0]) + rows.indices[r] * rows.bytes,
                      static_cast<const char*>(p.inputs[0]) + static_cast<int64_t>(r) * rows.bytes,
                      rows.bytes);
      });
}

KernelPtr prepare(const Request& request, const ops::GatherRows& op) {
  const TensorSpec &x = request.input(0), &y = request.output(0);
  const int64_t perRow = y.shape[0] > 0 ? elementCount(y.shape) / y.shape[0] : 1;
  const Rows rows = rowsOf(y, op.indices, elementCount(x.shape) / std::max<int64_t>(perRow, 1));
  return std::make_unique<FunctionKernel>(request, "gatherRows", [rows](const Pointers& p) {
    for (size_t r = 0; r < rows.indices.size(); ++r)
      std::memcpy(static_cast<char*>(p.outputs[0]) + static_cast<int64_t>(r) * rows.bytes,
                  static_cast<const char*>(p.inputs[0]) + rows.indices[r] * rows.bytes, rows.bytes);
  });
}

}  // namespace fovea::cpu

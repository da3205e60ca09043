#include <algorithm>

#include "families.h"
#include "own_kernels.h"
#include "status.h"

namespace fovea::cuda {
namespace {

// As in kernels/moves.cu.
constexpr size_t mostParts = 64;
struct Parts {
  const void* from[mostParts];
  unsigned width[mostParts], offset[mostParts];
};
constexpr size_t mostRows = 512;
struct RowTable {
  int source[mostRows];
};

Function moving(const Request& request, const char* name, const Unit& unit) {
  return request.context.function("moves", name, {{"FOVEA_UNIT", unit.name()}});
}

int64_t bytesOf(const TensorSpec& spec) {
  return elementCount(spec.shape) * static_cast<int64_t>(sizeOf(spec.dtype));
}

// A launch of `pickRows`: some rows of the result.
struct Picked {
  RowTable table;
  size_t offset;  // in bytes
  unsigned count;
  Dim3 grid;
};

// to[t] = from[source[t]], zeros where that is negative; rows of `bytes`.
KernelPtr pickRows(const Request& request, const char* name, const std::vector<int64_t>& source,
                   int64_t bytes) {
  const Unit unit{bytes};
  narrow(bytesOf(request.input(0)));
  const unsigned width = unit.count(bytes);
  std::vector<Picked> launches;
  for (size_t begin = 0; begin < source.size(); begin += mostRows) {
    const size_t rows = std::min(mostRows, source.size() - begin);
    Picked picked{.table = {},
                  .offset = begin * bytes,
                  .count = narrow(static_cast<int64_t>(rows) * width),
                  .grid = {}};
    std::transform(source.begin() + begin, source.begin() + begin + rows, picked.table.source,
                   [](int64_t row) { return static_cast<int>(row); });
    picked.grid = gridFor(request.context, picked.count);
    launches.push_back(picked);
  }
  auto kernel = std::make_unique<StreamKernel>(request, name);
  kernel->body = [function = moving(request, "pickRows", unit), launches = std::move(launches),
                  width](const Pointers& p) {
    for (const Picked& picked : launches)
      function.launch(picked.grid, {threadsPerBlock}, picked.table, in(p, 0), out<char>(p, 0) + picked.offset,
                      picked.count, width);
  };
  return kernel;
}

// Bytes of the rows that `indices` number, of which there are `limit`.
int64_t rowBytes(const TensorSpec& of, const std::vector<int64_t>& indices, int64_t limit) {
  for (const int64_t index : indices)
    if (index < 0 || index >= limit)
      throw Error("INVALID_ARGUMENT", "row " + std::to_string(index) + " of " + std::to_string(limit));
  return bytesOf(of) / of.shape[0];
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Concat&) {
  const TensorSpec& y = request.output(0);
  const auto size = static_cast<int64_t>(sizeOf(y.dtype));
  const size_t count = request.operands.inputs.size();
  auto kernel = std::make_unique<StreamKernel>(request, "concat");
  // Channels last, every pixel is a row; otherwise every image.
  const int64_t rows = y.shape.size() == 4 ? y.shape[0] * y.shape[2] * y.shape[3] : y.shape[0];
  kernel->outputs[0] = channelsLastLayout(y);
  Unit unit{bytesOf(y) / rows};
  for (size_t i = 0; i < count; ++i) {
    requireSameType(request.input(i), y);
    kernel->inputs[i] = channelsLastLayout(request.input(i));
    unit.divide(bytesOf(request.input(i)) / rows);
  }
  narrow(bytesOf(y) / size);

  struct Launch {
    size_t first;
    Parts parts;
    Dim3 grid;
  };
  std::vector<Launch> launches;
  unsigned offset = 0;
  for (size_t begin = 0; begin < count; begin += mostParts) {
    const size_t parts = std::min(mostParts, count - begin);
    Launch launch{.first = begin, .parts = {}, .grid = {}};
    unsigned widest = 0;
    for (size_t k = 0; k < parts; ++k) {
      const unsigned width = unit.count(bytesOf(request.input(begin + k)) / rows);
      launch.parts.width[k] = width;
      launch.parts.offset[k] = offset;
      offset += width;
      widest = std::max(widest, width);
    }
    launch.grid = gridFor(request.context, rows * widest);
    launch.grid.y = static_cast<unsigned>(parts);
    launches.push_back(launch);
  }
  kernel->body = [function = moving(request, "joinRows", unit), launches = std::move(launches),
                  rows = narrow(rows), width = offset](const Pointers& p) {
    for (const Launch& launch : launches) {
      Parts parts = launch.parts;
      for (unsigned k = 0; k < launch.grid.y; ++k) parts.from[k] = in(p, launch.first + k);
      function.launch(launch.grid, {threadsPerBlock}, parts, out(p, 0), rows, width);
    }
  };
  return kernel;
}

// Row-major order is what it keeps, so that channels last would have to be undone first.
KernelPtr prepare(const Request& request, const ops::Reshape&) {
  requireSameType(request.input(0), request.output(0));
  auto kernel = std::make_unique<StreamKernel>(request, "reshape");
  kernel->aliases = {{0, 0, false}};
  kernel->body = [context = request.shared, bytes = kernel->inputs[0]->bytes()](const Pointers& p) {
    if (in(p, 0) == out(p, 0)) return;
    FOVEA_CUDA_CALL(*context->libraries, runtime, cudaMemcpyAsync, out(p, 0), in(p, 0), bytes,
                    cudaMemcpyDeviceToDevice, context->stream);
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::ScatterRows& op) {
  const TensorSpec &x = request.input(0), &y = request.output(0);
  requireSameType(x, y);
  const int64_t limit = elementCount(y.shape) / (elementCount(x.shape) / x.shape[0]);
  const int64_t bytes = rowBytes(x, op.indices, limit);
  std::vector<int64_t> source(limit, -1);
  for (size_t r = 0; r < op.indices.size(); ++r) source[op.indices[r]] = static_cast<int64_t>(r);
  return pickRows(request, "scatterRows", source, bytes);
}

KernelPtr prepare(const Request& request, const ops::GatherRows& op) {
  const TensorSpec &x = request.input(0), &y = request.output(0);
  requireSameType(x, y);
  const int64_t limit = elementCount(x.shape) / (elementCount(y.shape) / y.shape[0]);
  return pickRows(request, "gatherRows", op.indices, rowBytes(y, op.indices, limit));
}

}  // namespace fovea::cuda

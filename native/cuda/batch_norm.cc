#include "families.h"
#include "rows.h"

// Our own, not cuDNN's: its running variance, its saved statistics and its fused ReLU (f16 only) are not the
// plan's.
namespace fovea::cuda {
namespace {

struct Norm {
  Norm(const Request& request, double eps, ops::Activation activation)
      : launch(request.context, rowsOf(request.input(0)), request.input(0).dtype),
        eps(eps),
        relu(activation == ops::Activation::relu) {
    requireFloating(request.input(0), "x");
  }

  Function function(const Request& request, const char* name) const {
    return request.context.function("batch_norm", name, launch.defines);
  }

  RowLaunch launch;
  double eps;
  int relu;
};

// x, and what is like it, channels last; the parameters as they are.
std::unique_ptr<StreamKernel> kernelFor(const Request& request, const char* name) {
  auto kernel = std::make_unique<StreamKernel>(request, std::string("fovea:") + name);
  kernel->inputs[0] = channelsLastLayout(request.input(0));
  kernel->outputs[0] = channelsLastLayout(request.output(0));
  return kernel;
}

void requireParameters(const Request& request, size_t first, size_t last) {
  for (size_t i = first; i <= last; ++i)
    if (request.hasInput(i)) requireF32(request.input(i), "a batch norm's parameters and statistics");
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::BatchNorm& op) {
  requireParameters(request, 1, 4);
  const Norm norm(request, op.eps, op.activation);
  auto kernel = kernelFor(request, "batchNorm");
  kernel->aliases = {{0, 0, false}};
  kernel->body = [norm, normalize = norm.function(request, "normalize")](const Pointers& p) {
    normalize.launch(norm.launch.grid, norm.launch.block, in(p, 0), in(p, 1), in(p, 2), in(p, 3), in(p, 4),
                     out(p, 0), norm.launch.rows.rows, norm.launch.rows.channels, norm.eps, norm.relu);
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::BatchNormTraining& op) {
  requireParameters(request, 1, 4);
  const Norm norm(request, op.eps, op.activation);
  const Rows rows = norm.launch.rows;
  const int partCount = static_cast<int>(norm.launch.grid.y);
  auto kernel = kernelFor(request, "batchNormTraining");
  kernel->aliases = {{0, 0, false}};
  for (const int running : {3, 4})
    if (request.hasInput(running) && request.hasOutput(running))
      kernel->aliases.push_back({running, running, true});
  // Count, mean and squares of every part.
  kernel->scratchBytes = static_cast<size_t>(partCount * rows.channels) * 3 * sizeof(float);
  kernel->body = [norm, rows, partCount, momentum = op.momentum,
                  momentParts = norm.function(request, "momentParts"),
                  moments = norm.function(request, "moments"),
                  normalize = norm.function(request, "normalize")](const Pointers& p) {
    const RowLaunch& launch = norm.launch;
    momentParts.launch(launch.grid, launch.block, in(p, 0), p.scratch, rows.rows, rows.channels);
    moments.launch(launch.channelGrid, {threadsPerBlock}, p.scratch, partCount, rows.channels, momentum,
                   out(p, 1), out(p, 2), in(p, 3), in(p, 4), out(p, 3), out(p, 4));
    normalize.launch(launch.grid, launch.block, in(p, 0), in(p, 1), in(p, 2), out(p, 1), out(p, 2), out(p, 0),
                     rows.rows, rows.channels, norm.eps, norm.relu);
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::BatchNormBackward& op) {
  requireParameters(request, 2, 5);
  const Norm norm(request, op.eps, op.activation);
  const Rows rows = norm.launch.rows;
  const bool summed = !op.runningStatistics || request.hasOutput(1) || request.hasOutput(2);
  const int partCount = summed ? static_cast<int>(norm.launch.grid.y) : 0;
  auto kernel = kernelFor(request, "batchNormBackward");
  kernel->inputs[1] = channelsLastLayout(request.input(1));
  kernel->aliases = {{0, 1, false}};
  Scratch scratch;
  const size_t parts = scratch.add<float>(2 * partCount * rows.channels),
               slopes = scratch.add<float>(2 * rows.channels);
  kernel->scratchBytes = scratch.bytes();
  kernel->body = [norm, rows, partCount, parts, slopes, constant = int{op.runningStatistics},
                  gradientParts = norm.function(request, "gradientParts"),
                  gradientTotals = norm.function(request, "gradientTotals"),
                  gradient = norm.function(request, "gradient")](const Pointers& p) {
    const RowLaunch& launch = norm.launch;
    const void *x = in(p, 0), *dy = in(p, 1), *gamma = in(p, 2), *beta = in(p, 3), *mean = in(p, 4),
               *variance = in(p, 5);
    float *part = scratchAt<float>(p, parts), *slope = scratchAt<float>(p, slopes);
    if (partCount > 0)
      gradientParts.launch(launch.grid, launch.block, x, dy, gamma, beta, mean, variance, part, rows.rows,
                           rows.channels, norm.eps, norm.relu);
    gradientTotals.launch(launch.channelGrid, {threadsPerBlock}, part, partCount, rows.channels, rows.rows,
                          variance, norm.eps, constant, out(p, 1), out(p, 2), slope);
    gradient.launch(launch.grid, launch.block, x, dy, gamma, beta, mean, variance, slope, out(p, 0),
                    rows.rows, rows.channels, norm.eps, norm.relu);
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::FoldBatchNorm& op) {
  requireParameters(request, 1, 5);
  requireFloating(request.input(0), "weight");
  const TensorSpec& weight = request.input(0);
  auto kernel = std::make_unique<StreamKernel>(request, "fovea:foldBatchNorm");
  kernel->inputs[0] = kernel->outputs[0] = channelsLastLayout(weight);
  const auto rows = static_cast<unsigned>(weight.shape[0]);
  kernel->body = [rows, size = elementCount(weight.shape) / weight.shape[0], eps = op.eps,
                  fold = request.context.function("batch_norm", "fold", typed(weight.dtype, {{"V", "1"}}))](
                     const Pointers& p) {
    fold.launch({rows}, {threadsPerBlock}, in(p, 0), in(p, 1), in(p, 2), in(p, 3), in(p, 4), in(p, 5),
                out(p, 0), out(p, 1), size, eps);
  };
  return kernel;
}

}  // namespace fovea::cuda

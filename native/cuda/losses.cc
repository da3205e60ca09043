#include <algorithm>
#include <bit>

#include "families.h"
#include "own_kernels.h"

namespace fovea::cuda {
namespace {

void requireGradientOf(const Request& request) {
  requireFloating(request.input(0), "the prediction");
  requireF32(request.output(0), "the loss");
  if (request.hasOutput(1)) requireSameType(request.input(0), request.output(1));
}

// The loss of every row, and then their sum. All kernels take (rows, labels, losses, gradients or none,
// classes, parameter, weight of a row).
KernelPtr meanOverRows(const Request& request, const char* name, const char* function, double parameter,
                       double weight) {
  requireGradientOf(request);
  const TensorSpec& x = request.input(0);
  elementsOf(x);
  const int64_t batch = x.shape.at(0), classes = elementCount(x.shape) / batch;
  const unsigned threads = std::clamp(std::bit_ceil(narrow(classes)), 32u, threadsPerBlock);
  auto kernel = std::make_unique<StreamKernel>(request, name);
  kernel->scratchBytes = static_cast<size_t>(batch) * sizeof(double);
  kernel->body = [rows = request.context.function("losses", function, typed(x.dtype)),
                  sum = request.context.function("sums", "scaledSum"), batch = narrow(batch),
                  classes = narrow(classes), threads, parameter = static_cast<float>(parameter),
                  share = weight / static_cast<double>(batch)](const Pointers& p) {
    rows.launch({batch}, {threads}, in(p, 0), in(p, 1), p.scratch, out(p, 1), classes, parameter,
                static_cast<float>(share));
    sum.launch({1}, {threadsPerBlock}, p.scratch, out(p, 0), batch, share);
  };
  return kernel;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::SoftmaxCrossEntropy& op) {
  const DType labels = request.input(1).dtype;
  if (labels != DType::i32 && labels != DType::f32)
    throw unsupported(std::string("takes labels that are i32 classes or f32 distributions, not ") +
                      nameOf(labels));
  const char* function = labels == DType::i32 ? "crossEntropyOfClasses" : "crossEntropyOfDistributions";
  return meanOverRows(request, "softmaxCrossEntropy", function, op.labelSmoothing, op.weight);
}

KernelPtr prepare(const Request& request, const ops::RadialBasisLoss& op) {
  if (request.input(1).dtype != DType::i32)
    throw unsupported(std::string("takes i32 labels, not ") + nameOf(request.input(1).dtype));
  return meanOverRows(request, "radialBasisLoss", "radialBasisLoss", op.j, op.weight);
}

KernelPtr prepare(const Request& request, const ops::MeanSquaredError& op) {
  requireGradientOf(request);
  requireF32(request.input(1), "the target");
  static constexpr unsigned part = 1 << 13;
  const TensorSpec& y = request.input(0);
  const unsigned count = elementsOf(y);
  const auto parts = narrow(ceilDiv(count, part));
  const bool last = isChannelsLast(*request.inputLayout(0), y.shape);
  auto kernel = std::make_unique<StreamKernel>(request, "meanSquaredError");
  kernel->inputs[0] = layoutAs(y, last);
  kernel->inputs[1] = layoutAs(request.input(1), last);
  if (request.hasOutput(1)) kernel->outputs[1] = layoutAs(request.output(1), last);
  kernel->scratchBytes = parts * sizeof(double);
  kernel->body = [errors = request.context.function("losses", "squaredErrors", typed(y.dtype)),
                  sum = request.context.function("sums", "scaledSum"), count, parts,
                  share = op.weight / count](const Pointers& p) {
    errors.launch({parts}, {threadsPerBlock}, in(p, 0), in(p, 1), p.scratch, out(p, 1), count, part,
                  static_cast<float>(2 * share));
    sum.launch({1}, {threadsPerBlock}, p.scratch, out(p, 0), parts, share);
  };
  return kernel;
}

}  // namespace fovea::cuda

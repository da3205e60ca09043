#include <algorithm>
#include <map>

#include "families.h"
#include "own_kernels.h"
#include "status.h"

namespace fovea::cuda {
namespace {

// As in kernels/sums.cu.
constexpr size_t mostTensors = 128;
struct Tensors {
  const void* data[mostTensors];
  unsigned elements[mostTensors], first[mostTensors + 1];
};

constexpr unsigned partElements = 1 << 14;

// Some of the tensors, of one type, whose parts one launch sums.
struct Group {
  Function function;
  std::vector<size_t> operands;
  Tensors tensors{};
  size_t offset = 0;  // in scratch
};

Group groupOf(const Request& request, DType dtype, std::vector<size_t> operands) {
  Group group{request.context.function("sums", "squaresOfTensors", typed(dtype)), std::move(operands)};
  Tensors& t = group.tensors;
  for (size_t k = 0; k < group.operands.size(); ++k) {
    t.elements[k] = elementsOf(request.input(group.operands[k]));
    t.first[k + 1] = t.first[k] + narrow(ceilDiv(t.elements[k], partElements));
  }
  return group;
}

// Operand 0 and output 0 are one f32 tensor, which is updated as it lies; operand 1, if there, comes in its
// layout. A tensor that may still be kept otherwise takes on the layout of what it is made from.
std::unique_ptr<StreamKernel> inPlace(const Request& request, const char* name) {
  const TensorSpec& kept = request.input(0);
  requireF32(kept, "what is updated");
  LayoutPtr layout = request.inputLayout(0);
  if (request.hasInput(1)) {
    requireFloating(request.input(1), "what is added");
    const LayoutPtr other = request.inputLayout(1);
    if (request.operands.inputs[0]->movable && other->elementwise())
      layout = layoutAs(kept, isChannelsLast(*other, kept.shape));
  }
  if (!layout->elementwise()) throw unsupported("what lies in " + layout->name() + " cannot be updated");
  auto kernel = std::make_unique<StreamKernel>(request, name);
  kernel->inputs[0] = kernel->outputs[0] = layout;
  if (request.hasInput(1))
    kernel->inputs[1] = layoutAs(request.input(1), isChannelsLast(*layout, kept.shape));
  kernel->aliases = {{0, 0, true}};
  return kernel;
}

// sum = keep * sum + share * x
KernelPtr mixing(const Request& request, const char* name, double keep, double share) {
  auto kernel = inPlace(request, name);
  const unsigned count = elementsOf(request.input(0));
  kernel->body = [mix = request.context.function("optimizers", "mix", typed(request.input(1).dtype)), count,
                  grid = gridFor(request.context, ceilDiv(count, 4)), keep = static_cast<float>(keep),
                  share = static_cast<float>(share)](const Pointers& p) {
    mix.launch(grid, {threadsPerBlock}, out(p, 0), in(p, 1), count, keep, share);
  };
  return kernel;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::GradientNorm&) {
  requireF32(request.output(0), "the norm");
  auto kernel = std::make_unique<StreamKernel>(request, "gradientNorm");
  std::map<DType, std::vector<size_t>> byType;
  for (size_t i = 0; i < request.operands.inputs.size(); ++i) {
    if (!request.hasInput(i)) continue;
    requireFloating(request.input(i), "a gradient");
    const LayoutPtr layout = request.inputLayout(i);
    if (layout->elementwise()) kernel->inputs[i] = layout;
    byType[request.input(i).dtype].push_back(i);
  }
  std::vector<Group> groups;
  unsigned parts = 0;
  for (const auto& [dtype, operands] : byType)
    for (size_t begin = 0; begin < operands.size(); begin += mostTensors) {
      const size_t end = std::min(operands.size(), begin + mostTensors);
      groups.push_back(groupOf(request, dtype, {operands.begin() + begin, operands.begin() + end}));
      groups.back().offset = parts * sizeof(double);
      parts += groups.back().tensors.first[end - begin];
    }
  kernel->scratchBytes = parts * sizeof(double);
  kernel->body = [groups = std::move(groups), root = request.context.function("sums", "rootOfSum"),
                  parts](const Pointers& p) {
    for (const Group& group : groups) {
      Tensors tensors = group.tensors;
      const auto count = static_cast<unsigned>(group.operands.size());
      for (unsigned k = 0; k < count; ++k) tensors.data[k] = in(p, group.operands[k]);
      group.function.launch({tensors.first[count]}, {threadsPerBlock}, tensors,
                            scratchAt<double>(p, group.offset), count, partElements);
    }
    root.launch({1}, {threadsPerBlock}, p.scratch, out(p, 0), parts);
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::Accumulate&) {
  return mixing(request, "accumulate", 1, 1);
}

KernelPtr prepare(const Request& request, const ops::MovingAverage& op) {
  return mixing(request, "movingAverage", op.decay, 1 - op.decay);
}

KernelPtr prepare(const Request& request, const ops::Clear&) {
  auto kernel = inPlace(request, "clear");
  kernel->body = [context = request.shared, bytes = kernel->outputs[0]->bytes()](const Pointers& p) {
    FOVEA_CUDA_CALL(*context->libraries, runtime, cudaMemsetAsync, out(p, 0), 0, bytes, context->stream);
  };
  return kernel;
}

}  // namespace fovea::cuda

#include <algorithm>
#include <map>

#include "families.h"
#include "updates.h"

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

// As in kernels/optimizers.cu.
struct Mix {
  float keep, share;
};

// sum = keep * sum + share * x. A sum that may still be kept otherwise takes on the layout of what it is made
// from.
KernelPtr mixing(const Request& request, const char* name, double keep, double share) {
  const TensorSpec &kept = request.input(0), &x = request.input(1);
  requireF32(kept, "what is updated");
  requireFloating(x, "what is added");
  const LayoutPtr other = request.inputLayout(1);
  const bool follow = request.operands.inputs[0]->movable && other->elementwise();
  const LayoutPtr layout =
      follow ? layoutAs(kept, isChannelsLast(*other, kept.shape)) : request.inputLayout(0);
  const Mix mix{static_cast<float>(keep), static_cast<float>(share)};
  return std::make_unique<UpdateKernel>(
      request, name, layout, "mix" + kernelType(x.dtype) + bytesOf(mix),
      [function = request.context.function("optimizers", "mix", typed(x.dtype)), mix](
          Dim3 grid, const UpdatedTensors& tensors, const Pointers&) {
        function.launch(grid, {threadsPerBlock}, tensors, mix);
      });
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
  requireF32(request.input(0), "what is cleared");
  return std::make_unique<UpdateKernel>(request, "clear", request.inputLayout(0), "clear",
                                        [function = request.context.function("optimizers", "clear")](
                                            Dim3 grid, const UpdatedTensors& tensors, const Pointers&) {
                                          function.launch(grid, {threadsPerBlock}, tensors);
                                        });
}

}  // namespace fovea::cuda

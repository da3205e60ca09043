#include "graph_engines.h"

#include <algorithm>

#include "memory.h"

namespace cudasim {
namespace {

std::string nameOf(const GraphTensor& tensor) { return "tensor " + std::to_string(tensor.id); }

bool isHeavy(const Operation& operation) { return operation.kind <= Operation::Kind::backwardFilter; }

// Precompiled engines know one convolution with pointwise operations behind it.
void requireKnownPattern(const OperationGraph& graph) {
  int64_t heavy = 0;
  for (const OperationPtr& operation : graph.operations) heavy += isHeavy(*operation);
  require(heavy <= 1, CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN,
          "more than one convolution in a graph");
  require(heavy == 0 || isHeavy(*graph.operations[0]), CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN,
          "something comes before the convolution");
  require(graph.outputs.size() == 1, CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN,
          "a graph with " + std::to_string(graph.outputs.size()) + " outputs");
}

void requireInside(const GraphTensor& tensor, const void* pointer) {
  require(reinterpret_cast<uintptr_t>(pointer) % static_cast<uintptr_t>(tensor.alignment) == 0,
          CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER,
          nameOf(tensor) + " is not aligned to " + std::to_string(tensor.alignment) + " bytes");
  if (!tensor.byValue) requireOnDevice(tensor.span, pointer, nameOf(tensor));
}

}  // namespace

std::vector<Engine> enginesFor(std::shared_ptr<const OperationGraph> graph) {
  requireKnownPattern(*graph);
  const Operation& first = *graph->operations[0];
  const bool floats = first.inputs[0]->span.type == CUDNN_DATA_FLOAT;
  const bool winograd = first.kind <= Operation::Kind::backwardData && first.unitStride3x3;
  std::vector<Engine> engines;
  const auto add = [&](std::vector<cudnnBackendNumericalNote_t> notes, int64_t workspace) -> Engine& {
    Engine engine;
    engine.graph = graph;
    engine.index = static_cast<int64_t>(engines.size());
    engine.numericalNotes = std::move(notes);
    engine.workspaceBytes = workspace;
    for (const auto note : engine.numericalNotes) {
      engine.nondeterministic |= note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
      engine.tf32 |= floats && note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    }
    engines.push_back(std::move(engine));
    return engines.back();
  };
  if (isHeavy(first)) {
    if (floats) {
      add({CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}, 0);
      add({CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, 1 << 16);
    } else {
      add({CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 0);
      add({CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION}, 512);
    }
    if (winograd) add({CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4}, 1 << 14);
    add({CUDNN_NUMERICAL_NOTE_FFT}, int64_t{8} << 30);
    add({CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, 1 << 12);
    add({}, int64_t{1} << 42);  // whoever takes it has forgotten to limit the workspace
    add({}, 256).finalizes = false;
    add({}, 1 << 10);
    add({}, 0);
  }
  // Anything can be compiled at run time, and takes long to.
  Engine& compiled = add({}, isHeavy(first) ? 1 << 13 : 0);
  compiled.behaviorNotes = {CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION};
  return engines;
}

void checkPack(const Engine& engine, const VariantPack& pack) {
  const auto pointerOf = [&](const GraphTensorPtr& tensor) {
    const auto found = pack.pointers.find(tensor->id);
    require(found != pack.pointers.end(), CUDNN_STATUS_BAD_PARAM,
            "the variant pack lacks " + nameOf(*tensor));
    requireInside(*tensor, found->second);
    return reinterpret_cast<uintptr_t>(found->second);
  };
  for (const GraphTensorPtr& output : engine.graph->outputs) {
    const uintptr_t begin = pointerOf(output), end = begin + output->span.bytes();
    for (const GraphTensorPtr& input : engine.graph->inputs) {
      const uintptr_t from = pointerOf(input), to = from + input->span.bytes();
      if (input->byValue || from >= end || begin >= to) continue;
      // Only what is read element by element may be overwritten by the result.
      const bool elementwise =
          std::ranges::none_of(engine.graph->operations, [&](const OperationPtr& operation) {
            return operation->kind != Operation::Kind::pointwise &&
                   std::ranges::find(operation->inputs, input) != operation->inputs.end();
          });
      require(elementwise && from == begin && input->span == output->span, CUDNN_STATUS_BAD_PARAM,
              nameOf(*output) + " lies over " + nameOf(*input));
    }
  }
  if (engine.workspaceBytes == 0) return;
  require(pack.workspace != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER,
          "the variant pack lacks a workspace");
  require(reinterpret_cast<uintptr_t>(pack.workspace) % 16 == 0, CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER,
          "the workspace is not aligned to 16 bytes");
  require(
      deviceMemory().covers(pack.workspace, static_cast<size_t>(engine.workspaceBytes)),
      CUDNN_STATUS_BAD_PARAM,
      "the workspace's " + std::to_string(engine.workspaceBytes) + " bytes do not lie inside device memory");
}

void execute(const Engine& engine, const VariantPack& pack) {
  checkPack(engine, pack);
  // Nothing may lie there: every byte is written.
  if (engine.workspaceBytes > 0)
    std::memset(pack.workspace, 0xa5, static_cast<size_t>(engine.workspaceBytes));
  std::map<int64_t, std::vector<double>> values;
  for (const GraphTensorPtr& input : engine.graph->inputs)
    values[input->id] = gather(input->span, pack.pointers.at(input->id));
  for (const OperationPtr& operation : engine.graph->operations) {
    std::vector<std::vector<double>> inputs;
    for (const GraphTensorPtr& input : operation->inputs) inputs.push_back(values.at(input->id));
    if (isHeavy(*operation) && engine.tf32)
      for (auto& array : inputs)
        for (double& value : array) value = roundedToTf32(value);
    std::vector<double> result = operation->compute(inputs);
    const TensorSpan& span = operation->output->span;
    if (isHeavy(*operation) && engine.nondeterministic)
      for (double& value : result)
        if (State::instance().random() % 2) value *= 1 + 0x1p-22;
    if (operation->alpha != 1)
      for (double& value : result) value *= operation->alpha;
    if (operation->beta != 0 && !operation->output->isVirtual) {
      const std::vector<double> before = gather(span, pack.pointers.at(operation->output->id));
      for (size_t i = 0; i < result.size(); ++i) result[i] += operation->beta * before[i];
    }
    for (double& value : result) value = rounded(value, span.type);
    values[operation->output->id] = std::move(result);
  }
  for (const GraphTensorPtr& output : engine.graph->outputs)
    scatter(output->span, pack.pointers.at(output->id), values.at(output->id));
}

}  // namespace cudasim

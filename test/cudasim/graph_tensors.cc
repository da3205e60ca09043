#include <algorithm>
#include <set>

#include "cudnn_handle.h"
#include "graph_operations.h"

namespace cudasim {

std::shared_ptr<const Finalized> finalizeTensor(const Descriptor& d) {
  auto tensor = std::make_shared<GraphTensor>();
  tensor->span.type = d.value(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_DATA_FLOAT);
  tensor->span.dims = d.values<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  tensor->span.strides = d.values<int64_t>(CUDNN_ATTR_TENSOR_STRIDES);
  tensor->id = d.value<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID, 0);
  tensor->alignment = d.value<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 0);
  tensor->isVirtual = d.value(CUDNN_ATTR_TENSOR_IS_VIRTUAL, false);
  tensor->byValue = d.value(CUDNN_ATTR_TENSOR_IS_BY_VALUE, false);
  const auto& [type, dims, strides] = tensor->span;
  require(isKnown(type), CUDNN_STATUS_BAD_PARAM, "unknown data type " + std::to_string(type));
  require(dims.size() == strides.size(), CUDNN_STATUS_BAD_PARAM,
          std::to_string(dims.size()) + " dimensions and " + std::to_string(strides.size()) + " strides");
  require(std::ranges::all_of(dims, [](int64_t dim) { return dim > 0; }), CUDNN_STATUS_BAD_PARAM,
          "dimensions " + spell(dims));
  require(std::ranges::all_of(strides, [](int64_t stride) { return stride > 0; }), CUDNN_STATUS_BAD_PARAM,
          "strides " + spell(strides));
  const int64_t alignment = tensor->alignment;
  require(alignment > 0 && (alignment & (alignment - 1)) == 0 &&
              alignment % static_cast<int64_t>(sizeOf(type)) == 0,
          CUDNN_STATUS_BAD_PARAM, "an alignment of " + std::to_string(alignment) + " bytes");
  require(d.value<int64_t>(CUDNN_ATTR_TENSOR_VECTOR_COUNT, 1) == 1, CUDNN_STATUS_NOT_SUPPORTED_LAYOUT,
          "vectorized tensors are not simulated");
  return tensor;
}

namespace {

// Puts operations into an order in which each finds what it reads.
std::vector<OperationPtr> ordered(std::vector<OperationPtr> operations) {
  std::set<int64_t> pending;
  for (const auto& operation : operations) pending.insert(operation->output->id);
  std::vector<OperationPtr> result;
  while (!operations.empty()) {
    const auto next = std::ranges::find_if(operations, [&](const OperationPtr& operation) {
      return std::ranges::none_of(operation->inputs,
                                  [&](const GraphTensorPtr& input) { return pending.contains(input->id); });
    });
    require(next != operations.end(), CUDNN_STATUS_BAD_PARAM, "the graph has a cycle");
    pending.erase((*next)->output->id);
    result.push_back(*next);
    operations.erase(next);
  }
  return result;
}

}  // namespace

std::shared_ptr<const Finalized> finalizeGraph(const Descriptor& d) {
  auto graph = std::make_shared<OperationGraph>();
  graph->device = cudnnHandle(d.value<cudnnHandle_t>(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, nullptr))->device;
  std::vector<OperationPtr> operations;
  for (const DescriptorPtr& child : d.children(CUDNN_ATTR_OPERATIONGRAPH_OPS)) {
    require(child->finalized, CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "an operation is not finalized");
    const auto operation = std::dynamic_pointer_cast<const Operation>(child->meaning);
    require(operation != nullptr, CUDNN_STATUS_BAD_PARAM, "something in the graph is no operation");
    operations.push_back(operation);
  }
  std::map<int64_t, GraphTensorPtr> tensors;
  const auto meet = [&](const GraphTensorPtr& tensor) {
    const auto [known, isNew] = tensors.emplace(tensor->id, tensor);
    const GraphTensor& other = *known->second;
    require(isNew || (other.span == tensor->span && other.isVirtual == tensor->isVirtual),
            CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES,
            "two tensors have the id " + std::to_string(tensor->id) + ": " + spell(other.span) + " and " +
                spell(tensor->span));
  };
  std::map<int64_t, GraphTensorPtr> written, read;
  for (const auto& operation : operations) {
    for (const auto& input : operation->inputs) meet(input), read.emplace(input->id, input);
    meet(operation->output);
    require(written.emplace(operation->output->id, operation->output).second,
            CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES,
            "tensor " + std::to_string(operation->output->id) + " is written twice");
  }
  for (const auto& [id, tensor] : tensors)
    require(!tensor->isVirtual || (written.contains(id) && read.contains(id)), CUDNN_STATUS_BAD_PARAM,
            "virtual tensor " + std::to_string(id) + " is not both written and read");
  graph->operations = ordered(std::move(operations));
  for (const auto& [id, tensor] : read)
    if (!written.contains(id)) graph->inputs.push_back(tensor);
  for (const auto& [id, tensor] : written)
    if (!tensor->isVirtual) graph->outputs.push_back(tensor);
  return graph;
}

}  // namespace cudasim

#pragma once
#include <functional>

#include "convolution.h"
#include "graph_descriptor.h"

namespace cudasim {

// A tensor of a graph.
struct GraphTensor : Finalized {
  TensorSpan span;
  int64_t id, alignment;
  bool isVirtual, byValue;
};
using GraphTensorPtr = std::shared_ptr<const GraphTensor>;

// How an engine computes.
struct Arithmetic {
  bool tf32 = false;
};

// An operation of a graph, which takes and gives dense arrays.
struct Operation : Finalized {
  enum class Kind { convolution, backwardData, backwardFilter, pointwise } kind;
  std::vector<GraphTensorPtr> inputs;
  GraphTensorPtr output;
  double alpha = 1, beta = 0;  // result = alpha * value + beta * what is there
  bool unitStride3x3 = false;  // what Winograd can do
  std::function<std::vector<double>(const std::vector<std::vector<double>>& inputs)> compute;
  cudnnDataType_t computeType = CUDNN_DATA_FLOAT;
};
using OperationPtr = std::shared_ptr<const Operation>;

struct OperationGraph : Finalized {
  std::vector<OperationPtr> operations;         // in an order in which they can run
  std::vector<GraphTensorPtr> inputs, outputs;  // those that are not virtual
  int device;
};

// Check a descriptor's attributes, and say what it means. Throw a Refusal.
std::shared_ptr<const Finalized> finalizeTensor(const Descriptor& descriptor);
std::shared_ptr<const Finalized> finalizeConvolution(const Descriptor& descriptor);
std::shared_ptr<const Finalized> finalizePointwise(const Descriptor& descriptor);
std::shared_ptr<const Finalized> finalizeOperation(const Descriptor& descriptor);
std::shared_ptr<const Finalized> finalizeGraph(const Descriptor& descriptor);

}  // namespace cudasim

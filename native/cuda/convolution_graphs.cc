#include "convolution_graphs.h"

#include <algorithm>

namespace fovea::cuda {
namespace {

std::shared_ptr<OperationGraph> graphOf(const CudnnLibrary& library, const PaddedGeometry& geometry,
                                        const ConvolutionTensors& tensors) {
  auto graph = std::make_shared<OperationGraph>(library.libraries, library.handle);
  graph->tensor(xNumber, cudnnType(tensors.x.dtype), geometry.x);
  graph->tensor(weightNumber, cudnnType(tensors.weight.dtype), tensors.weight.shape);
  graph->tensor(yNumber, cudnnType(tensors.y.dtype), tensors.y.shape);
  return graph;
}

}  // namespace

PaddedGeometry::PaddedGeometry(const ops::ConvolutionGeometry& op, const Shape& image) : x(image) {
  const auto& [before, leftOf, after, rightOf] = op.padding;
  const int64_t rows = std::min(before, after), columns = std::min(leftOf, rightOf);
  top = before - rows;
  left = leftOf - columns;
  x[2] += before + after - 2 * rows;
  x[3] += leftOf + rightOf - 2 * columns;
  padded = x != image;
  const std::vector<int64_t> both{rows, columns};
  graph = {{op.stride[0], op.stride[1]}, both, both, {op.dilation[0], op.dilation[1]}};
}

std::shared_ptr<const OperationGraph> convolutionGraph(const CudnnLibrary& library,
                                                       OperationGraph::Convolution kind,
                                                       const PaddedGeometry& geometry,
                                                       const ConvolutionTensors& tensors) {
  const auto graph = graphOf(library, geometry, tensors);
  graph->convolution(kind, geometry.graph, xNumber, weightNumber, yNumber);
  graph->finalize();
  return graph;
}

std::shared_ptr<const OperationGraph> fusedGraph(const CudnnLibrary& library, const PaddedGeometry& geometry,
                                                 const ConvolutionTensors& tensors,
                                                 const Additions& additions) {
  const auto graph = graphOf(library, geometry, tensors);
  int steps = additions.bias + additions.residual + additions.relu;
  int64_t between = firstBetween;
  // The next tensor of the sequence: the result itself when nothing follows.
  const auto next = [&]() -> int64_t {
    if (steps-- == 0) return yNumber;
    graph->tensor(between, CUDNN_DATA_FLOAT, tensors.y.shape, false);
    return between++;
  };
  int64_t value = next();
  graph->convolution(OperationGraph::Convolution::forward, geometry.graph, xNumber, weightNumber, value);
  const auto follow = [&](const auto& operation) {
    const int64_t to = next();
    operation(value, to);
    value = to;
  };
  if (additions.residual) {
    graph->tensor(residualNumber, cudnnType(tensors.y.dtype), tensors.y.shape);
    follow([&](int64_t from, int64_t to) { graph->add(from, residualNumber, to); });
  }
  if (additions.bias) {
    graph->tensor(biasNumber, cudnnType(tensors.bias), {1, tensors.y.shape[1], 1, 1});
    follow([&](int64_t from, int64_t to) { graph->add(from, biasNumber, to); });
  }
  if (additions.relu) follow([&](int64_t from, int64_t to) { graph->relu(from, to); });
  graph->finalize();
  return graph;
}

}  // namespace fovea::cuda

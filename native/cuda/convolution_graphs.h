#pragma once
#include "cudnn_graph.h"
#include "ops.h"

namespace fovea::cuda {

// Tensors of the graphs.
enum ConvolutionNumber : int64_t {
  xNumber = 1,
  weightNumber,
  yNumber,
  biasNumber,
  residualNumber,
  firstBetween
};

// cuDNN pads both sides of an image alike. What one side has beyond the other is added to the image
// beforehand.
struct PaddedGeometry {
  PaddedGeometry(const ops::ConvolutionGeometry& op, const Shape& image);

  Shape x;                    // as cuDNN sees it
  int64_t top = 0, left = 0;  // where the image begins in it
  OperationGraph::Geometry graph;
  bool padded = false;
};

struct CudnnLibrary {
  std::shared_ptr<const Libraries> libraries;
  cudnnHandle_t handle = nullptr;  // without it graphs are described only
};

struct ConvolutionTensors {
  TensorSpec x, weight, y;
  DType bias = DType::f32;
};

// What a forward convolution adds to its product.
struct Additions {
  bool bias = false, residual = false, relu = false;
  bool any() const { return bias || residual || relu; }
};

// Both throw where cuDNN cannot take them.
std::shared_ptr<const OperationGraph> convolutionGraph(const CudnnLibrary& library,
                                                       OperationGraph::Convolution kind,
                                                       const PaddedGeometry& geometry,
                                                       const ConvolutionTensors& tensors);
// The product and then sum, bias and ReLU, in the order that cuDNN's fused kernels have.
std::shared_ptr<const OperationGraph> fusedGraph(const CudnnLibrary& library, const PaddedGeometry& geometry,
                                                 const ConvolutionTensors& tensors,
                                                 const Additions& additions);

}  // namespace fovea::cuda

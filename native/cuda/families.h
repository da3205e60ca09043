#pragma once
#include "ops.h"
#include "request.h"

// What the backend dispatches an instruction to, by the type of its attributes; one file a family.
namespace fovea::cuda {

// convolution.cc
KernelPtr prepare(const Request&, const ops::Convolution&);
KernelPtr prepare(const Request&, const ops::ConvolutionBackwardData&);
KernelPtr prepare(const Request&, const ops::ConvolutionBackwardWeights&);
// pooling.cc
KernelPtr prepare(const Request&, const ops::Pooling&);
KernelPtr prepare(const Request&, const ops::PoolingBackward&);
// adaptive_pooling.cc
KernelPtr prepare(const Request&, const ops::AdaptiveAveragePooling&);
KernelPtr prepare(const Request&, const ops::AdaptiveAveragePoolingBackward&);
// batch_norm.cc
KernelPtr prepare(const Request&, const ops::BatchNorm&);
KernelPtr prepare(const Request&, const ops::BatchNormTraining&);
KernelPtr prepare(const Request&, const ops::BatchNormBackward&);
KernelPtr prepare(const Request&, const ops::FoldBatchNorm&);
// local_response_norm.cc
KernelPtr prepare(const Request&, const ops::LocalResponseNorm&);
KernelPtr prepare(const Request&, const ops::LocalResponseNormBackward&);
// linear.cc
KernelPtr prepare(const Request&, const ops::Linear&);
KernelPtr prepare(const Request&, const ops::LinearBackwardData&);
KernelPtr prepare(const Request&, const ops::LinearBackwardWeights&);
// elementwise.cc
KernelPtr prepare(const Request&, const ops::Elementwise&);
KernelPtr prepare(const Request&, const ops::ElementwiseBackward&);
KernelPtr prepare(const Request&, const ops::Add&);
// softmax.cc
KernelPtr prepare(const Request&, const ops::Softmax&);
KernelPtr prepare(const Request&, const ops::SoftmaxBackward&);
// dropout.cc
KernelPtr prepare(const Request&, const ops::Dropout&);
// radial_basis.cc
KernelPtr prepare(const Request&, const ops::RadialBasis&);
KernelPtr prepare(const Request&, const ops::RadialBasisBackward&);
// channels.cc
KernelPtr prepare(const Request&, const ops::ScaleChannels&);
KernelPtr prepare(const Request&, const ops::ScaleChannelsBackward&);
// shifts.cc
KernelPtr prepare(const Request&, const ops::Slice&);
KernelPtr prepare(const Request&, const ops::SliceBackward&);
KernelPtr prepare(const Request&, const ops::SubsamplePad&);
KernelPtr prepare(const Request&, const ops::SubsamplePadBackward&);
KernelPtr prepare(const Request&, const ops::Pad&);
KernelPtr prepare(const Request&, const ops::PadBackward&);
// moves.cc
KernelPtr prepare(const Request&, const ops::Concat&);
KernelPtr prepare(const Request&, const ops::Reshape&);
KernelPtr prepare(const Request&, const ops::ScatterRows&);
KernelPtr prepare(const Request&, const ops::GatherRows&);
// normalize_image.cc
KernelPtr prepare(const Request&, const ops::NormalizeImage&);
// quantization.cc
KernelPtr prepare(const Request&, const ops::Quantize&);
KernelPtr prepare(const Request&, const ops::Dequantize&);
KernelPtr prepare(const Request&, const ops::QuantizeWeights&);
KernelPtr prepare(const Request&, const ops::QuantizedConvolution&);
// losses.cc
KernelPtr prepare(const Request&, const ops::SoftmaxCrossEntropy&);
KernelPtr prepare(const Request&, const ops::MeanSquaredError&);
KernelPtr prepare(const Request&, const ops::RadialBasisLoss&);
// optimizers.cc
KernelPtr prepare(const Request&, const ops::Sgd&);
KernelPtr prepare(const Request&, const ops::RmsProp&);
KernelPtr prepare(const Request&, const ops::Adam&);
// loss_scaling.cc
KernelPtr prepare(const Request&, const ops::ScaleGradient&);
KernelPtr prepare(const Request&, const ops::UnscaleGradients&);
// gradients.cc
KernelPtr prepare(const Request&, const ops::GradientNorm&);
KernelPtr prepare(const Request&, const ops::Accumulate&);
KernelPtr prepare(const Request&, const ops::Clear&);
KernelPtr prepare(const Request&, const ops::MovingAverage&);

// reorder.cc
KernelPtr prepareReorder(const std::shared_ptr<const Context>&, const TensorSpec&, const LayoutPtr& from,
                         const LayoutPtr& to);

}  // namespace fovea::cuda

#include "families.h"

// Families that are not written yet: each refuses by name.
namespace fovea::cuda {
namespace {

template <class Op>
KernelPtr refuse(const Op&) {
  throw unsupported(std::string(Op::name) + " is not available on CUDA devices yet");
}

}  // namespace

KernelPtr prepare(const Request&, const ops::AdaptiveAveragePooling& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::AdaptiveAveragePoolingBackward& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::Dropout& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::RadialBasis& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::RadialBasisBackward& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::ScaleChannels& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::ScaleChannelsBackward& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::Slice& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::SliceBackward& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::SubsamplePad& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::SubsamplePadBackward& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::Pad& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::PadBackward& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::Concat& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::Reshape& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::NormalizeImage& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::ScatterRows& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::GatherRows& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::SoftmaxCrossEntropy& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::MeanSquaredError& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::RadialBasisLoss& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::Sgd& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::RmsProp& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::Adam& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::GradientNorm& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::Accumulate& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::Clear& op) { return refuse(op); }
KernelPtr prepare(const Request&, const ops::MovingAverage& op) { return refuse(op); }

}  // namespace fovea::cuda

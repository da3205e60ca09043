#include "families.h"

// To be written.
namespace fovea::cpu {
KernelPtr prepare(const Request&, const ops::AdaptiveAveragePoolingBackward&) {
  throw unsupported("not there yet");
}
KernelPtr prepare(const Request&, const ops::BatchNormTraining&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::BatchNormBackward&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::LocalResponseNormBackward&) {
  throw unsupported("not there yet");
}
KernelPtr prepare(const Request&, const ops::SoftmaxBackward&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::Dropout&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::RadialBasis&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::RadialBasisBackward&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::SliceBackward&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::SubsamplePadBackward&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::PadBackward&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::MeanSquaredError&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::RadialBasisLoss&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::RmsProp&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::Adam&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::GradientNorm&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::Accumulate&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::Clear&) { throw unsupported("not there yet"); }
KernelPtr prepare(const Request&, const ops::MovingAverage&) { throw unsupported("not there yet"); }
}  // namespace fovea::cpu

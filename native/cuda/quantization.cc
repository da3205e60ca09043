#include "families.h"

namespace fovea::cuda {
namespace {

Error cpuOnly() { return unsupported("int8 is for the CPU; a GPU computes in f32, f16 and bf16"); }

}  // namespace

KernelPtr prepare(const Request&, const ops::Quantize&) { throw cpuOnly(); }
KernelPtr prepare(const Request&, const ops::Dequantize&) { throw cpuOnly(); }
KernelPtr prepare(const Request&, const ops::QuantizeWeights&) { throw cpuOnly(); }
KernelPtr prepare(const Request&, const ops::QuantizedConvolution&) { throw cpuOnly(); }

}  // namespace fovea::cuda

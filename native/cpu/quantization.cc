#include <algorithm>
#include <cmath>

#include "families.h"

namespace fovea::cpu {
namespace {

constexpr float largestWeight = 127;

// A change of type and, where it must be, of layout, times a factor.
KernelPtr scaledReorder(const Request& request, const Desc& from, const Desc& to, float factor) {
  auto attributes = userScratchpad();
  attributes.set_output_scales(0, {factor});
  const dnnl::engine& engine = request.context.engine;
  const dnnl::reorder::primitive_desc description(engine, from, engine, to, attributes);
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_FROM).output(0, DNNL_ARG_TO);
  return kernel;
}

// The layout that an input comes in; row-major for one that was made for other dimensions.
Desc presentDesc(const Request& request) {
  const auto present = descAs(*request.inputLayout(0), request.input(0).shape);
  return present ? *present : plainDesc(request.input(0));
}

}  // namespace

// Channels last, as the library's eight-bit kernels take images.
KernelPtr prepare(const Request& request, const ops::Quantize& op) {
  return scaledReorder(request, presentDesc(request), channelsLastDesc(request.output(0)),
                       static_cast<float>(1 / op.scale));
}

KernelPtr prepare(const Request& request, const ops::Dequantize& op) {
  const Desc from = presentDesc(request);
  const LayoutPtr to = withType(layoutOf(request.input(0), from), DType::f32);
  return scaledReorder(request, from, *descAs(*to, request.output(0).shape), static_cast<float>(op.scale));
}

KernelPtr prepare(const Request& request, const ops::QuantizeWeights& op) {
  const TensorSpec& weight = request.input(0);
  auto kernel = std::make_unique<FunctionKernel>(request, "quantizeWeights");
  kernel->body = [rows = weight.shape[0], size = elementCount(weight.shape) / weight.shape[0],
                  inputScale = op.inputScale, outputScale = op.outputScale](const Pointers& p) {
    const auto* from = static_cast<const float*>(p.inputs[0]);
    const float* bias = optionalFloats(p, 1);
    auto* to = static_cast<int8_t*>(p.outputs[0]);
    auto *factor = static_cast<float*>(p.outputs[1]), *toBias = static_cast<float*>(p.outputs[2]);
#pragma omp parallel for
    for (int64_t row = 0; row < rows; ++row) {
      const float* values = from + row * size;
      float magnitude = 0;
      for (int64_t i = 0; i < size; ++i) magnitude = std::max(magnitude, std::abs(values[i]));
      const float scale = magnitude > 0 ? magnitude / largestWeight : 1;
      for (int64_t i = 0; i < size; ++i)
        to[row * size + i] =
            static_cast<int8_t>(std::clamp(std::nearbyint(values[i] / scale), -largestWeight, largestWeight));
      factor[row] = static_cast<float>(inputScale * scale / outputScale);
      toBias[row] = bias ? static_cast<float>(bias[row] / (inputScale * scale)) : 0;
    }
  };
  return kernel;
}

}  // namespace fovea::cpu

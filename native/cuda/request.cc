#include "request.h"

#include <algorithm>

namespace fovea::cuda {

LayoutPtr Request::inputLayout(size_t index) const {
  const Operand& operand = operands.inputs.at(index).value();
  return operand.layout ? operand.layout : plainLayout(operand.spec);
}

LayoutPtr Request::commonLayout(size_t a, size_t b) const {
  const auto last = [&](size_t index) {
    const auto layout = std::dynamic_pointer_cast<const CudaLayout>(inputLayout(index));
    return layout && layout->format() == CudaLayout::Format::channelsLast;
  };
  return !last(a) && last(b) ? inputLayout(b) : inputLayout(a);
}

StreamKernel::StreamKernel(const Request& request, std::string name, Body body)
    : body(std::move(body)), context_(request.shared), name_(std::move(name)) {
  const auto plainLayouts = [](const std::vector<std::optional<Operand>>& operands,
                               std::vector<LayoutPtr>& layouts) {
    for (const auto& operand : operands) layouts.push_back(operand ? plainLayout(operand->spec) : nullptr);
  };
  plainLayouts(request.operands.inputs, inputs);
  plainLayouts(request.operands.outputs, outputs);
}

std::string kernelType(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float";
    case DType::f16:
      return "half_t";
    case DType::bf16:
      return "bfloat_t";
    case DType::i32:
      return "int";
    default:
      return "u8";
  }
}

Defines typed(DType dtype, Defines more) {
  more["T"] = kernelType(dtype);
  return more;
}

Dim3 gridFor(const Context& context, int64_t work) {
  constexpr int64_t blocksPerProcessor = 16;
  const int64_t most = blocksPerProcessor * std::max(context.processors, 1);
  return {static_cast<unsigned>(std::clamp<int64_t>(ceilDiv(work, threadsPerBlock), 1, most))};
}

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

Error unsupported(const std::string& reason) { return Error("UNSUPPORTED", reason); }

void requireFloating(const TensorSpec& spec, const char* what) {
  if (spec.dtype != DType::f32 && spec.dtype != DType::f16 && spec.dtype != DType::bf16)
    throw Error("UNSUPPORTED", std::string(what) + ": takes f32, f16 and bf16, not " + nameOf(spec.dtype),
                what, "f32, f16 or bf16", nameOf(spec.dtype));
}

void requireF32(const TensorSpec& spec, const char* what) {
  if (spec.dtype != DType::f32)
    throw Error("UNSUPPORTED", std::string(what) + ": takes f32, not " + nameOf(spec.dtype), what, "f32",
                nameOf(spec.dtype));
}

}  // namespace fovea::cuda

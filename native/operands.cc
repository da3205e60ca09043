#include "operands.h"

namespace fovea {

std::string shapesOf(const Operands& operands) {
  const auto list = [](const std::vector<std::optional<Operand>>& side) {
    std::string text;
    for (const auto& operand : side) {
      if (!text.empty()) text += ", ";
      text += operand ? std::string(nameOf(operand->spec.dtype)) + " " + format(operand->spec.shape) : "none";
    }
    return text;
  };
  return list(operands.inputs) + " -> " + list(operands.outputs);
}

bool isFloat(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

}  // namespace fovea

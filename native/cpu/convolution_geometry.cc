#include "convolution_geometry.h"

namespace fovea::cpu {

Geometry geometryOf(const ops::ConvolutionGeometry& op, const Shape& weight) {
  const auto& [top, left, bottom, right] = op.padding;
  Geometry geometry{{op.stride[0], op.stride[1]},
                    {op.dilation[0] - 1, op.dilation[1] - 1},
                    {top, left},
                    {bottom, right},
                    weight};
  if (op.groups > 1) {
    geometry.weight[0] /= op.groups;
    geometry.weight.insert(geometry.weight.begin(), op.groups);
  }
  return geometry;
}

std::string problemOf(const char* name, DType type, const ops::ConvolutionGeometry& op, const Shape& x,
                      const Shape& weight, const std::string& rest) {
  const auto list = [](const auto& numbers) {
    std::string text;
    for (const int64_t number : numbers) text += (text.empty() ? "" : "x") + std::to_string(number);
    return text;
  };
  return std::string(name) + " " + nameOf(type) + " x " + list(x) + " weight " + list(weight) + " stride " +
         list(op.stride) + " padding " + list(op.padding) + " dilation " + list(op.dilation) + " groups " +
         std::to_string(op.groups) + rest;
}

}  // namespace fovea::cpu

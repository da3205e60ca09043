#pragma once
#include <dnnl.hpp>
#include <string>

#include "ops.h"

namespace fovea::cpu {

// oneDNN's spelling of a convolution's shape.
struct Geometry {
  dnnl::memory::dims strides, dilation, before, after;
  Shape weight;  // five dimensions if grouped
};
Geometry geometryOf(const ops::ConvolutionGeometry& op, const Shape& weight);

// What a convolution's speed depends on.
std::string problemOf(const char* name, DType type, const ops::ConvolutionGeometry& op, const Shape& x,
                      const Shape& weight, const std::string& rest);

}  // namespace fovea::cpu

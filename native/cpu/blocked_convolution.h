#pragma once
#include <memory>
#include <string>

#include "primitive.h"

namespace fovea::cpu {

// A convolution kernel of our own for AVX-512, without a body yet: x and y in blocks of 16 channels, and y
// allowed in the residual's memory. nullptr where the processor, the types, the channels or the layout
// that y must have are not ones for it.
std::unique_ptr<FunctionKernel> blockedConvolution(const Request& request, const std::string& name);

}  // namespace fovea::cpu

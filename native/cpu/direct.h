#pragma once
#include "families.h"

namespace fovea::cpu {

// A direct convolution with kernels of our own, in blocks of 16 channels, for `vectors` vectors of output
// channels at once. nullptr where the processor or the convolution is not one for it.
KernelPtr directConvolution(const Request& request, const ops::Convolution& op, int64_t vectors);

}  // namespace fovea::cpu

#pragma once
#include <vector>

#include "tensor.h"

namespace cudasim {

// Of two-dimensional convolutions; x, w and y are dense in row-major order.
struct ConvolutionShape {
  int64_t images, groups, inputs, outputs;  // channels of one group
  int64_t height, width, outHeight, outWidth, kernelHeight, kernelWidth;
  int64_t stride[2], before[2], dilation[2];
  bool flipped = false;  // CUDNN_CONVOLUTION: the kernel is turned around
};

std::vector<double> convolve(const ConvolutionShape& shape, const std::vector<double>& x,
                             const std::vector<double>& w);
std::vector<double> convolveBackData(const ConvolutionShape& shape, const std::vector<double>& w,
                                     const std::vector<double>& dy);
std::vector<double> convolveBackFilter(const ConvolutionShape& shape, const std::vector<double>& x,
                                       const std::vector<double>& dy);

}  // namespace cudasim

#include "convolution.h"

#include <algorithm>

namespace cudasim {
namespace {

// Calls `f(x, w, y, count, step)`: `count` neighbours in a row of y, from y on, meet every `step`-th of x,
// from x on, at one element w of the kernel.
template <class F>
void eachRow(const ConvolutionShape& s, F&& f) {
  for (int64_t n = 0; n < s.images; ++n)
    for (int64_t g = 0; g < s.groups; ++g)
      for (int64_t o = 0; o < s.outputs; ++o)
        for (int64_t c = 0; c < s.inputs; ++c) {
          const int64_t output = g * s.outputs + o, input = g * s.inputs + c;
          const int64_t xImage = (n * s.groups * s.inputs + input) * s.height;
          const int64_t yImage = (n * s.groups * s.outputs + output) * s.outHeight;
          for (int64_t i = 0; i < s.kernelHeight; ++i)
            for (int64_t j = 0; j < s.kernelWidth; ++j) {
              const int64_t tap = s.flipped ? (s.kernelHeight - 1 - i) * s.kernelWidth + s.kernelWidth - 1 - j
                                            : i * s.kernelWidth + j;
              const int64_t w = (output * s.inputs + c) * s.kernelHeight * s.kernelWidth + tap;
              const int64_t shift = j * s.dilation[1] - s.before[1];
              // the outputs whose input is inside the row
              const int64_t first = shift >= 0 ? 0 : (-shift + s.stride[1] - 1) / s.stride[1];
              const int64_t room = s.width - 1 - shift;
              const int64_t last = std::min(s.outWidth - 1, room < 0 ? -1 : room / s.stride[1]);
              if (first > last) continue;
              for (int64_t row = 0; row < s.outHeight; ++row) {
                const int64_t from = row * s.stride[0] + i * s.dilation[0] - s.before[0];
                if (from < 0 || from >= s.height) continue;
                f((xImage + from) * s.width + first * s.stride[1] + shift, w,
                  (yImage + row) * s.outWidth + first, last - first + 1, s.stride[1]);
              }
            }
        }
}

size_t sizeOfX(const ConvolutionShape& s) {
  return static_cast<size_t>(s.images * s.groups * s.inputs * s.height * s.width);
}
size_t sizeOfW(const ConvolutionShape& s) {
  return static_cast<size_t>(s.groups * s.outputs * s.inputs * s.kernelHeight * s.kernelWidth);
}
size_t sizeOfY(const ConvolutionShape& s) {
  return static_cast<size_t>(s.images * s.groups * s.outputs * s.outHeight * s.outWidth);
}

}  // namespace

std::vector<double> convolve(const ConvolutionShape& shape, const std::vector<double>& x,
                             const std::vector<double>& w) {
  std::vector<double> y(sizeOfY(shape));
  eachRow(shape, [&](int64_t atX, int64_t atW, int64_t atY, int64_t count, int64_t step) {
    const double weight = w[static_cast<size_t>(atW)], *from = &x[static_cast<size_t>(atX)];
    double* to = &y[static_cast<size_t>(atY)];
    for (int64_t i = 0; i < count; ++i) to[i] += weight * from[i * step];
  });
  return y;
}

std::vector<double> convolveBackData(const ConvolutionShape& shape, const std::vector<double>& w,
                                     const std::vector<double>& dy) {
  std::vector<double> dx(sizeOfX(shape));
  eachRow(shape, [&](int64_t atX, int64_t atW, int64_t atY, int64_t count, int64_t step) {
    const double weight = w[static_cast<size_t>(atW)], *from = &dy[static_cast<size_t>(atY)];
    double* to = &dx[static_cast<size_t>(atX)];
    for (int64_t i = 0; i < count; ++i) to[i * step] += weight * from[i];
  });
  return dx;
}

std::vector<double> convolveBackFilter(const ConvolutionShape& shape, const std::vector<double>& x,
                                       const std::vector<double>& dy) {
  std::vector<double> dw(sizeOfW(shape));
  eachRow(shape, [&](int64_t atX, int64_t atW, int64_t atY, int64_t count, int64_t step) {
    const double *from = &x[static_cast<size_t>(atX)], *gradient = &dy[static_cast<size_t>(atY)];
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += from[i * step] * gradient[i];
    dw[static_cast<size_t>(atW)] += sum;
  });
  return dw;
}

}  // namespace cudasim

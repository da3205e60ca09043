#pragma once
#include <array>

#include "backend.h"

namespace fovea::cuda {

// How a tensor lies in device memory. Tensors of four dimensions that a library or a kernel of ours works on
// are channels last: NHWC for activations, KRSC for weights. Both are dense, so elementwise work runs over
// either.
class CudaLayout final : public Layout {
 public:
  enum class Format { plain, channelsLast, opaque };
  CudaLayout(Format format, size_t bytes) : format_(format), bytes_(bytes) {}

  size_t bytes() const override { return bytes_; }
  bool equals(const Layout& other) const override;
  bool elementwise() const override { return format_ != Format::opaque; }
  std::string name() const override;

  Format format() const { return format_; }

 private:
  Format format_;
  size_t bytes_;
};

// Row-major.
LayoutPtr plainLayout(const TensorSpec& spec);
// Row-major too where that is the same bytes: one channel, one pixel, or not four dimensions.
LayoutPtr channelsLastLayout(const TensorSpec& spec);
// What a forward kernel keeps for its backward half.
LayoutPtr opaqueLayout(size_t bytes);

// Whether plain and channels last differ for this shape.
bool hasChannelsLast(const Shape& shape);
// Whether `layout`, of a tensor of `shape`, has a pixel's channels next to each other.
bool isChannelsLast(const Layout& layout, const Shape& shape);

// A tensor [N,C,...] whose channels lie next to each other: rows of channels.
struct Rows {
  int64_t rows, channels;
};
// Throws UNSUPPORTED for a tensor that is neither [N,C] nor [N,C,H,W].
Rows rowsOf(const TensorSpec& spec);

// Batch, channels, height and width of a tensor of two or four dimensions.
std::array<int64_t, 4> imageOf(const Shape& shape);
// Elements from one to the next along N, C, H and W, channels last.
std::array<int64_t, 4> channelsLastStrides(const std::array<int64_t, 4>& dims);

}  // namespace fovea::cuda

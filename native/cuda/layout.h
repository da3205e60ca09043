#pragma once
#include <array>

#include "backend.h"

namespace fovea::cuda {

// How a tensor lies in device memory, perhaps with elements of another type than the plan's. Tensors of four
// dimensions that a library or a kernel of ours works on are channels last: NHWC for activations, KRSC for
// weights. Both are dense, so elementwise work runs over either.
class CudaLayout final : public Layout {
 public:
  enum class Format { plain, channelsLast, opaque };
  CudaLayout(Format format, DType dtype, size_t bytes) : format_(format), dtype_(dtype), bytes_(bytes) {}

  size_t bytes() const override { return bytes_; }
  bool equals(const Layout& other) const override;
  // Updates are computed in float32.
  bool elementwise() const override { return format_ != Format::opaque && dtype_ == DType::f32; }
  std::string name() const override;

  Format format() const { return format_; }
  DType dtype() const { return dtype_; }

 private:
  Format format_;
  DType dtype_;
  size_t bytes_;
};

// Row-major.
LayoutPtr plainLayout(const TensorSpec& spec);
// Row-major too where that is the same bytes: one channel, one pixel, or not four dimensions.
LayoutPtr channelsLastLayout(const TensorSpec& spec);
// What a forward kernel keeps for its backward half.
LayoutPtr opaqueLayout(size_t bytes);

// The same format for a tensor with elements of another type.
LayoutPtr retyped(const LayoutPtr& layout, const TensorSpec& spec);

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

#include "layout.h"

#include "error.h"

namespace fovea::cuda {
namespace {

size_t bytesOf(const TensorSpec& spec) {
  return static_cast<size_t>(elementCount(spec.shape)) * sizeOf(spec.dtype);
}

}  // namespace

bool CudaLayout::equals(const Layout& other) const {
  const auto* that = dynamic_cast<const CudaLayout*>(&other);
  return that && format_ == that->format_ && bytes_ == that->bytes_;
}

std::string CudaLayout::name() const {
  switch (format_) {
    case Format::plain:
      return "plain";
    case Format::channelsLast:
      return "nhwc";
    default:
      return "opaque";
  }
}

LayoutPtr plainLayout(const TensorSpec& spec) {
  return std::make_shared<CudaLayout>(CudaLayout::Format::plain, bytesOf(spec));
}

LayoutPtr channelsLastLayout(const TensorSpec& spec) {
  if (!hasChannelsLast(spec.shape)) return plainLayout(spec);
  return std::make_shared<CudaLayout>(CudaLayout::Format::channelsLast, bytesOf(spec));
}

LayoutPtr opaqueLayout(size_t bytes) {
  return std::make_shared<CudaLayout>(CudaLayout::Format::opaque, bytes);
}

bool hasChannelsLast(const Shape& shape) {
  return shape.size() == 4 && shape[1] > 1 && shape[2] * shape[3] > 1;
}

bool isChannelsLast(const Layout& layout, const Shape& shape) {
  const auto* known = dynamic_cast<const CudaLayout*>(&layout);
  if (!known || known->format() == CudaLayout::Format::opaque) return false;
  return known->format() == CudaLayout::Format::channelsLast || shape.size() == 2 ||
         (shape.size() == 4 && !hasChannelsLast(shape));
}

Rows rowsOf(const TensorSpec& spec) {
  const auto [n, c, h, w] = imageOf(spec.shape);
  return {n * h * w, c};
}

std::array<int64_t, 4> imageOf(const Shape& shape) {
  if (shape.size() == 2) return {shape[0], shape[1], 1, 1};
  if (shape.size() == 4) return {shape[0], shape[1], shape[2], shape[3]};
  throw Error("UNSUPPORTED", "takes tensors of two or four dimensions, not " + format(shape), {},
              "[N,C] or [N,C,H,W]", format(shape));
}

std::array<int64_t, 4> channelsLastStrides(const std::array<int64_t, 4>& dims) {
  const auto [n, c, h, w] = dims;
  return {h * w * c, 1, w * c, c};
}

}  // namespace fovea::cuda

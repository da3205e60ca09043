#pragma once
#include <dnnl.hpp>
#include <optional>
#include <variant>

#include "backend.h"
#include "error.h"

namespace fovea::cpu {

using Desc = dnnl::memory::desc;

// How a layout's name spells the dimensions: nchw or oihw.
enum class Role { data, weights };

// A run of one dimension's elements in memory. The runs of a layout, outermost first, say how it lies:
// nChw16c of 64 channels is n, c/4, h, w, c/16.
struct Run {
  int dimension;
  int64_t extent;
  bool operator==(const Run&) const = default;
};

// A tensor that oneDNN describes, perhaps with elements of another type than the plan's. A weight of a
// grouped convolution has five dimensions here and four in the plan; only row-major layouts, which are the
// same bytes either way, always have the plan's dimensions.
class CpuLayout final : public Layout {
 public:
  explicit CpuLayout(Desc desc, Role role = Role::data);

  size_t bytes() const override { return desc_.get_size(); }
  bool equals(const Layout& other) const override;
  bool elementwise() const override;
  std::string name() const override;

  const Desc& desc() const { return desc_; }
  Role role() const { return role_; }
  bool plain() const { return plain_; }
  // Whether every element lies by itself, and nothing but zeros beside them.
  bool uniform() const;
  // Whether zeros beyond the tensor's own elements round a dimension up to its block.
  bool padded() const;
  const std::vector<Run>& runs() const { return runs_; }

 private:
  std::string arrangement() const;

  Desc desc_;
  Role role_;
  std::vector<Run> runs_;
  bool plain_;
};

// What a forward kernel keeps for its backward half, which finds the forward's description in it.
class OpaqueLayout final : public Layout {
 public:
  using Forward =
      std::variant<std::monostate, dnnl::pooling_forward::primitive_desc, dnnl::lrn_forward::primitive_desc>;

  // Of a forward that has nothing to tell.
  OpaqueLayout() = default;
  explicit OpaqueLayout(Forward forward) : forward_(std::move(forward)) {}

  size_t bytes() const override;
  bool equals(const Layout& other) const override;
  bool elementwise() const override { return false; }
  std::string name() const override { return "opaque"; }

  const Forward& forward() const { return forward_; }

 private:
  Forward forward_;
};

// The description of the forward that left a workspace; throws UNSUPPORTED where it was another operation.
template <class Description>
const Description& forwardIn(const Layout& workspace) {
  const auto* opaque = dynamic_cast<const OpaqueLayout*>(&workspace);
  const auto* forward = opaque ? std::get_if<Description>(&opaque->forward()) : nullptr;
  if (!forward) throw Error("UNSUPPORTED", "the workspace is not one of the forward half's");
  return *forward;
}

dnnl::memory::data_type dataType(DType dtype);
DType typeOf(const Desc& desc);

// Row-major; of `shape` where a primitive sees the tensor with other dimensions than the plan.
Desc plainDesc(const TensorSpec& spec);
Desc plainDesc(DType dtype, const Shape& shape);
// For the library to choose.
Desc anyDesc(DType dtype, const Shape& shape);
// nChw16c or nChw8c; nothing for tensors without spatial dimensions.
std::optional<Desc> blockedDesc(const TensorSpec& spec, int64_t block);
Desc channelsLastDesc(const TensorSpec& spec);
// OIhw16i16o, as convolutions forward take weights beside nChw16c.
Desc blockedWeights(const TensorSpec& weight);

LayoutPtr plainLayout(const TensorSpec& spec);
// Of nchw or nChw16c: cnhw or Cnhw16c, where further channels of a whole batch can follow behind. No kernel
// of the library's is fast on it.
LayoutPtr channelsOutermost(const LayoutPtr& layout);
// `layout`, or what `channelsOutermost` made it of.
LayoutPtr imagesOutermost(const LayoutPtr& layout);
LayoutPtr layoutOf(const TensorSpec& spec, const Desc& desc, Role role = Role::data);
// The description of `layout` for a primitive that sees the tensor with these dimensions; nothing where a
// layout that is not row-major was made for others.
std::optional<Desc> descAs(const Layout& layout, const Shape& shape);
// The same arrangement of elements of another type; nullptr for one that the library keeps to itself.
LayoutPtr withType(const LayoutPtr& layout, DType dtype);

// Activations [N,C,...] as our own kernels see them, the same for nchw, nhwc and nChw16c: element (n, c, s)
// is at row(n, c / lanes) + s * lanes + c % lanes. Lanes past the last channel hold zeros and every kernel
// must leave zeros there.
struct ChannelView {
  int64_t batch, channels, blocks, spatial, lanes;
  bool channelsOutermost = false;

  int64_t row(int64_t n, int64_t block) const {
    return (channelsOutermost ? block * batch + n : n * blocks + block) * spatial * lanes;
  }
  // How many lanes of a block are channels.
  int64_t used(int64_t block) const { return std::min(lanes, channels - block * lanes); }
};
std::optional<ChannelView> channelView(const Layout& layout);

// An operand of a kernel of our own: the layout that it is taken or given in, and how to walk through it.
struct ViewedLayout {
  LayoutPtr layout;
  ChannelView view;
};
// `layout` itself if our kernels can walk through it, otherwise the row-major one.
ViewedLayout viewed(const TensorSpec& spec, const LayoutPtr& layout);
// A tensor of another shape kept in the format of `view`.
ViewedLayout inFormatOf(const ChannelView& view, const TensorSpec& spec);

}  // namespace fovea::cpu

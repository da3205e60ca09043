#include "layout.h"

#include <algorithm>
#include <cctype>

#include "error.h"

namespace fovea::cpu {
namespace {

struct StridedRun {
  Run run;
  int64_t stride;
};

std::vector<Run> canonical(std::vector<Run> runs) {
  std::vector<Run> result;
  for (const Run& run : runs) {
    if (run.extent == 1) continue;
    if (!result.empty() && result.back().dimension == run.dimension)
      result.back().extent *= run.extent;
    else
      result.push_back(run);
  }
  return result;
}

std::vector<StridedRun> stridedRuns(const Desc& desc) {
  const auto& data = desc.data;
  const auto& blocking = data.format_desc.blocking;
  std::vector<StridedRun> inner;
  std::vector<int64_t> block(data.ndims, 1);
  int64_t stride = 1;
  for (int i = blocking.inner_nblks - 1; i >= 0; --i) {
    const int dimension = static_cast<int>(blocking.inner_idxs[i]);
    inner.insert(inner.begin(), {{dimension, blocking.inner_blks[i]}, stride});
    stride *= blocking.inner_blks[i];
    block[dimension] *= blocking.inner_blks[i];
  }
  std::vector<StridedRun> runs;
  for (int d = 0; d < data.ndims; ++d)
    runs.push_back({{d, data.padded_dims[d] / block[d]}, blocking.strides[d]});
  std::stable_sort(runs.begin(), runs.end(),
                   [](const StridedRun& a, const StridedRun& b) { return a.stride > b.stride; });
  runs.insert(runs.end(), inner.begin(), inner.end());
  return runs;
}

std::vector<Run> runsOf(const Desc& desc) {
  std::vector<Run> runs;
  if (desc.data.format_kind == dnnl_blocked)
    for (const StridedRun& strided : stridedRuns(desc)) runs.push_back(strided.run);
  return canonical(std::move(runs));
}

bool hasPadding(const Desc& desc) {
  return !std::equal(desc.data.dims, desc.data.dims + desc.data.ndims, desc.data.padded_dims);
}

bool isPlain(const Desc& desc, const std::vector<Run>& runs) {
  if (desc.data.format_kind != dnnl_blocked || hasPadding(desc)) return false;
  const auto descends = [](const Run& a, const Run& b) { return a.dimension >= b.dimension; };
  return std::adjacent_find(runs.begin(), runs.end(), descends) == runs.end();
}

dnnl::memory::dims dimsOf(const Shape& shape) { return shape.empty() ? dnnl::memory::dims{1} : shape; }

dnnl::memory::dims stridesOf(const dnnl::memory::dims& dims, const std::vector<size_t>& order) {
  dnnl::memory::dims strides(dims.size());
  int64_t stride = 1;
  for (size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = stride;
    stride *= std::max<int64_t>(dims[order[i]], 1);
  }
  return strides;
}

std::string lettersOf(int dimensions, Role role) {
  static constexpr const char* data[] = {"", "x", "nc", "ncw", "nchw", "ncdhw"};
  static constexpr const char* weights[] = {"", "x", "oi", "oiw", "oihw", "goihw"};
  if (dimensions <= 5) return (role == Role::data ? data : weights)[dimensions];
  return std::string("abcdefghijkl").substr(0, dimensions);
}

}  // namespace

CpuLayout::CpuLayout(Desc desc, Role role)
    : desc_(std::move(desc)), role_(role), runs_(runsOf(desc_)), plain_(isPlain(desc_, runs_)) {}

bool CpuLayout::padded() const { return hasPadding(desc_); }

bool CpuLayout::equals(const Layout& other) const {
  const auto* that = dynamic_cast<const CpuLayout*>(&other);
  if (!that || desc_.data.data_type != that->desc_.data.data_type || bytes() != that->bytes()) return false;
  if (plain_ && that->plain_) return true;
  if (plain_ != that->plain_ || desc_.dims() != that->desc_.dims()) return false;
  if (desc_.data.format_kind != dnnl_blocked || that->desc_.data.format_kind != dnnl_blocked)
    return desc_ == that->desc_;
  return runs_ == that->runs_ && desc_.data.extra.flags == that->desc_.data.extra.flags;
}

// Updates are computed in float32.
bool CpuLayout::elementwise() const { return typeOf(desc_) == DType::f32 && uniform(); }

bool CpuLayout::uniform() const {
  return desc_.data.format_kind == dnnl_blocked && desc_.data.extra.flags == dnnl_memory_extra_flag_none;
}

std::string CpuLayout::name() const {
  const DType type = typeOf(desc_);
  return type == DType::f32 || type == DType::i32 ? arrangement() : arrangement() + " " + nameOf(type);
}

std::string CpuLayout::arrangement() const {
  if (desc_.data.format_kind != dnnl_blocked) return "opaque";
  const std::string letters = lettersOf(desc_.data.ndims, role_);
  if (plain_) return letters;
  const auto& blocking = desc_.data.format_desc.blocking;
  const auto isBlocked = [&](int dimension) {
    return std::count(blocking.inner_idxs, blocking.inner_idxs + blocking.inner_nblks, dimension) > 0;
  };
  std::string name;
  const auto runs = stridedRuns(desc_);
  for (size_t i = 0; i < runs.size(); ++i) {
    const int dimension = runs[i].run.dimension;
    const char letter = letters[dimension];
    if (i < static_cast<size_t>(desc_.data.ndims))
      name += isBlocked(dimension) ? static_cast<char>(std::toupper(letter)) : letter;
    else
      name += std::to_string(runs[i].run.extent) + letter;
  }
  return name;
}

namespace {

// Calls use(description) unless the forward left nothing.
template <class Use>
auto ofForward(const OpaqueLayout::Forward& forward, const Use& use) {
  using Result = decltype(use(std::get<1>(forward)));
  return std::visit(
      [&](const auto& description) -> Result {
        if constexpr (std::is_same_v<std::decay_t<decltype(description)>, std::monostate>)
          return {};
        else
          return use(description);
      },
      forward);
}

}  // namespace

size_t OpaqueLayout::bytes() const {
  return ofForward(forward_, [](const auto& description) { return description.workspace_desc().get_size(); });
}

bool OpaqueLayout::equals(const Layout& other) const {
  const auto* that = dynamic_cast<const OpaqueLayout*>(&other);
  if (!that || forward_.index() != that->forward_.index() || bytes() != that->bytes()) return false;
  const auto source = [](const auto& description) { return description.src_desc(); };
  return ofForward(forward_, source) == ofForward(that->forward_, source);
}

dnnl::memory::data_type dataType(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return dnnl::memory::data_type::f32;
    case DType::bf16:
      return dnnl::memory::data_type::bf16;
    case DType::f16:
      return dnnl::memory::data_type::f16;
    case DType::i32:
      return dnnl::memory::data_type::s32;
    case DType::s8:
      return dnnl::memory::data_type::s8;
    default:
      return dnnl::memory::data_type::u8;
  }
}

DType typeOf(const Desc& desc) {
  switch (desc.data_type()) {
    case dnnl::memory::data_type::f32:
      return DType::f32;
    case dnnl::memory::data_type::bf16:
      return DType::bf16;
    case dnnl::memory::data_type::f16:
      return DType::f16;
    case dnnl::memory::data_type::s32:
      return DType::i32;
    case dnnl::memory::data_type::s8:
      return DType::s8;
    default:
      return DType::u8;
  }
}

Desc plainDesc(DType dtype, const Shape& shape) {
  const auto dims = dimsOf(shape);
  std::vector<size_t> order(dims.size());
  std::iota(order.begin(), order.end(), size_t{0});
  return Desc(dims, dataType(dtype), stridesOf(dims, order));
}

Desc plainDesc(const TensorSpec& spec) { return plainDesc(spec.dtype, spec.shape); }

Desc anyDesc(DType dtype, const Shape& shape) {
  return Desc(dimsOf(shape), dataType(dtype), dnnl::memory::format_tag::any);
}

std::optional<Desc> blockedDesc(const TensorSpec& spec, int64_t block) {
  using Tag = dnnl::memory::format_tag;
  if (block != 8 && block != 16) return {};
  Tag tag;
  switch (spec.shape.size()) {
    case 3:
      tag = block == 16 ? Tag::aBc16b : Tag::aBc8b;
      break;
    case 4:
      tag = block == 16 ? Tag::aBcd16b : Tag::aBcd8b;
      break;
    default:
      return {};
  }
  return Desc(spec.shape, dataType(spec.dtype), tag);
}

Desc blockedWeights(const TensorSpec& weight) {
  return {weight.shape, dataType(weight.dtype), dnnl::memory::format_tag::OIhw16i16o};
}

Desc channelsLastDesc(const TensorSpec& spec) {
  std::vector<size_t> order{0};
  for (size_t d = 2; d < spec.shape.size(); ++d) order.push_back(d);
  if (spec.shape.size() > 1) order.push_back(1);
  return Desc(spec.shape, dataType(spec.dtype), stridesOf(spec.shape, order));
}

LayoutPtr plainLayout(const TensorSpec& spec) { return std::make_shared<CpuLayout>(plainDesc(spec)); }

LayoutPtr layoutOf(const TensorSpec& spec, const Desc& desc, Role role) {
  auto layout = std::make_shared<CpuLayout>(desc, role);
  if (!layout->plain() || desc.dims() == spec.shape) return layout;
  return plainLayout({typeOf(desc), spec.shape});
}

std::optional<Desc> descAs(const Layout& layout, const Shape& shape) {
  const auto* known = dynamic_cast<const CpuLayout*>(&layout);
  if (!known) return {};
  if (known->desc().dims() == dimsOf(shape)) return known->desc();
  if (known->plain()) return plainDesc(typeOf(known->desc()), shape);
  return {};
}

LayoutPtr withType(const LayoutPtr& layout, DType dtype) {
  const auto* known = dynamic_cast<const CpuLayout*>(layout.get());
  if (!known) return layout;
  if (typeOf(known->desc()) == dtype) return layout;
  auto desc = known->desc().data;
  if (desc.format_kind != dnnl_blocked || desc.extra.flags != dnnl_memory_extra_flag_none) return nullptr;
  desc.data_type = dnnl::memory::convert_to_c(dataType(dtype));
  return std::make_shared<CpuLayout>(Desc(desc), known->role());
}

std::optional<ChannelView> channelView(const Layout& layout) {
  const auto* known = dynamic_cast<const CpuLayout*>(&layout);
  if (!known || known->desc().data.format_kind != dnnl_blocked) return {};
  const auto dims = known->desc().dims();
  if (dims.size() < 2) return {};
  const auto& data = known->desc().data;
  const int dimensions = static_cast<int>(dims.size());
  const int64_t channels = dims[1], rounded = data.padded_dims[1];
  for (int d = 0; d < dimensions; ++d)
    if (d != 1 && data.dims[d] != data.padded_dims[d]) return {};
  for (const int64_t lanes : {int64_t{1}, int64_t{16}, int64_t{8}, channels}) {
    if (rounded % lanes != 0 || rounded - channels >= lanes) continue;
    std::vector<Run> runs{{0, dims[0]}, {1, rounded / lanes}};
    int64_t spatial = 1;
    for (int d = 2; d < dimensions; ++d) {
      runs.push_back({d, dims[d]});
      spatial *= dims[d];
    }
    runs.push_back({1, lanes});
    for (const bool channelsOutermost : {false, true}) {
      if (channelsOutermost) std::swap(runs[0], runs[1]);
      if (canonical(runs) == known->runs())
        return ChannelView{dims[0], channels, rounded / lanes, spatial, lanes, channelsOutermost};
    }
  }
  return {};
}

namespace {

LayoutPtr withOutermost(const LayoutPtr& layout, bool channels) {
  const auto view = channelView(*layout);
  if (!view || view->channelsOutermost == channels) return layout;
  const auto& known = static_cast<const CpuLayout&>(*layout);
  const bool features = view->spatial == 1 && view->lanes == 1;
  if (known.role() != Role::data || view->lanes == view->channels || features) return layout;
  auto desc = known.desc().data;
  auto& strides = desc.format_desc.blocking.strides;
  const int64_t plane = view->spatial * view->lanes;
  strides[0] = channels ? plane : view->blocks * plane;
  strides[1] = channels ? view->batch * plane : plane;
  return std::make_shared<CpuLayout>(Desc(desc), Role::data);
}

}  // namespace

LayoutPtr channelsOutermost(const LayoutPtr& layout) { return withOutermost(layout, true); }

LayoutPtr imagesOutermost(const LayoutPtr& layout) { return withOutermost(layout, false); }

ViewedLayout viewed(const TensorSpec& spec, const LayoutPtr& layout) {
  if (const auto view = channelView(*layout)) return {layout, *view};
  const LayoutPtr plain = plainLayout(spec);
  const auto view = channelView(*plain);
  if (!view) throw Error("UNSUPPORTED", "needs a batch and a channel dimension, not " + format(spec.shape));
  return {plain, *view};
}

ViewedLayout inFormatOf(const ChannelView& view, const TensorSpec& spec) {
  if (view.lanes == 1) return viewed(spec, plainLayout(spec));
  if (view.lanes == 8 || view.lanes == 16)
    if (const auto blocked = blockedDesc(spec, view.lanes)) return viewed(spec, layoutOf(spec, *blocked));
  return viewed(spec, layoutOf(spec, channelsLastDesc(spec)));
}

}  // namespace fovea::cpu

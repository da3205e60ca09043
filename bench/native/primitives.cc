#include "primitives.h"

#include <functional>
#include <stdexcept>

namespace bench {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;
using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;
using List = std::vector<dnnl::primitive_desc_base>;

template <class Description>
List all(Description description) {
  List list;
  do list.push_back(description);
  while (description.next_impl());
  return list;
}

dnnl::primitive_attr attributes(const dnnl::post_ops& after = {}) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(after);
  return attributes;
}

Desc any(const Shape& shape) { return {shape, Type::f32, Tag::any}; }

Desc plain(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return {shape, Type::f32, strides};
}

// In the layout of this name; row-major where it is none of an image's.
Desc inLayout(const std::string& layout, const Shape& shape) {
  if (shape.size() == 4) {
    if (layout == "nChw16c") return {shape, Type::f32, Tag::nChw16c};
    if (layout == "nChw8c") return {shape, Type::f32, Tag::nChw8c};
    if (layout == "nhwc") return {shape, Type::f32, Tag::nhwc};
  }
  return plain(shape);
}

bool relu(const Problem& problem) { return problem.text("activation") == "relu"; }

dnnl::post_ops postOps(const Problem& problem, bool sum) {
  dnnl::post_ops after;
  if (sum) after.append_sum();
  if (relu(problem)) after.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
  return after;
}

struct Geometry {
  explicit Geometry(const Problem& problem, const Shape& shape) : weight(shape) {
    const Shape padding = problem.numbers("padding");
    strides = problem.numbers("stride");
    dilation = problem.numbers("dilation");
    for (int64_t& distance : dilation) --distance;
    before = {padding.at(0), padding.at(1)};
    after = {padding.at(2), padding.at(3)};
    if (const int64_t groups = problem.number("groups"); groups > 1) {
      weight[0] /= groups;
      weight.insert(weight.begin(), groups);
    }
  }
  Shape strides, dilation, before, after, weight;
};

algorithm algorithmOf(const Problem& problem) {
  const bool winograd = problem.text("implementation").find("wino") != std::string::npos;
  return winograd ? algorithm::convolution_winograd : algorithm::convolution_direct;
}

List convolution(const Problem& problem, const dnnl::engine& engine) {
  const Geometry g(problem, problem.input(1));
  const Desc x = any(problem.input(0)), weight = any(g.weight), y = any(problem.output(0));
  const auto kind =
      problem.text("mode") == "training" ? prop_kind::forward_training : prop_kind::forward_inference;
  const auto chosen = algorithmOf(problem);
  using Description = dnnl::convolution_forward::desc;
  const auto description =
      problem.hasInput(2) ? Description(kind, chosen, x, weight, plain(problem.input(2)), y, g.strides,
                                        g.dilation, g.before, g.after)
                          : Description(kind, chosen, x, weight, y, g.strides, g.dilation, g.before, g.after);
  return all(dnnl::convolution_forward::primitive_desc(
      description, attributes(postOps(problem, problem.hasInput(3))), engine));
}

// Backward's primitives are described with a forward one as a hint.
dnnl::convolution_forward::primitive_desc hint(algorithm chosen, const Geometry& g, const Desc& x,
                                               const Desc& weight, const Desc& y,
                                               const dnnl::engine& engine) {
  return {{prop_kind::forward_training, chosen, x, weight, y, g.strides, g.dilation, g.before, g.after},
          engine};
}

List convolutionBackwardData(const Problem& problem, const dnnl::engine& engine) {
  const Geometry g(problem, problem.input(1));
  const Desc dx = any(problem.output(0)), weight = any(g.weight), dy = any(problem.input(0));
  const auto chosen = algorithmOf(problem);
  const dnnl::convolution_backward_data::desc description(chosen, dx, weight, dy, g.strides, g.dilation,
                                                          g.before, g.after);
  return all(dnnl::convolution_backward_data::primitive_desc(description, attributes(), engine,
                                                             hint(chosen, g, dx, weight, dy, engine)));
}

List convolutionBackwardWeights(const Problem& problem, const dnnl::engine& engine) {
  const Geometry g(problem, problem.output(0));
  const Desc x = any(problem.input(0)), weight = any(g.weight), dy = any(problem.input(1));
  const auto chosen = algorithmOf(problem);
  using Description = dnnl::convolution_backward_weights::desc;
  const auto description = problem.hasOutput(1)
                               ? Description(chosen, x, weight, plain(problem.output(1)), dy, g.strides,
                                             g.dilation, g.before, g.after)
                               : Description(chosen, x, weight, dy, g.strides, g.dilation, g.before, g.after);
  return all(dnnl::convolution_backward_weights::primitive_desc(description, attributes(), engine,
                                                                hint(chosen, g, x, weight, dy, engine)));
}

Shape rows(const Shape& x, const Shape& weight) { return {x.at(0), weight.at(1)}; }

List linear(const Problem& problem, const dnnl::engine& engine) {
  const Shape& weight = problem.input(1);
  const Desc x = plain(rows(problem.input(0), weight)), y = plain(problem.output(0));
  using Description = dnnl::inner_product_forward::desc;
  const auto kind = prop_kind::forward_inference;
  const auto description = problem.hasInput(2) ? Description(kind, x, any(weight), plain(problem.input(2)), y)
                                               : Description(kind, x, any(weight), y);
  return all(
      dnnl::inner_product_forward::primitive_desc(description, attributes(postOps(problem, false)), engine));
}

dnnl::inner_product_forward::primitive_desc hint(const Desc& x, const Desc& weight, const Desc& y,
                                                 const dnnl::engine& engine) {
  return {{prop_kind::forward_training, x, weight, y}, engine};
}

List linearBackwardData(const Problem& problem, const dnnl::engine& engine) {
  const Shape& weight = problem.input(1);
  const Desc dx = plain(rows(problem.output(0), weight)), dy = plain(problem.input(0));
  return all(dnnl::inner_product_backward_data::primitive_desc({dx, any(weight), dy}, attributes(), engine,
                                                               hint(dx, any(weight), dy, engine)));
}

List linearBackwardWeights(const Problem& problem, const dnnl::engine& engine) {
  const Shape& weight = problem.output(0);
  const Desc x = plain(rows(problem.input(0), weight)), dy = plain(problem.input(1));
  using Description = dnnl::inner_product_backward_weights::desc;
  const auto description = problem.hasOutput(1) ? Description(x, any(weight), plain(problem.output(1)), dy)
                                                : Description(x, any(weight), dy);
  return all(dnnl::inner_product_backward_weights::primitive_desc(description, attributes(), engine,
                                                                  hint(x, any(weight), dy, engine)));
}

// The forward half of a pooling between tensors of these shapes.
dnnl::pooling_forward::desc poolingForward(const Problem& problem, const Shape& x, const Shape& y,
                                           bool training) {
  const Shape padding = problem.numbers("padding"), kernel = problem.numbers("kernel"),
              stride = problem.numbers("stride");
  Shape after;
  for (size_t axis = 0; axis < 2; ++axis) {
    const int64_t reach = (y[axis + 2] - 1) * stride[axis] + kernel[axis] - padding[axis] - x[axis + 2];
    after.push_back(std::max<int64_t>(reach, 0));
  }
  const auto kind = training ? prop_kind::forward_training : prop_kind::forward_inference;
  const auto chosen = problem.text("kind") == "max"            ? algorithm::pooling_max
                      : problem.text("countPadding") == "true" ? algorithm::pooling_avg_include_padding
                                                               : algorithm::pooling_avg_exclude_padding;
  const std::string layout = problem.text("layout");
  return {kind, chosen, inLayout(layout, x), any(y), stride, kernel, {padding[0], padding[1]}, after};
}

List pooling(const Problem& problem, const dnnl::engine& engine) {
  const bool training = problem.text("mode") == "training";
  const auto description = poolingForward(problem, problem.input(0), problem.output(0), training);
  return all(dnnl::pooling_forward::primitive_desc(description, attributes(), engine));
}

List poolingBackward(const Problem& problem, const dnnl::engine& engine) {
  const Shape &dy = problem.input(0), &dx = problem.output(0);
  const auto forward = poolingForward(problem, dx, dy, true);
  const auto& data = forward.data;
  const dnnl::pooling_forward::primitive_desc hint(forward, attributes(), engine);
  const Shape padding = problem.numbers("padding");
  const dnnl::pooling_backward::desc description(
      static_cast<algorithm>(data.alg_kind), hint.src_desc(), hint.dst_desc(), problem.numbers("stride"),
      problem.numbers("kernel"), {padding[0], padding[1]}, {data.padding[1][0], data.padding[1][1]});
  return all(dnnl::pooling_backward::primitive_desc(description, attributes(), engine, hint));
}

dnnl::normalization_flags normFlags(const Problem& problem) {
  auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
  if (relu(problem)) flags |= dnnl::normalization_flags::fuse_norm_relu;
  return flags;
}

constexpr float epsilon = 1e-5F;

List batchNorm(const Problem& problem, const dnnl::engine& engine) {
  const Desc x = inLayout(problem.text("layout"), problem.input(0));
  const auto flags = normFlags(problem) | dnnl::normalization_flags::use_global_stats;
  return all(dnnl::batch_normalization_forward::primitive_desc(
      {prop_kind::forward_inference, x, epsilon, flags}, attributes(), engine));
}

List batchNormTraining(const Problem& problem, const dnnl::engine& engine) {
  const Desc x = inLayout(problem.text("layout"), problem.input(0));
  return all(dnnl::batch_normalization_forward::primitive_desc(
      {prop_kind::forward_training, x, epsilon, normFlags(problem)}, attributes(), engine));
}

List batchNormBackward(const Problem& problem, const dnnl::engine& engine) {
  const Desc x = inLayout(problem.text("layout"), problem.input(0));
  const auto flags = normFlags(problem);
  const dnnl::batch_normalization_forward::primitive_desc hint(
      {prop_kind::forward_training, x, epsilon, flags}, attributes(), engine);
  return all(dnnl::batch_normalization_backward::primitive_desc({prop_kind::backward, x, x, epsilon, flags},
                                                                attributes(), engine, hint));
}

List localResponseNorm(const Problem& problem, const dnnl::engine& engine) {
  const Desc x = inLayout(problem.text("layout"), problem.input(0));
  const auto kind =
      problem.text("mode") == "training" ? prop_kind::forward_training : prop_kind::forward_inference;
  return all(dnnl::lrn_forward::primitive_desc(
      {kind, algorithm::lrn_across_channels, x, problem.number("size"), 1e-4F, 0.75F}, attributes(), engine));
}

List elementwise(const Problem& problem, const dnnl::engine& engine) {
  const std::map<std::string, algorithm> kinds{{"relu", algorithm::eltwise_relu},
                                               {"sigmoid", algorithm::eltwise_logistic},
                                               {"linear", algorithm::eltwise_linear}};
  const auto kind = kinds.find(problem.text("kind"));
  if (kind == kinds.end()) return {};
  const Desc x = inLayout(problem.text("layout"), problem.input(0));
  return all(dnnl::eltwise_forward::primitive_desc({prop_kind::forward_inference, kind->second, x, 0, 0},
                                                   attributes(), engine));
}

List add(const Problem& problem, const dnnl::engine& engine) {
  const Desc x = inLayout(problem.text("layout"), problem.input(0));
  return all(dnnl::binary::primitive_desc({algorithm::binary_add, x, x, x},
                                          attributes(postOps(problem, false)), engine));
}

List concat(const Problem& problem, const dnnl::engine& engine) {
  std::vector<Desc> parts;
  for (const auto& input : problem.inputs) parts.push_back(inLayout(problem.text("layout"), input.value()));
  return {dnnl::concat::primitive_desc(1, parts, engine, attributes())};
}

List softmax(const Problem& problem, const dnnl::engine& engine) {
  return all(dnnl::softmax_forward::primitive_desc({prop_kind::forward_inference, plain(problem.input(0)), 1},
                                                   attributes(), engine));
}

}  // namespace

List implementations(const Problem& problem, const dnnl::engine& engine) {
  static const std::map<std::string, std::function<List(const Problem&, const dnnl::engine&)>> operations{
      {"convolution", convolution},
      {"convolutionBackwardData", convolutionBackwardData},
      {"convolutionBackwardWeights", convolutionBackwardWeights},
      {"linear", linear},
      {"linearBackwardData", linearBackwardData},
      {"linearBackwardWeights", linearBackwardWeights},
      {"pooling", pooling},
      {"poolingBackward", poolingBackward},
      {"batchNorm", batchNorm},
      {"batchNormTraining", batchNormTraining},
      {"batchNormBackward", batchNormBackward},
      {"localResponseNorm", localResponseNorm},
      {"elementwise", elementwise},
      {"add", add},
      {"concat", concat},
      {"softmax", softmax}};
  const auto known = operations.find(problem.op);
  if (known == operations.end() || !problem.floats) return {};
  try {
    return known->second(problem, engine);
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return {};
    throw;
  }
}

}  // namespace bench

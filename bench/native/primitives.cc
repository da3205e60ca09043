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

const std::map<std::string, Type> types{
    {"f32", Type::f32}, {"bf16", Type::bf16}, {"u8", Type::u8}, {"s8", Type::s8}};

Type typeOf(const Tensor& tensor) { return types.at(tensor.type); }

// What factors are multiplied in: 16 bits where any operand has 16.
Type factorType(const Problem& problem) {
  for (const auto* operands : {&problem.inputs, &problem.outputs})
    for (const auto& operand : *operands)
      if (operand && typeOf(*operand) == Type::bf16) return Type::bf16;
  return Type::f32;
}

Desc any(const Shape& shape, Type type) { return {shape, type, Tag::any}; }
Desc any(const Tensor& tensor) { return any(tensor.shape, typeOf(tensor)); }

Desc plain(const Shape& shape, Type type) {
  Shape strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return {shape, type, strides};
}
Desc plain(const Tensor& tensor) { return plain(tensor.shape, typeOf(tensor)); }

// In the layout of this name; row-major where it is none of an image's.
Desc inLayout(const std::string& layout, const Tensor& tensor) {
  const Type type = typeOf(tensor);
  if (tensor.shape.size() == 4) {
    if (layout == "nChw16c") return {tensor.shape, type, Tag::nChw16c};
    if (layout == "nChw8c") return {tensor.shape, type, Tag::nChw8c};
    if (layout == "nhwc") return {tensor.shape, type, Tag::nhwc};
  }
  return plain(tensor);
}

bool relu(const Problem& problem) { return problem.text("activation") == "relu"; }

dnnl::post_ops postOps(const Problem& problem, bool sum) {
  dnnl::post_ops after;
  if (sum) after.append_sum();
  if (relu(problem)) after.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
  return after;
}

struct Geometry {
  Geometry(const Problem& problem, const Tensor& filter) : weight(filter.shape) {
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
  const bool quantized = typeOf(problem.input(0)) == Type::u8;
  const Type factors = factorType(problem);
  const Desc x = any(problem.input(0).shape, quantized ? Type::u8 : factors),
             weight = any(g.weight, quantized ? Type::s8 : factors), y = any(problem.output(0));
  const auto kind =
      problem.text("mode") == "training" ? prop_kind::forward_training : prop_kind::forward_inference;
  const auto chosen = algorithmOf(problem);
  using Description = dnnl::convolution_forward::desc;
  const auto description =
      problem.hasInput(2) ? Description(kind, chosen, x, weight, plain(problem.input(2)), y, g.strides,
                                        g.dilation, g.before, g.after)
                          : Description(kind, chosen, x, weight, y, g.strides, g.dilation, g.before, g.after);
  auto with = attributes(postOps(problem, problem.hasInput(3)));
  constexpr int channel = 1 << 1;
  if (quantized) with.set_output_scales(channel, std::vector<float>(problem.output(0).shape.at(1), 0.01F));
  return all(dnnl::convolution_forward::primitive_desc(description, with, engine));
}

// Backward's primitives are described with a forward one as a hint, all in the type of the factors.
dnnl::convolution_forward::primitive_desc hint(const Problem& problem, const Geometry& g, const Tensor& x,
                                               const Tensor& y, const dnnl::engine& engine) {
  const Type factors = factorType(problem);
  return {{prop_kind::forward_training, algorithmOf(problem), any(x.shape, factors), any(g.weight, factors),
           any(y.shape, factors), g.strides, g.dilation, g.before, g.after},
          engine};
}

List convolutionBackwardData(const Problem& problem, const dnnl::engine& engine) {
  const Geometry g(problem, problem.input(1));
  const Type factors = factorType(problem);
  const Tensor &dx = problem.output(0), &dy = problem.input(0);
  const dnnl::convolution_backward_data::desc description(algorithmOf(problem), any(dx),
                                                          any(g.weight, factors), any(dy.shape, factors),
                                                          g.strides, g.dilation, g.before, g.after);
  return all(dnnl::convolution_backward_data::primitive_desc(description, attributes(), engine,
                                                             hint(problem, g, dx, dy, engine)));
}

List convolutionBackwardWeights(const Problem& problem, const dnnl::engine& engine) {
  const Geometry g(problem, problem.output(0));
  const Type factors = factorType(problem);
  const Desc x = any(problem.input(0).shape, factors), dy = any(problem.input(1).shape, factors),
             weight = any(g.weight, typeOf(problem.output(0)));
  const auto chosen = algorithmOf(problem);
  using Description = dnnl::convolution_backward_weights::desc;
  const auto description = problem.hasOutput(1)
                               ? Description(chosen, x, weight, plain(problem.output(1)), dy, g.strides,
                                             g.dilation, g.before, g.after)
                               : Description(chosen, x, weight, dy, g.strides, g.dilation, g.before, g.after);
  return all(dnnl::convolution_backward_weights::primitive_desc(
      description, attributes(), engine, hint(problem, g, problem.input(0), problem.input(1), engine)));
}

// As a matrix of the weight's width.
Desc rows(const Tensor& x, const Tensor& weight, Type type) {
  return plain({x.shape.at(0), weight.shape.at(1)}, type);
}

List linear(const Problem& problem, const dnnl::engine& engine) {
  const Type factors = factorType(problem);
  const Desc x = rows(problem.input(0), problem.input(1), factors),
             weight = any(problem.input(1).shape, factors), y = plain(problem.output(0));
  using Description = dnnl::inner_product_forward::desc;
  const auto kind = prop_kind::forward_inference;
  const auto description = problem.hasInput(2) ? Description(kind, x, weight, plain(problem.input(2)), y)
                                               : Description(kind, x, weight, y);
  return all(
      dnnl::inner_product_forward::primitive_desc(description, attributes(postOps(problem, false)), engine));
}

dnnl::inner_product_forward::primitive_desc hint(const Problem& problem, const Tensor& x,
                                                 const Tensor& weight, const Tensor& y,
                                                 const dnnl::engine& engine) {
  const Type factors = factorType(problem);
  return {{prop_kind::forward_training, rows(x, weight, factors), any(weight.shape, factors),
           plain(y.shape, factors)},
          engine};
}

List linearBackwardData(const Problem& problem, const dnnl::engine& engine) {
  const Type factors = factorType(problem);
  const Tensor &dx = problem.output(0), &weight = problem.input(1), &dy = problem.input(0);
  return all(dnnl::inner_product_backward_data::primitive_desc(
      {rows(dx, weight, typeOf(dx)), any(weight.shape, factors), plain(dy.shape, factors)}, attributes(),
      engine, hint(problem, dx, weight, dy, engine)));
}

List linearBackwardWeights(const Problem& problem, const dnnl::engine& engine) {
  const Type factors = factorType(problem);
  const Tensor &x = problem.input(0), &dy = problem.input(1), &dweight = problem.output(0);
  const Desc xDesc = rows(x, dweight, factors), dyDesc = plain(dy.shape, factors);
  using Description = dnnl::inner_product_backward_weights::desc;
  const auto description = problem.hasOutput(1)
                               ? Description(xDesc, any(dweight), plain(problem.output(1)), dyDesc)
                               : Description(xDesc, any(dweight), dyDesc);
  return all(dnnl::inner_product_backward_weights::primitive_desc(description, attributes(), engine,
                                                                  hint(problem, x, dweight, dy, engine)));
}

// The forward half of a pooling between tensors of these shapes.
dnnl::pooling_forward::desc poolingForward(const Problem& problem, const Tensor& x, const Tensor& y,
                                           bool training) {
  const Shape padding = problem.numbers("padding"), kernel = problem.numbers("kernel"),
              stride = problem.numbers("stride");
  Shape after;
  for (size_t axis = 0; axis < 2; ++axis) {
    const int64_t reach =
        (y.shape[axis + 2] - 1) * stride[axis] + kernel[axis] - padding[axis] - x.shape[axis + 2];
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
  const Tensor &dy = problem.input(0), &dx = problem.output(0);
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
  if (known == operations.end()) return {};
  for (const auto* operands : {&problem.inputs, &problem.outputs})
    for (const auto& operand : *operands)
      if (operand && !types.contains(operand->type)) return {};
  try {
    return known->second(problem, engine);
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return {};
    throw;
  }
}

}  // namespace bench

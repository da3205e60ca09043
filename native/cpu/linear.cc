#include "families.h"

namespace fovea::cpu {
namespace {

using dnnl::prop_kind;

// The weight [O,I] with the dimensions of x: [O,C,H,W] where x is kept blocked, so that the product reads x
// as it lies and only the weight, once, is rearranged.
struct Dimensions {
  Shape x, weight;
};

Dimensions flatDimensions(const Shape& x, const Shape& weight) { return {{x[0], weight[1]}, weight}; }

Dimensions spatialDimensions(const Shape& x, const Shape& weight) {
  Shape spatial = x;
  spatial[0] = weight[0];
  return {x, spatial};
}

bool lies(const LayoutPtr& layout, const Shape& shape, int64_t multiple) {
  const auto view = channelView(*layout);
  return shape.size() > 2 && view && view->lanes > 1 && view->channels % multiple == 0;
}

dnnl::inner_product_forward::primitive_desc forwardHint(const Request& request, const Desc& x,
                                                        const Desc& weight, const Desc& y) {
  return {{prop_kind::forward_training, x, weight, y}, request.context.engine};
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Linear& op) {
  const TensorSpec &x = request.input(0), &weight = request.input(1), &y = request.output(0);
  const bool bias = request.hasInput(2);
  const LayoutPtr xLayout = request.inputLayout(0);
  auto attributes = userScratchpad();
  if (op.activation == ops::Activation::relu) {
    dnnl::post_ops after;
    after.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
    attributes.set_post_ops(after);
  }
  const auto describe = [&](const Desc& xDesc, const Shape& weightShape) {
    const Desc weightDesc = anyDesc(weight.dtype, weightShape), yDesc = plainDesc(y);
    const auto kind = prop_kind::forward_inference;
    using Description = dnnl::inner_product_forward::desc;
    const auto desc = bias ? Description(kind, xDesc, weightDesc, plainDesc(request.input(2)), yDesc)
                           : Description(kind, xDesc, weightDesc, yDesc);
    return dnnl::inner_product_forward::primitive_desc(desc, attributes, request.context.engine);
  };
  std::vector<Dimensions> candidates;
  if (lies(xLayout, x.shape, 16)) candidates.push_back(spatialDimensions(x.shape, weight.shape));
  candidates.push_back(flatDimensions(x.shape, weight.shape));
  const auto description = chooseImplementation(candidates, [&](const Dimensions& dimensions) {
    const auto present = descAs(*xLayout, x.dtype, dimensions.x);
    return describe(present ? *present : plainDesc(x.dtype, dimensions.x), dimensions.weight);
  });
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC).input(1, DNNL_ARG_WEIGHTS, Role::weights).output(0, DNNL_ARG_DST);
  if (bias) kernel->input(2, DNNL_ARG_BIAS);
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::LinearBackwardData&) {
  const TensorSpec &dy = request.input(0), &weight = request.input(1), &dx = request.output(0);
  const Dimensions dimensions = flatDimensions(dx.shape, weight.shape);
  const Desc dyDesc = plainDesc(dy), weightDesc = anyDesc(weight.dtype, dimensions.weight),
             dxDesc = plainDesc(dx.dtype, dimensions.x);
  const dnnl::inner_product_backward_data::primitive_desc description(
      {dxDesc, weightDesc, dyDesc}, userScratchpad(), request.context.engine,
      forwardHint(request, dxDesc, weightDesc, dyDesc));
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_DIFF_DST).input(1, DNNL_ARG_WEIGHTS, Role::weights).output(0, DNNL_ARG_DIFF_SRC);
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::LinearBackwardWeights&) {
  const TensorSpec &x = request.input(0), &dy = request.input(1), &dweight = request.output(0);
  const bool bias = request.hasOutput(1);
  const Dimensions dimensions = flatDimensions(x.shape, dweight.shape);
  const Desc xDesc = plainDesc(x.dtype, dimensions.x), dyDesc = plainDesc(dy),
             weightDesc = anyDesc(dweight.dtype, dimensions.weight);
  using Description = dnnl::inner_product_backward_weights::desc;
  const auto desc = bias ? Description(xDesc, weightDesc, plainDesc(request.output(1)), dyDesc)
                         : Description(xDesc, weightDesc, dyDesc);
  const dnnl::inner_product_backward_weights::primitive_desc description(
      desc, userScratchpad(), request.context.engine, forwardHint(request, xDesc, weightDesc, dyDesc));
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC).input(1, DNNL_ARG_DIFF_DST).output(0, DNNL_ARG_DIFF_WEIGHTS, Role::weights);
  if (bias) kernel->output(1, DNNL_ARG_DIFF_BIAS);
  return kernel;
}

}  // namespace fovea::cpu

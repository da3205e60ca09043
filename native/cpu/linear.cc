#include <algorithm>

#include "avx512.h"
#include "families.h"
#include "queue.h"
#include "weight_rows.h"

namespace fovea::cpu {
namespace {

using dnnl::prop_kind;

// x is always seen as [N,I], row-major. Reading a blocked x as it lies, with the weight rearranged to match,
// saves a reorder of x but loses oneDNN's packed kernels: 45 ms against 18 ms for VGG's first linear layer at
// a batch of 8, where the reorder takes 0.02 ms.
Shape flat(const Shape& x, const Shape& weight) { return {x[0], weight[1]}; }

dnnl::primitive_attr attributesOf(const ops::Linear& op) {
  auto attributes = userScratchpad();
  dnnl::post_ops after;
  if (op.activation == ops::Activation::relu) after.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
  attributes.set_post_ops(after);
  return attributes;
}

// Backward's primitives are described with the forward one as a hint.
dnnl::inner_product_forward::primitive_desc forwardHint(const Request& request, const Desc& x,
                                                        const Desc& weight, const Desc& y) {
  return {{prop_kind::forward_training, x, weight, y}, request.context.engine};
}

KernelPtr innerProduct(const Request& request, const ops::Linear& op) {
  const TensorSpec &x = request.input(0), &weight = request.input(1), &y = request.output(0);
  const bool bias = request.hasInput(2);
  const DType type = operandType(x, y);
  const Desc xDesc = plainDesc(type, flat(x.shape, weight.shape)), yDesc = plainDesc(y),
             weightDesc = anyDesc(type, weight.shape);
  using Description = dnnl::inner_product_forward::desc;
  const auto kind = prop_kind::forward_inference;
  const auto desc = bias ? Description(kind, xDesc, weightDesc, plainDesc(request.input(2)), yDesc)
                         : Description(kind, xDesc, weightDesc, yDesc);
  const dnnl::inner_product_forward::primitive_desc description(desc, attributesOf(op),
                                                                request.context.engine);
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC).input(1, DNNL_ARG_WEIGHTS, Role::weights).output(0, DNNL_ARG_DST);
  if (bias) kernel->input(2, DNNL_ARG_BIAS);
  return kernel;
}

// As fast as the library's kernel for few images (AlexNet at 1 to 8: 0.95 to 1.1 of its time), without a
// second, packed copy of weights that are constant: half of AlexNet's and VGG's memory. nullptr where the
// processor or the layer is not one for it.
KernelPtr weightRows(const Request& request, const ops::Linear& op) {
  const TensorSpec &x = request.input(0), &weight = request.input(1), &y = request.output(0);
  const rows::Shape shape{x.shape[0], weight.shape[1], weight.shape[0]};
  const auto isFloat = [](const TensorSpec& spec) { return spec.dtype == DType::f32; };
  if (!hasAvx512() || !request.operands.inputs[1]->constant || shape.images > rows::mostImages ||
      !isFloat(x) || !isFloat(weight) || !isFloat(y))
    return nullptr;
  constexpr int64_t part = rows::mostOutputs;  // that a thread takes at once
  auto kernel = std::make_unique<FunctionKernel>(request, "weight rows");
  kernel->body = [=, relu = op.activation == ops::Activation::relu,
                  queue = std::make_shared<Queue>()](const Pointers& p) {
    queue->reset();
#pragma omp parallel
    queue->work(partsOf(shape.outputs, part), [&](int64_t unit) {
      const int64_t begin = unit * part;
      rows::multiply(static_cast<const float*>(p.inputs[0]), static_cast<const float*>(p.inputs[1]),
                     optionalFloats(p, 2), static_cast<float*>(p.outputs[0]), shape, relu, begin,
                     std::min(begin + part, shape.outputs));
    });
  };
  return kernel;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Linear& op) {
  if (auto kernel = weightRows(request, op)) return kernel;
  return innerProduct(request, op);
}

KernelPtr prepare(const Request& request, const ops::LinearBackwardData&) {
  const TensorSpec &dy = request.input(0), &weight = request.input(1), &dx = request.output(0);
  const DType type = operandType(dy, dx);
  const Desc dxDesc = plainDesc(dx.dtype, flat(dx.shape, weight.shape)), dyDesc = plainDesc(type, dy.shape),
             weightDesc = anyDesc(type, weight.shape);
  const dnnl::inner_product_backward_data::primitive_desc description(
      {dxDesc, weightDesc, dyDesc}, userScratchpad(), request.context.engine,
      forwardHint(request, plainDesc(type, flat(dx.shape, weight.shape)), weightDesc, dyDesc));
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_DIFF_DST).input(1, DNNL_ARG_WEIGHTS, Role::weights).output(0, DNNL_ARG_DIFF_SRC);
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::LinearBackwardWeights&) {
  const TensorSpec &x = request.input(0), &dy = request.input(1), &dweight = request.output(0);
  const bool bias = request.hasOutput(1);
  const DType type = operandType(x, dy);
  const Desc xDesc = plainDesc(type, flat(x.shape, dweight.shape)), dyDesc = plainDesc(type, dy.shape),
             weightDesc = anyDesc(dweight.dtype, dweight.shape);
  using Description = dnnl::inner_product_backward_weights::desc;
  const auto desc = bias ? Description(xDesc, weightDesc, plainDesc(request.output(1)), dyDesc)
                         : Description(xDesc, weightDesc, dyDesc);
  const dnnl::inner_product_backward_weights::primitive_desc description(
      desc, userScratchpad(), request.context.engine,
      forwardHint(request, xDesc, anyDesc(type, dweight.shape), dyDesc));
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC).input(1, DNNL_ARG_DIFF_DST).output(0, DNNL_ARG_DIFF_WEIGHTS, Role::weights);
  if (bias) kernel->output(1, DNNL_ARG_DIFF_BIAS);
  return kernel;
}

}  // namespace fovea::cpu

#include <algorithm>
#include <iterator>
#include <string_view>

#include "convolution_geometry.h"
#include "direct.h"
#include "families.h"
#include "tuner.h"
#include "winograd.h"

namespace fovea::cpu {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;

// oneDNN's first choice forward is its batch-reduce kernels, channels last: 5 to 10 % faster a convolution
// than the blocked ones (Zen 5, AVX-512). But Winograd and the whole backward half are blocked only, so that
// every activation would be reordered, and channels last a concatenation copies pixel by pixel. One format
// for all.
template <class Description>
Description preferBlocked(Description description) {
  Description alternative = description;
  while (std::string_view(alternative.impl_info_str()).starts_with("br"))
    if (!alternative.next_impl()) return description;
  return isReference(alternative.impl_info_str()) ? description : alternative;
}

// oneDNN's own choice; failing that, the layouts that its matrix product takes (groups of few channels).
enum class Formats { any, plain };
constexpr Formats candidates[] = {Formats::any, Formats::plain};

Desc describe(Formats formats, DType dtype, const Shape& shape) {
  return formats == Formats::any ? anyDesc(dtype, shape) : plainDesc(dtype, shape);
}

// An output's description, which may be settled from outside.
Desc describeOutput(const Request& request, size_t index, Formats formats, const Shape& shape) {
  const TensorSpec& spec = request.output(index);
  if (const LayoutPtr forced = request.forcedLayout(index))
    if (const auto desc = descAs(*forced, shape)) return *desc;
  return describe(formats, spec.dtype, shape);
}

Desc vectorDesc(const TensorSpec& spec) { return plainDesc(spec); }

dnnl::primitive_attr attributesOf(const ops::Convolution& op, bool residual) {
  auto attributes = userScratchpad();
  dnnl::post_ops after;
  if (residual) after.append_sum();
  if (op.activation == ops::Activation::relu) after.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
  attributes.set_post_ops(after);
  return attributes;
}

// Backward's primitives are described with the forward one as a hint.
dnnl::convolution_forward::primitive_desc forwardHint(const Request& request, algorithm algorithm,
                                                      const Geometry& geometry, const Desc& x,
                                                      const Desc& weight, const Desc& y) {
  return {{prop_kind::forward_training, algorithm, x, weight, y, geometry.strides, geometry.dilation,
           geometry.before, geometry.after},
          request.context.engine};
}

// The library has Winograd's transforms for these alone.
bool libraryHasWinograd(const ops::ConvolutionGeometry& op, const Shape& weight, DType dtype) {
  return dtype == DType::f32 && op.groups == 1 && op.stride == ops::Pair{1, 1} &&
         op.dilation == ops::Pair{1, 1} && weight[2] == 3 && weight[3] == 3;
}

bool isWinograd(const std::string& implementation) {
  return implementation.find("wino") != std::string::npos;
}

// The ways that there are to do a convolution, the fastest of which is taken. `make` prepares the library's.
template <class Make>
KernelPtr chooseAlgorithm(const Request& request, const std::string& problem, DType type,
                          const ops::ConvolutionGeometry& op, const Shape& weight, const Make& make,
                          std::vector<Candidate> ours = {}) {
  std::vector<Candidate> candidates{{"direct", [&] { return make(algorithm::convolution_direct); }}};
  if (libraryHasWinograd(op, weight, type))
    candidates.push_back({"winograd", [&]() -> KernelPtr {
                            auto kernel = make(algorithm::convolution_winograd);
                            return isWinograd(kernel->implementation()) ? std::move(kernel) : nullptr;
                          }});
  std::ranges::move(ours, std::back_inserter(candidates));
  if (candidates.size() == 1) return candidates.front().make();
  return choose(request.context, problem, candidates);
}

// Kernels of our own.
std::vector<Candidate> ourCandidates(const Request& request, const ops::Convolution& op) {
  std::vector<Candidate> candidates;
  for (const int64_t vectors : {2, 3, 4})
    candidates.push_back({"direct by " + std::to_string(vectors),
                          [&request, &op, vectors] { return directConvolution(request, op, vectors); }});
  if (!winogradFits(op, request.input(1).shape)) return candidates;
  for (const WinogradMethod method : winogradMethods)
    candidates.push_back(
        {nameOf(method), [&request, &op, method] { return winogradConvolution(request, op, method); }});
  return candidates;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Convolution& op) {
  const TensorSpec &x = request.input(0), &weight = request.input(1), &y = request.output(0);
  const DType type = operandType(x, y);
  const bool bias = request.hasInput(2), residual = request.hasInput(3);
  const bool relu = op.activation == ops::Activation::relu;
  // Packed weights are worth their packing only where it is done once.
  const bool packed = request.operands.inputs[1]->constant;
  const auto kind = packed ? prop_kind::forward_inference : prop_kind::forward_training;
  const Geometry geometry = geometryOf(op, weight.shape);
  const auto attributes = attributesOf(op, residual);
  const auto make = [&](algorithm algorithm) -> KernelPtr {
    const auto description = chooseImplementation(candidates, [&](Formats formats) {
      const Desc xDesc = describe(formats, type, x.shape);
      const Desc weightDesc = describe(formats, type, geometry.weight);
      const Desc yDesc = describeOutput(request, 0, formats, y.shape);
      using Description = dnnl::convolution_forward::desc;
      const auto desc =
          bias ? Description(kind, algorithm, xDesc, weightDesc, vectorDesc(request.input(2)), yDesc,
                             geometry.strides, geometry.dilation, geometry.before, geometry.after)
               : Description(kind, algorithm, xDesc, weightDesc, yDesc, geometry.strides, geometry.dilation,
                             geometry.before, geometry.after);
      return preferBlocked(
          dnnl::convolution_forward::primitive_desc(desc, attributes, request.context.engine));
    });
    auto kernel = std::make_unique<PrimitiveKernel>(request, description);
    kernel->input(0, DNNL_ARG_SRC).input(1, DNNL_ARG_WEIGHTS, Role::weights).output(0, DNNL_ARG_DST);
    if (bias) kernel->input(2, DNNL_ARG_BIAS);
    if (residual) kernel->accumulatedInput(3, 0);
    return kernel;
  };
  const std::string rest = std::string(bias ? " bias" : "") + (residual ? " residual" : "") +
                           (relu ? " relu" : "") + (packed ? " packed" : "");
  return chooseAlgorithm(request, problemOf(op.name, type, op, x.shape, weight.shape, rest), type, op,
                         weight.shape, make, ourCandidates(request, op));
}

KernelPtr prepare(const Request& request, const ops::ConvolutionBackwardData& op) {
  const TensorSpec &dy = request.input(0), &weight = request.input(1), &dx = request.output(0);
  const DType type = operandType(dy, dx);
  const Geometry geometry = geometryOf(op, weight.shape);
  const auto make = [&](algorithm algorithm) -> KernelPtr {
    const auto description = chooseImplementation(candidates, [&](Formats formats) {
      const Desc dyDesc = describe(formats, type, dy.shape);
      const Desc weightDesc = describe(formats, type, geometry.weight);
      const Desc dxDesc = describeOutput(request, 0, formats, dx.shape);
      const dnnl::convolution_backward_data::desc desc(algorithm, dxDesc, weightDesc, dyDesc,
                                                       geometry.strides, geometry.dilation, geometry.before,
                                                       geometry.after);
      const Desc hintDesc = type == dx.dtype ? dxDesc : describe(formats, type, dx.shape);
      return dnnl::convolution_backward_data::primitive_desc(
          desc, userScratchpad(), request.context.engine,
          forwardHint(request, algorithm, geometry, hintDesc, weightDesc, dyDesc));
    });
    auto kernel = std::make_unique<PrimitiveKernel>(request, description);
    kernel->input(0, DNNL_ARG_DIFF_DST)
        .input(1, DNNL_ARG_WEIGHTS, Role::weights)
        .output(0, DNNL_ARG_DIFF_SRC);
    return kernel;
  };
  return chooseAlgorithm(request, problemOf(op.name, type, op, dx.shape, weight.shape, ""), type, op,
                         weight.shape, make);
}

KernelPtr prepare(const Request& request, const ops::ConvolutionBackwardWeights& op) {
  const TensorSpec &x = request.input(0), &dy = request.input(1), &dweight = request.output(0);
  const DType type = operandType(x, dy);
  const bool bias = request.hasOutput(1);
  const Geometry geometry = geometryOf(op, dweight.shape);
  const auto make = [&](algorithm algorithm) -> KernelPtr {
    const auto description = chooseImplementation(candidates, [&](Formats formats) {
      const Desc xDesc = describe(formats, type, x.shape);
      const Desc dyDesc = describe(formats, type, dy.shape);
      const Desc weightDesc = describeOutput(request, 0, formats, geometry.weight);
      const Desc hintDesc = type == dweight.dtype ? weightDesc : describe(formats, type, geometry.weight);
      using Description = dnnl::convolution_backward_weights::desc;
      const auto desc =
          bias ? Description(algorithm, xDesc, weightDesc, vectorDesc(request.output(1)), dyDesc,
                             geometry.strides, geometry.dilation, geometry.before, geometry.after)
               : Description(algorithm, xDesc, weightDesc, dyDesc, geometry.strides, geometry.dilation,
                             geometry.before, geometry.after);
      return dnnl::convolution_backward_weights::primitive_desc(
          desc, userScratchpad(), request.context.engine,
          forwardHint(request, algorithm, geometry, xDesc, hintDesc, dyDesc));
    });
    auto kernel = std::make_unique<PrimitiveKernel>(request, description);
    kernel->input(0, DNNL_ARG_SRC)
        .input(1, DNNL_ARG_DIFF_DST)
        .output(0, DNNL_ARG_DIFF_WEIGHTS, Role::weights);
    if (bias) kernel->output(1, DNNL_ARG_DIFF_BIAS);
    return kernel;
  };
  return chooseAlgorithm(request, problemOf(op.name, type, op, x.shape, dweight.shape, bias ? " bias" : ""),
                         type, op, dweight.shape, make);
}

}  // namespace fovea::cpu

#include <algorithm>
#include <vector>

#include "convolution_geometry.h"
#include "families.h"
#include "tuner.h"

namespace fovea::cpu {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;

enum Input : size_t { image, weights, factors, bias, residual };

// Without VNNI the library sums pairs of products in 16 bits, which overflow.
void requireVnni() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx2_vnni:
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return;
    default:
      throw unsupported("int8 needs a processor with AVX512_VNNI or AVX_VNNI");
  }
}

dnnl::convolution_forward::desc problemDesc(const Request& request, const ops::QuantizedConvolution& op) {
  const auto any = [](const TensorSpec& spec) { return anyDesc(spec.dtype, spec.shape); };
  const Geometry geometry = geometryOf(op, request.input(weights).shape);
  return {prop_kind::forward_inference,
          algorithm::convolution_direct,
          any(request.input(image)),
          anyDesc(DType::s8, geometry.weight),
          plainDesc(request.input(bias)),
          any(request.output(0)),
          geometry.strides,
          geometry.dilation,
          geometry.before,
          geometry.after};
}

dnnl::primitive_attr attributesOf(const Request& request, const ops::QuantizedConvolution& op,
                                  const std::vector<float>& factors) {
  constexpr int everyChannel = 1 << 1;
  auto attributes = userScratchpad();
  attributes.set_output_scales(everyChannel, factors);
  dnnl::post_ops after;
  if (request.hasInput(residual))
    after.append_sum(static_cast<float>(op.residualFactor), 0, dataType(request.input(residual).dtype));
  if (op.activation == ops::Activation::relu) after.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
  attributes.set_post_ops(after);
  return attributes;
}

// Those that the library has for the best instruction set that it has any for, its first choice first.
std::vector<std::string> implementations(const Request& request, const ops::QuantizedConvolution& op,
                                         const std::vector<float>& factors) {
  const auto problem = problemDesc(request, op);
  dnnl::convolution_forward::primitive_desc description(problem, attributesOf(request, op, factors),
                                                        request.context.engine);
  const auto instructionSet = [](const std::string& name) { return name.substr(name.rfind(':') + 1); };
  std::vector<std::string> names;
  do {
    const std::string name = description.impl_info_str();
    if (names.empty() || (!isReference(name) && instructionSet(name) == instructionSet(names.front())))
      names.push_back(name);
  } while (description.next_impl());
  return names;
}

// The library takes the factors of channels when a primitive is made, but they follow from the weights: it is
// made anew where they have changed since the last run.
class QuantizedConvolution final : public Kernel {
 public:
  QuantizedConvolution(const Request& request, ops::QuantizedConvolution op, std::vector<float> factors,
                       std::string implementation)
      : context_(request.context),
        operands_(request.operands),
        op_(std::move(op)),
        factors_(std::move(factors)),
        implementation_(std::move(implementation)),
        primitive_(make()) {
    inputs = primitive_->inputs;
    outputs = primitive_->outputs;
    aliases = primitive_->aliases;
    scratchBytes = primitive_->scratchBytes;
  }

  void bind(const Pointers& pointers) override {
    pointers_ = pointers;
    primitive_->bind(pointers);
  }

  void enqueue() override {
    const auto* now = static_cast<const float*>(pointers_.inputs[factors]);
    if (!std::equal(factors_.begin(), factors_.end(), now)) {
      std::copy_n(now, factors_.size(), factors_.begin());
      primitive_ = make();
      primitive_->bind(pointers_);
    }
    primitive_->enqueue();
  }

  std::string implementation() const override { return implementation_; }

 private:
  KernelPtr make() const {
    const Request request(context_, operands_);
    const auto problem = problemDesc(request, op_);
    dnnl::convolution_forward::primitive_desc description(problem, attributesOf(request, op_, factors_),
                                                          context_.engine);
    while (description.impl_info_str() != implementation_)
      if (!description.next_impl())
        throw Error("BACKEND", "oneDNN no longer has " + implementation_ + " for a convolution");
    auto kernel = std::make_unique<PrimitiveKernel>(request, description);
    kernel->input(image, DNNL_ARG_SRC)
        .input(weights, DNNL_ARG_WEIGHTS, Role::weights)
        .input(bias, DNNL_ARG_BIAS)
        .output(0, DNNL_ARG_DST);
    kernel->inputs[factors] = plainLayout(request.input(factors));
    if (request.hasInput(residual)) {
      kernel->accumulatedInput(residual, 0);
      kernel->inputs[residual] = withType(kernel->outputs[0], request.input(residual).dtype);
    }
    return kernel;
  }

  const Context context_;
  const Operands operands_;
  const ops::QuantizedConvolution op_;
  std::vector<float> factors_;
  const std::string implementation_;
  KernelPtr primitive_;
  Pointers pointers_;
};

}  // namespace

KernelPtr prepare(const Request& request, const ops::QuantizedConvolution& op) {
  requireVnni();
  const TensorSpec &x = request.input(image), &y = request.output(0);
  // Any, until the weights are there.
  const std::vector<float> unknown(y.shape[1], 0.5F);
  std::vector<Candidate> candidates;
  for (const std::string& name : implementations(request, op, unknown))
    candidates.push_back(
        {name, [=, &request] { return std::make_unique<QuantizedConvolution>(request, op, unknown, name); }});
  if (candidates.size() == 1) return candidates.front().make();
  const std::string rest =
      std::string(" to ") + nameOf(y.dtype) +
      (request.hasInput(residual) ? std::string(" residual ") + nameOf(request.input(residual).dtype) : "") +
      (op.activation == ops::Activation::relu ? " relu" : "");
  return choose(request.context, problemOf(op.name, x.dtype, op, x.shape, request.input(weights).shape, rest),
                candidates);
}

}  // namespace fovea::cpu

#include <algorithm>

#include "bf16.h"
#include "families.h"
#include "simd.h"

namespace fovea::cpu {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;

struct Function {
  algorithm kind;
  float alpha = 0, beta = 0;
};

Function functionOf(const ops::Elementwise& op) {
  switch (op.kind) {
    case ops::ElementwiseKind::relu:
      return {algorithm::eltwise_relu};
    case ops::ElementwiseKind::sigmoid:
      return {algorithm::eltwise_logistic};
    case ops::ElementwiseKind::tanh:
      return {algorithm::eltwise_tanh};
    default:
      return {algorithm::eltwise_linear, static_cast<float>(op.alpha), static_cast<float>(op.beta)};
  }
}

bool keepsZero(const ops::Elementwise& op) {
  return op.kind == ops::ElementwiseKind::relu || op.kind == ops::ElementwiseKind::tanh ||
         (op.kind == ops::ElementwiseKind::linear && op.beta == 0);
}

// The input's own layout, unless its padding would not stay zero.
Desc workingDesc(const Request& request, bool zeroStays) {
  const TensorSpec& x = request.input(0);
  const LayoutPtr layout = request.inputLayout(0);
  const auto* known = dynamic_cast<const CpuLayout*>(layout.get());
  if (!known || !known->uniform() || (known->padded() && !zeroStays)) return plainDesc(x);
  return known->desc();
}

std::unique_ptr<PrimitiveKernel> elementwiseKernel(const Request& request, const Function& function,
                                                   const Desc& desc) {
  const dnnl::eltwise_forward::primitive_desc description(
      {prop_kind::forward_inference, function.kind, desc, function.alpha, function.beta}, userScratchpad(),
      request.context.engine);
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC).output(0, DNNL_ARG_DST);
  kernel->aliases = {{0, 0, false}};
  return kernel;
}

// Several functions in turn, the later ones in place.
class ChainKernel final : public Kernel {
 public:
  explicit ChainKernel(std::vector<KernelPtr> steps) : steps_(std::move(steps)) {
    inputs = steps_.front()->inputs;
    outputs = steps_.front()->outputs;
    aliases = steps_.front()->aliases;
    for (const auto& step : steps_) scratchBytes = std::max(scratchBytes, step->scratchBytes);
  }

  void bind(const Pointers& pointers) override {
    Pointers inPlace = pointers;
    for (const auto& step : steps_) {
      step->bind(inPlace);
      inPlace.inputs = pointers.outputs;
    }
  }
  void enqueue() override {
    for (const auto& step : steps_) step->enqueue();
  }
  std::string implementation() const override {
    return std::to_string(steps_.size()) + " x " + steps_.front()->implementation();
  }

 private:
  std::vector<KernelPtr> steps_;
};

KernelPtr scaledTanh(const Request& request, const ops::Elementwise& op, const Desc& desc) {
  const auto scale = [&](double factor) {
    return elementwiseKernel(request, {algorithm::eltwise_linear, static_cast<float>(factor), 0}, desc);
  };
  std::vector<KernelPtr> steps;
  steps.push_back(scale(op.beta));
  steps.push_back(elementwiseKernel(request, {algorithm::eltwise_tanh}, desc));
  steps.push_back(scale(op.alpha));
  return std::make_unique<ChainKernel>(std::move(steps));
}

template <class Function>
FOVEA_SIMD void combinePart(const Function& function, const float* a, const float* b, float* result,
                            int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) result[i] = function(a[i], b[i]);
}

constexpr int64_t partLength = 1 << 12;

template <class Function>
void combinePart(const Function& function, const Bf16* a, const Bf16* b, Bf16* result, int64_t count) {
  float wideA[partLength], wideB[partLength];
  widen(a, wideA, count);
  if (a != b) widen(b, wideB, count);
  combinePart(function, wideA, a == b ? wideA : wideB, wideA, count);
  narrow(wideA, result, count);
}

template <class Element, class Function>
FunctionKernel::Body combineElements(int64_t count, Function function) {
  return [=](const Pointers& p) {
    const auto* a = static_cast<const Element*>(p.inputs[0]);
    // A function of one input gets it twice.
    const auto* b = p.inputs.size() > 1 && p.inputs[1] ? static_cast<const Element*>(p.inputs[1]) : a;
    auto* result = static_cast<Element*>(p.outputs[0]);
#pragma omp parallel for
    for (int64_t begin = 0; begin < count; begin += partLength)
      combinePart(function, a + begin, b + begin, result + begin, std::min(partLength, count - begin));
  };
}

// Elements of a type in the bytes of a layout, padding included.
struct Extent {
  DType dtype;
  int64_t count;
};

Extent extentOf(const Request& request, const Layout& layout) {
  const DType dtype = request.output(0).dtype;
  return {dtype, static_cast<int64_t>(layout.bytes() / sizeOf(dtype))};
}

// Both inputs to the output, element by element, over the bytes of a layout. Zeros that pad it stay zeros if
// the function keeps them.
template <class Function>
FunctionKernel::Body combine(const Extent& extent, Function function) {
  return extent.dtype == DType::bf16 ? combineElements<Bf16>(extent.count, function)
                                     : combineElements<float>(extent.count, function);
}

FunctionKernel::Body gradientOf(const ops::Elementwise& op, const Extent& count) {
  // tanh: alpha * beta * (1 - (y / alpha)^2)
  const float slope = static_cast<float>(op.alpha * op.beta), square = static_cast<float>(op.beta / op.alpha);
  switch (op.kind) {
    case ops::ElementwiseKind::relu:
      return combine(count, [](float dy, float y) { return y <= 0 ? 0.f : dy; });
    case ops::ElementwiseKind::sigmoid:
      return combine(count, [](float dy, float y) { return dy * y * (1 - y); });
    case ops::ElementwiseKind::tanh:
      return combine(count, [=](float dy, float y) { return dy * (slope - square * y * y); });
    default:
      return combine(count, [alpha = static_cast<float>(op.alpha)](float dy, float) { return dy * alpha; });
  }
}

bool isUniform(const LayoutPtr& layout) {
  const auto* known = dynamic_cast<const CpuLayout*>(layout.get());
  return known && known->uniform();
}

// The layout that `a` and `b` share, or the blocked one of the two.
size_t preferred(const Request& request, size_t a, size_t b) {
  const auto isPlain = [&](size_t index) {
    return request.inputLayout(index)->equals(*plainLayout(request.input(index)));
  };
  return isPlain(a) && !isPlain(b) ? b : a;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Elementwise& op) {
  const Desc desc = workingDesc(request, keepsZero(op));
  if (op.kind == ops::ElementwiseKind::tanh && (op.alpha != 1 || op.beta != 1))
    return scaledTanh(request, op, desc);
  return elementwiseKernel(request, functionOf(op), desc);
}

KernelPtr prepare(const Request& request, const ops::ElementwiseBackward& op) {
  const bool readsResult = op.kind != ops::ElementwiseKind::linear;
  if (readsResult && !request.hasInput(1)) throw unsupported("needs the forward's result");
  LayoutPtr layout = request.inputLayout(readsResult ? preferred(request, 1, 0) : 0);
  if (!isUniform(layout)) layout = plainLayout(request.input(0));
  auto kernel = std::make_unique<FunctionKernel>(request, "elementwiseBackward",
                                                 gradientOf(op, extentOf(request, *layout)));
  kernel->inputs[0] = kernel->outputs[0] = layout;
  if (request.hasInput(1)) kernel->inputs[1] = readsResult ? layout : request.inputLayout(1);
  kernel->aliases = {{0, 0, false}};
  if (readsResult) kernel->aliases.push_back({0, 1, false});
  return kernel;
}

// Our own: oneDNN 2.6.3 writes past the end of a padded nChw8c with AVX-512.
KernelPtr prepare(const Request& request, const ops::Add& op) {
  LayoutPtr layout = request.inputLayout(preferred(request, 0, 1));
  if (!isUniform(layout)) layout = plainLayout(request.input(0));
  auto kernel = std::make_unique<FunctionKernel>(request, "add");
  kernel->inputs[0] = kernel->inputs[1] = kernel->outputs[0] = layout;
  kernel->aliases = {{0, 0, false}, {0, 1, false}};
  const Extent count = extentOf(request, *layout);
  if (op.activation == ops::Activation::relu)
    kernel->body = combine(count, [](float a, float b) { return std::max(a + b, 0.f); });
  else
    kernel->body = combine(count, [](float a, float b) { return a + b; });
  return kernel;
}

}  // namespace fovea::cpu

#include <algorithm>
#include <cstring>

#include "families.h"
#include "winograd.h"

namespace fovea::cpu {
namespace {

// Two layouts that no one primitive relates, by way of the row-major one.
class DetourKernel final : public Kernel {
 public:
  DetourKernel(KernelPtr first, KernelPtr second, size_t bytes)
      : first_(std::move(first)), second_(std::move(second)), bytes_((bytes + 63) / 64 * 64) {
    inputs = first_->inputs;
    outputs = second_->outputs;
    scratchBytes = bytes_ + std::max(first_->scratchBytes, second_->scratchBytes);
  }

  void bind(const Pointers& pointers) override {
    void* rest = static_cast<char*>(pointers.scratch) + bytes_;
    first_->bind({pointers.inputs, {pointers.scratch}, rest});
    second_->bind({{pointers.scratch}, pointers.outputs, rest});
  }
  void enqueue() override {
    first_->enqueue();
    second_->enqueue();
  }
  std::string implementation() const override {
    return first_->implementation() + " + " + second_->implementation();
  }

 private:
  KernelPtr first_, second_;
  size_t bytes_;
};

}  // namespace

void copyBytes(void* to, const void* from, size_t bytes) {
  constexpr int64_t chunk = 1 << 18;
  if (to == from) return;
  const int64_t total = static_cast<int64_t>(bytes);
#pragma omp parallel for if (total > chunk)
  for (int64_t begin = 0; begin < total; begin += chunk)
    std::memcpy(static_cast<char*>(to) + begin, static_cast<const char*>(from) + begin,
                std::min(chunk, total - begin));
}

KernelPtr prepareReorder(const Context& context, const TensorSpec& spec, const LayoutPtr& from,
                         const LayoutPtr& to) {
  const Operands operands{{Operand{spec, from}}, {Operand{spec, to}}};
  const Request request(context, operands);
  if (from->equals(*to)) {
    auto kernel = std::make_unique<FunctionKernel>(
        request, "copy",
        [bytes = from->bytes()](const Pointers& p) { copyBytes(p.outputs[0], p.inputs[0], bytes); });
    kernel->inputs = {from};
    kernel->outputs = {to};
    kernel->aliases = {{0, 0, false}};
    return kernel;
  }
  if (const auto* winograd = dynamic_cast<const WinogradWeights*>(to.get())) {
    const LayoutPtr plain = plainLayout(spec);
    if (from->equals(*plain)) return winograd->pack(request, to);
    return std::make_unique<DetourKernel>(prepareReorder(context, spec, from, plain),
                                          prepareReorder(context, spec, plain, to), plain->bytes());
  }
  const auto* source = dynamic_cast<const CpuLayout*>(from.get());
  const auto* target = dynamic_cast<const CpuLayout*>(to.get());
  if (!source || !target) throw unsupported("an opaque tensor has one layout only");
  const Shape dims = source->plain() ? target->desc().dims() : source->desc().dims();
  const auto sourceDesc = descAs(*from, dims), targetDesc = descAs(*to, dims);
  const auto detour = [&] {
    const LayoutPtr middle = plainLayout(spec);
    return std::make_unique<DetourKernel>(prepareReorder(context, spec, from, middle),
                                          prepareReorder(context, spec, middle, to), middle->bytes());
  };
  if (!sourceDesc || !targetDesc) return detour();
  dnnl::reorder::primitive_desc description;
  try {
    description = {context.engine, *sourceDesc, context.engine, *targetDesc, userScratchpad()};
  } catch (const dnnl::error& error) {
    // Winograd's weights are made from row-major ones only.
    if (error.status != dnnl_unimplemented || source->plain() || target->plain()) throw;
    return detour();
  }
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_FROM).output(0, DNNL_ARG_TO);
  kernel->inputs = {from};
  kernel->outputs = {to};
  return kernel;
}

}  // namespace fovea::cpu

#include "null_backend.h"

#include <cstring>

#include "error.h"

namespace fovea::null {
namespace {

constexpr size_t opaqueBytes = 64;

class NullLayout final : public Layout {
 public:
  explicit NullLayout(const TensorSpec& spec)
      : opaque_(spec.dtype == DType::opaque),
        bytes_(opaque_ ? opaqueBytes : static_cast<size_t>(elementCount(spec.shape)) * sizeOf(spec.dtype)) {}

  size_t bytes() const override { return bytes_; }
  bool equals(const Layout& other) const override {
    const auto* that = dynamic_cast<const NullLayout*>(&other);
    return that && opaque_ == that->opaque_ && bytes_ == that->bytes_;
  }
  bool elementwise() const override { return !opaque_; }
  std::string name() const override { return opaque_ ? "opaque" : "plain"; }

 private:
  bool opaque_;
  size_t bytes_;
};

class HeapMemory final : public Memory {
 public:
  HeapMemory(size_t bytes, std::shared_ptr<MemoryMeter> meter)
      : bytes_(bytes), meter_(std::move(meter)), data_(std::make_unique<std::byte[]>(bytes)) {
    meter_->add(bytes_);
  }
  ~HeapMemory() override { meter_->remove(bytes_); }

  void* data() const override { return data_.get(); }
  size_t bytes() const override { return bytes_; }

 private:
  size_t bytes_;
  std::shared_ptr<MemoryMeter> meter_;
  std::unique_ptr<std::byte[]> data_;
};

class NullKernel final : public Kernel {
 public:
  NullKernel(const Operands& operands) {
    const auto layoutsOf = [](const std::vector<std::optional<Operand>>& side) {
      std::vector<LayoutPtr> layouts;
      for (const auto& operand : side)
        layouts.push_back(operand ? std::make_shared<NullLayout>(operand->spec) : nullptr);
      return layouts;
    };
    inputs = layoutsOf(operands.inputs);
    outputs = layoutsOf(operands.outputs);
  }

  void bind(const Pointers&) override {}
  void enqueue() override {}
  std::string implementation() const override { return "null"; }
};

class CopyKernel final : public Kernel {
 public:
  CopyKernel(LayoutPtr from, LayoutPtr to) : bytes_(from->bytes()) {
    inputs = {std::move(from)};
    outputs = {std::move(to)};
  }

  void bind(const Pointers& pointers) override {
    from_ = pointers.inputs[0];
    to_ = pointers.outputs[0];
  }
  void enqueue() override { std::memmove(to_, from_, bytes_); }
  std::string implementation() const override { return "copy"; }

 private:
  size_t bytes_;
  void *from_ = nullptr, *to_ = nullptr;
};

// What an operation updates in place: the parameter, and what an optimizer or a norm keeps between steps.
template <class Op>
std::vector<Kernel::Alias> updatesOf(const Op&, const Operands& operands) {
  std::vector<Kernel::Alias> aliases;
  const auto add = [&](size_t output, size_t input) {
    if (output < operands.outputs.size() && operands.outputs[output] && input < operands.inputs.size() &&
        operands.inputs[input])
      aliases.push_back({static_cast<int>(output), static_cast<int>(input), true});
  };
  constexpr bool optimizes = std::is_base_of_v<ops::Optimizer, Op>;
  if constexpr (optimizes || std::is_same_v<Op, ops::Accumulate> || std::is_same_v<Op, ops::Clear> ||
                std::is_same_v<Op, ops::MovingAverage>)
    add(0, 0);
  if constexpr (optimizes)
    for (size_t state = 1; state < operands.outputs.size(); ++state) add(state, state + 3);
  if constexpr (std::is_same_v<Op, ops::BatchNormTraining>) add(3, 3), add(4, 4);
  if constexpr (std::is_same_v<Op, ops::UnscaleGradients>) add(2, 2);
  return aliases;
}

class NullBackend final : public Backend {
 public:
  explicit NullBackend(std::shared_ptr<MemoryMeter> meter) : meter_(std::move(meter)) {}

  std::string description() const override { return "null: prepares everything, computes nothing"; }
  std::shared_ptr<Memory> allocate(size_t bytes) override {
    try {
      return std::make_shared<HeapMemory>(bytes, meter_);
    } catch (const std::bad_alloc&) {
      throw Error("OUT_OF_MEMORY", "Out of memory: " + std::to_string(bytes) + " bytes asked for");
    }
  }
  std::shared_ptr<Memory> adopt(std::shared_ptr<Memory> host) override { return host; }
  LayoutPtr plain(const TensorSpec& spec) override { return std::make_shared<NullLayout>(spec); }
  std::unique_ptr<Kernel> prepare(const Plan::Instruction& instruction, const Operands& operands) override {
    auto kernel = std::make_unique<NullKernel>(operands);
    std::visit([&](const auto& op) { kernel->aliases = updatesOf(op, operands); }, instruction.attributes);
    return kernel;
  }
  std::unique_ptr<Kernel> reorder(const TensorSpec&, LayoutPtr from, LayoutPtr to) override {
    if (!from->equals(*to))
      throw Error("UNSUPPORTED", "no reorder from " + from->name() + " to " + to->name());
    return std::make_unique<CopyKernel>(std::move(from), std::move(to));
  }
  std::unique_ptr<Staging> stage(size_t bytes) override { return stageOnHost(bytes); }
  void upload(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void synchronize() override {}

 private:
  std::shared_ptr<MemoryMeter> meter_;
};

}  // namespace

std::shared_ptr<Backend> openNullBackend(std::shared_ptr<MemoryMeter> meter) {
  return std::make_shared<NullBackend>(std::move(meter));
}

}  // namespace fovea::null

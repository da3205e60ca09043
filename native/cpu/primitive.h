#pragma once
#include <functional>
#include <iterator>
#include <memory>
#include <utility>

#include "error.h"
#include "layout.h"
#include "tuning.h"

namespace fovea::cpu {

struct Context {
  dnnl::engine engine;
  dnnl::stream stream;
  std::shared_ptr<MemoryMeter> meter;
  Tuning tuning;
  std::shared_ptr<TuningTable> table;
};

// One instruction's operands, as a family's `prepare` reads them.
class Request {
 public:
  Request(const Context& context, const Operands& operands) : context(context), operands(operands) {}

  bool hasInput(size_t index) const { return index < operands.inputs.size() && operands.inputs[index]; }
  bool hasOutput(size_t index) const { return index < operands.outputs.size() && operands.outputs[index]; }
  const TensorSpec& input(size_t index) const { return operands.inputs.at(index).value().spec; }
  const TensorSpec& output(size_t index) const { return operands.outputs.at(index).value().spec; }
  // The layout in which an input comes.
  LayoutPtr presentLayout(size_t index) const;
  // The same with images outermost, as kernels take it that do not expect anything else. They may want
  // another.
  LayoutPtr inputLayout(size_t index) const;
  // The layout that an output must have, if that is settled.
  LayoutPtr forcedLayout(size_t index) const;

  const Context& context;
  const Operands& operands;
};

// Runs a oneDNN primitive. All objects are made once; a run is one call without allocation.
class PrimitiveKernel final : public Kernel {
 public:
  PrimitiveKernel(const Request& request, const dnnl::primitive_desc_base& description);

  // Operand `index` is this argument of the primitive, in the layout that the primitive wants.
  PrimitiveKernel& input(size_t index, int argument, Role role = Role::data);
  PrimitiveKernel& output(size_t index, int argument, Role role = Role::data);
  PrimitiveKernel& opaqueOutput(size_t index, int argument, LayoutPtr layout);
  PrimitiveKernel& opaqueInput(size_t index, int argument, LayoutPtr layout);
  // An input that the primitive finds in the memory of an output, because it adds to what is there.
  PrimitiveKernel& accumulatedInput(size_t index, size_t output);

  // An operand of the primitive that nobody else wants: it lies behind the scratchpad.
  PrimitiveKernel& scratch(int argument);

  void bind(const Pointers& pointers) override;
  void enqueue() override;
  std::string implementation() const override { return implementation_; }

 private:
  enum class Side { input, output, scratch };
  struct Argument {
    Side side;
    size_t index;  // scratch: bytes from its start
    dnnl::memory memory;
  };
  void add(Side side, size_t index, int argument);
  Desc descOf(int argument) const;

  const Operands operands_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::primitive_desc_base description_;
  dnnl::primitive primitive_;
  std::string implementation_;
  std::vector<Argument> arguments_;
  std::vector<dnnl_exec_arg_t> execution_;
};

// A kernel of our own. Every operand is row-major until the caller says otherwise.
class FunctionKernel final : public Kernel {
 public:
  using Body = std::function<void(const Pointers&)>;
  FunctionKernel(const Request& request, std::string name, Body body = {});

  void bind(const Pointers& pointers) override { pointers_ = pointers; }
  void enqueue() override { body(pointers_); }
  std::string implementation() const override { return name_; }

  Body body;

 private:
  std::string name_;
  Pointers pointers_;
};

// An operand that a kernel may do without; nullptr where it does.
inline const float* optionalFloats(const Pointers& pointers, size_t input) {
  return pointers.inputs.size() > input ? static_cast<const float*>(pointers.inputs[input]) : nullptr;
}

// What a product's operands are, given the types of two of its three tensors of activations or gradients: of
// 16 bits where one of them is.
DType operandType(const TensorSpec& a, const TensorSpec& b);

// A kernel of our own, without a body yet, that takes an image in the format in which it comes, if our
// kernels can walk through it, and gives another in the same format.
struct ImageKernel {
  std::unique_ptr<FunctionKernel> kernel;
  ChannelView from, to;
};
ImageKernel imageKernel(const Request& request, const std::string& name);

// One of the library's plain loops, many times slower than what it generates at run time.
bool isReference(const std::string& implementation);
dnnl::primitive_attr userScratchpad();

// Thrown by kernels of our own for operands that they do not take.
void requireFloat(const Request& request);
Error unsupported(const std::string& reason);

// Describes a primitive for one candidate after another: the first that is not the library's reference
// implementation wins, or else the first that exists.
template <class Candidates, class Describe>
auto chooseImplementation(const Candidates& candidates, const Describe& describe) {
  std::optional<decltype(describe(*std::begin(candidates)))> fallback;
  for (const auto& candidate : candidates) {
    try {
      auto description = describe(candidate);
      if (!isReference(description.impl_info_str())) return description;
      if (!fallback) fallback = std::move(description);
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented) throw;
    }
  }
  if (!fallback) throw dnnl::error(dnnl_unimplemented, "no implementation for any layout");
  return std::move(*fallback);
}

// Layouts of activations to try, the present one first; of `shape` where a primitive sees other dimensions.
std::vector<Desc> activationCandidates(const Request& request, size_t input = 0);
std::vector<Desc> activationCandidates(const Request& request, size_t input, const Shape& shape);

}  // namespace fovea::cpu

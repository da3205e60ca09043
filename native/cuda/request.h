#pragma once
#include <functional>
#include <memory>

#include "context.h"
#include "error.h"
#include "layout.h"

namespace fovea::cuda {

using KernelPtr = std::unique_ptr<Kernel>;

// One instruction's operands, as a family's `prepare` reads them.
class Request {
 public:
  Request(const std::shared_ptr<const Context>& shared, const Operands& operands)
      : shared(shared), context(*shared), operands(operands) {}

  bool hasInput(size_t index) const { return index < operands.inputs.size() && operands.inputs[index]; }
  bool hasOutput(size_t index) const { return index < operands.outputs.size() && operands.outputs[index]; }
  const TensorSpec& input(size_t index) const { return operands.inputs.at(index).value().spec; }
  const TensorSpec& output(size_t index) const { return operands.outputs.at(index).value().spec; }
  // The layout in which an input comes; the kernel may want another.
  LayoutPtr inputLayout(size_t index) const;
  // Of two inputs of one shape, the layout of the one that is channels last already, or else the first's.
  LayoutPtr commonLayout(size_t a, size_t b) const;

  // Keeps the GPU's context alive in what outlives the request.
  const std::shared_ptr<const Context>& shared;
  const Context& context;
  const Operands& operands;
};

// Work of our own on the device's stream. Every operand is row-major until the caller says otherwise. The
// body only enqueues: it may be recorded and replayed, so it must not allocate or wait, and all that changes
// from run to run must come from device memory.
class StreamKernel final : public Kernel {
 public:
  using Body = std::function<void(const Pointers&)>;
  StreamKernel(const Request& request, std::string name, Body body = {});

  void bind(const Pointers& pointers) override { pointers_ = pointers; }
  void enqueue() override { body(pointers_); }
  std::string implementation() const override { return name_; }

  Body body;

 private:
  std::shared_ptr<const Context> context_;
  std::string name_;
  Pointers pointers_;
};

// Operand addresses with their types; nullptr where absent.
template <class T = void>
const T* in(const Pointers& pointers, size_t index) {
  return index < pointers.inputs.size() ? static_cast<const T*>(pointers.inputs[index]) : nullptr;
}
template <class T = void>
T* out(const Pointers& pointers, size_t index) {
  return index < pointers.outputs.size() ? static_cast<T*>(pointers.outputs[index]) : nullptr;
}
template <class T>
T* scratchAt(const Pointers& pointers, size_t offset) {
  return reinterpret_cast<T*>(static_cast<char*>(pointers.scratch) + offset);
}

// Memory of one kind behind another in the scratch that a kernel gets.
class Scratch {
 public:
  // Where `count` values of type T will begin, in bytes.
  template <class T>
  size_t add(int64_t count) {
    return addBytes(static_cast<size_t>(count) * sizeof(T));
  }
  size_t addBytes(size_t bytes) {
    const size_t offset = bytes_;
    bytes_ += (bytes + 255) / 256 * 256;
    return offset;
  }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_ = 0;
};

// The kernels' name of a type: float, half_t, bfloat_t, unsigned char, int.
std::string kernelType(DType dtype);
// {"T", the kernels' name of the type}, and what else is given.
Defines typed(DType dtype, Defines more = {});

constexpr unsigned threadsPerBlock = 256;
// Blocks of `threadsPerBlock` threads for `work` items, one a thread; kernels step by the whole grid, which
// is no larger than what keeps the GPU busy.
Dim3 gridFor(const Context& context, int64_t work);
int64_t ceilDiv(int64_t a, int64_t b);

// Thrown by kernels for operands that they do not take.
Error unsupported(const std::string& reason);
// f32, f16 or bf16; throws otherwise.
void requireFloating(const TensorSpec& spec, const char* what);
// f32; throws otherwise.
void requireF32(const TensorSpec& spec, const char* what);

}  // namespace fovea::cuda

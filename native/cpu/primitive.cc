#include "primitive.h"

namespace fovea::cpu {

LayoutPtr Request::presentLayout(size_t index) const {
  const auto& operand = operands.inputs.at(index).value();
  return operand.layout ? operand.layout : plainLayout(operand.spec);
}

LayoutPtr Request::inputLayout(size_t index) const { return imagesOutermost(presentLayout(index)); }

LayoutPtr Request::forcedLayout(size_t index) const {
  return hasOutput(index) ? operands.outputs[index]->layout : nullptr;
}

PrimitiveKernel::PrimitiveKernel(const Request& request, const dnnl::primitive_desc_base& description)
    : operands_(request.operands),
      engine_(request.context.engine),
      stream_(request.context.stream),
      description_(description),
      primitive_(description.get()),
      implementation_(description.impl_info_str()) {
  inputs.resize(operands_.inputs.size());
  outputs.resize(operands_.outputs.size());
  const Desc scratchpad = description_.scratchpad_desc();
  scratchBytes = scratchpad.get_size();
  if (scratchBytes > 0) add(Side::scratch, 0, DNNL_ARG_SCRATCHPAD);
}

PrimitiveKernel& PrimitiveKernel::input(size_t index, int argument, Role role) {
  add(Side::input, index, argument);
  inputs.at(index) = layoutOf(operands_.inputs.at(index).value().spec, descOf(argument), role);
  return *this;
}

PrimitiveKernel& PrimitiveKernel::output(size_t index, int argument, Role role) {
  add(Side::output, index, argument);
  outputs.at(index) = layoutOf(operands_.outputs.at(index).value().spec, descOf(argument), role);
  return *this;
}

PrimitiveKernel& PrimitiveKernel::opaqueInput(size_t index, int argument, LayoutPtr layout) {
  add(Side::input, index, argument);
  inputs.at(index) = std::move(layout);
  return *this;
}

PrimitiveKernel& PrimitiveKernel::opaqueOutput(size_t index, int argument, LayoutPtr layout) {
  add(Side::output, index, argument);
  outputs.at(index) = std::move(layout);
  return *this;
}

PrimitiveKernel& PrimitiveKernel::scratch(int argument) {
  constexpr size_t alignment = 64;
  const size_t offset = (scratchBytes + alignment - 1) / alignment * alignment;
  add(Side::scratch, offset, argument);
  scratchBytes = offset + descOf(argument).get_size();
  return *this;
}

PrimitiveKernel& PrimitiveKernel::accumulatedInput(size_t index, size_t output) {
  inputs.at(index) = outputs.at(output);
  aliases.push_back({static_cast<int>(output), static_cast<int>(index), true});
  return *this;
}

void PrimitiveKernel::bind(const Pointers& pointers) {
  for (Argument& argument : arguments_) {
    switch (argument.side) {
      case Side::input:
        argument.memory.set_data_handle(pointers.inputs[argument.index]);
        break;
      case Side::output:
        argument.memory.set_data_handle(pointers.outputs[argument.index]);
        break;
      case Side::scratch:
        argument.memory.set_data_handle(static_cast<char*>(pointers.scratch) + argument.index);
    }
  }
}

void PrimitiveKernel::enqueue() {
  const dnnl_status_t status = dnnl_primitive_execute(primitive_.get(), stream_.get(),
                                                      static_cast<int>(execution_.size()), execution_.data());
  if (status != dnnl_success)
    throw Error("BACKEND", "oneDNN could not run " + implementation_ + ": status " + std::to_string(status));
}

void PrimitiveKernel::add(Side side, size_t index, int argument) {
  dnnl::memory memory(side == Side::scratch ? description_.scratchpad_desc() : descOf(argument), engine_,
                      DNNL_MEMORY_NONE);
  execution_.push_back({argument, memory.get()});
  arguments_.push_back({side, index, std::move(memory)});
}

Desc PrimitiveKernel::descOf(int argument) const {
  return description_.query_md(dnnl::query::exec_arg_md, argument);
}

FunctionKernel::FunctionKernel(const Request& request, std::string name, Body body)
    : body(std::move(body)), name_("fovea:" + std::move(name)) {
  const auto plainLayouts = [](const std::vector<std::optional<Operand>>& operands,
                               std::vector<LayoutPtr>& layouts) {
    for (const auto& operand : operands) layouts.push_back(operand ? plainLayout(operand->spec) : nullptr);
  };
  plainLayouts(request.operands.inputs, inputs);
  plainLayouts(request.operands.outputs, outputs);
}

ImageKernel imageKernel(const Request& request, const std::string& name) {
  auto kernel = std::make_unique<FunctionKernel>(request, name);
  const auto [fromLayout, from] = viewed(request.input(0), request.inputLayout(0));
  const auto [toLayout, to] = inFormatOf(from, request.output(0));
  kernel->inputs[0] = fromLayout;
  kernel->outputs[0] = toLayout;
  return {std::move(kernel), from, to};
}

bool isReference(const std::string& implementation) {
  return implementation.find("ref:") != std::string::npos || implementation.starts_with("simple_nchw");
}

dnnl::primitive_attr userScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

DType operandType(const TensorSpec& a, const TensorSpec& b) {
  return a.dtype == DType::f32 ? b.dtype : a.dtype;
}

Error unsupported(const std::string& reason) { return Error("UNSUPPORTED", reason); }

void requireFloat(const Request& request) {
  for (const auto* operands : {&request.operands.inputs, &request.operands.outputs})
    for (const auto& operand : *operands)
      if (operand && operand->spec.dtype != DType::f32)
        throw unsupported(std::string("takes f32 only, not ") + nameOf(operand->spec.dtype));
}

std::vector<Desc> activationCandidates(const Request& request, size_t input) {
  return activationCandidates(request, input, request.input(input).shape);
}

std::vector<Desc> activationCandidates(const Request& request, size_t input, const Shape& shape) {
  const TensorSpec spec{request.input(input).dtype, shape};
  std::vector<Desc> candidates;
  if (const auto present = descAs(*request.inputLayout(input), shape)) candidates.push_back(*present);
  // A blocked layout of other dimensions than the plan's would be one that nothing else can read.
  if (shape == request.input(input).shape)
    for (const int64_t block : {16, 8})
      if (const auto blocked = blockedDesc(spec, block)) candidates.push_back(*blocked);
  candidates.push_back(channelsLastDesc(spec));
  candidates.push_back(plainDesc(spec));
  return candidates;
}

}  // namespace fovea::cpu

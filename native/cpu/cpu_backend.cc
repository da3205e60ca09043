#include "cpu_backend.h"

#include <algorithm>
#include <cstring>

#include "allocation.h"
#include "caches.h"
#include "families.h"
#include "machine.h"
#include "operands.h"
#include "plan_check.h"
#include "threads.h"

namespace fovea::cpu {
namespace {

std::string instructionSet() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "SSE4.1";
    case dnnl::cpu_isa::avx:
      return "AVX";
    case dnnl::cpu_isa::avx2:
      return "AVX2";
    case dnnl::cpu_isa::avx2_vnni:
      return "AVX2 (VNNI)";
    case dnnl::cpu_isa::avx512_core:
      return "AVX-512";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "AVX-512 (VNNI)";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "AVX-512 (bf16)";
    case dnnl::cpu_isa::avx512_core_amx:
      return "AVX-512 (AMX)";
    default:
      return "portable code";
  }
}

std::string codeOf(dnnl_status_t status) {
  if (status == dnnl_unimplemented) return "UNSUPPORTED";
  if (status == dnnl_out_of_memory) return "OUT_OF_MEMORY";
  return "BACKEND";
}

// Work on 16-bit activations, all of one type. What is neither this nor a product computes on float32.
template <class Op>
constexpr bool isNarrow =
    oneOf<Op, ops::Pooling, ops::PoolingBackward, ops::BatchNorm, ops::BatchNormTraining,
          ops::BatchNormBackward, ops::Elementwise, ops::ElementwiseBackward, ops::Add, ops::Concat,
          ops::Slice, ops::SliceBackward, ops::SubsamplePad, ops::SubsamplePadBackward, ops::Reshape>;

LayoutPtr retyped(const LayoutPtr& layout, const TensorSpec& spec) { return withType(layout, spec.dtype); }

// Layouts of the types that the plan names.
Operands asPlanned(Operands operands) {
  for (auto* side : {&operands.inputs, &operands.outputs})
    for (auto& operand : *side)
      if (operand && operand->layout) operand->layout = retyped(operand->layout, operand->spec);
  return operands;
}

bool hasNarrow(const Operands& operands) {
  const auto isNarrow = [](const std::optional<Operand>& operand) {
    return operand && (operand->spec.dtype == DType::bf16 || operand->spec.dtype == DType::f16);
  };
  return std::ranges::any_of(operands.inputs, isNarrow) || std::ranges::any_of(operands.outputs, isNarrow);
}

void requireNarrow(const Operands& operands) {
  for (const auto* side : {&operands.inputs, &operands.outputs})
    for (const auto& operand : *side)
      if (operand && operand->spec.dtype == DType::f16)
        throw unsupported("the CPU computes in f32 and bf16, not in f16");
  if (dnnl::get_effective_cpu_isa() < dnnl::cpu_isa::avx512_core_bf16)
    throw unsupported("bf16 needs a processor with AVX512_BF16; this one has " + instructionSet());
}

// Weights that change with every step would be converted as often, which takes longer than reading them.
template <class Op>
constexpr bool convertsTooMuch(const Operands& operands) {
  return oneOf<Op, ops::Linear, ops::LinearBackwardData, ops::LinearBackwardWeights> &&
         !(operands.inputs.at(1) && operands.inputs[1]->constant);
}

// A kernel for operands of which some may be of 16 bits.
template <class Op>
KernelPtr prepareTyped(const Context& context, const Op& op, const Operands& operands) {
  const auto prepared = [&](const Operands& typed) { return cpu::prepare(Request(context, typed), op); };
  if (!hasNarrow(operands)) return prepared(operands);
  requireNarrow(operands);
  if constexpr (isNarrow<Op>)
    return prepared(typed(operands, operands.outputs.at(0).value().spec.dtype, retyped));
  if (isProduct<Op> && !convertsTooMuch<Op>(operands)) {
    try {
      auto kernel = prepared(asPlanned(operands));
      if (!isReference(kernel->implementation())) return kernel;
    } catch (const dnnl::error& error) {
      // The library has bf16 for fewer shapes than float32.
      if (error.status != dnnl_unimplemented) throw;
    }
  }
  return prepared(typed(operands, DType::f32, retyped));
}

// The library's errors as ours.
template <class Prepare>
KernelPtr typedErrors(const Prepare& prepare) {
  try {
    return prepare();
  } catch (const dnnl::error& error) {
    throw Error(codeOf(error.status),
                std::string(error.what()) + " (oneDNN status " + std::to_string(error.status) + ")");
  }
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(const DeviceOptions& options, std::shared_ptr<MemoryMeter> meter)
      : threads_(options.threads > 0 ? options.threads : coreCount()),
        context_{dnnl::engine(dnnl::engine::kind::cpu, 0),
                 {},
                 std::move(meter),
                 options.tuning,
                 std::make_shared<TuningTable>()} {
    context_.stream = dnnl::stream(context_.engine);
  }

  std::string description() const override {
    const dnnl_version_t& version = *dnnl::version();
    return "oneDNN " + std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
           std::to_string(version.patch) + ", " + instructionSet() + ", " + std::to_string(threads_) +
           (threads_ == 1 ? " thread, " : " threads, ") + processorName();
  }

  // oneDNN sizes a primitive's work for the number of threads that the calling thread would start, so the
  // number must be the same when a primitive is made and when it runs.
  void activate() override { team_->activate(threads_); }

  std::shared_ptr<Memory> allocate(size_t bytes) override { return allocateAligned(bytes, context_.meter); }
  std::shared_ptr<Memory> adopt(std::shared_ptr<Memory> host) override { return host; }
  TuningTable* tuning() override { return context_.table.get(); }
  LayoutPtr plain(const TensorSpec& spec) override { return plainLayout(spec); }

  std::unique_ptr<Kernel> prepare(const Plan::Instruction& instruction, const Operands& operands) override {
    activate();
    const std::string op = nameOf(instruction.attributes);
    return guarded(instruction.path.empty() ? op : op + " " + instruction.path, shapesOf(operands), [&] {
      return typedErrors([&] {
        return std::visit([&](const auto& op) { return prepareTyped(context_, op, operands); },
                          instruction.attributes);
      });
    });
  }

  std::unique_ptr<Kernel> reorder(const TensorSpec& spec, LayoutPtr from, LayoutPtr to) override {
    activate();
    return guarded("reorder", format(spec.shape) + " " + from->name() + " -> " + to->name(),
                   [&] { return typedErrors([&] { return prepareReorder(context_, spec, from, to); }); });
  }

  std::unique_ptr<Staging> stage(size_t bytes) override { return stageOnHost(bytes); }
  void upload(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void synchronize() override { context_.stream.wait(); }
  void evict(const void* data, size_t bytes) override { cpu::evict(data, bytes); }

 private:
  int threads_;
  std::shared_ptr<ThreadTeam> team_ = ThreadTeam::shared();
  Context context_;
};

}  // namespace

std::shared_ptr<Backend> openCpuBackend(const DeviceOptions& options, std::shared_ptr<MemoryMeter> meter) {
  try {
    return std::make_shared<CpuBackend>(options, std::move(meter));
  } catch (const dnnl::error& error) {
    throw Error("DEVICE_UNAVAILABLE", std::string("oneDNN does not start: ") + error.what(), "cpu");
  }
}

}  // namespace fovea::cpu

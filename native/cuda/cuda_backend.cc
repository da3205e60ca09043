#include "cuda_backend.h"

#include "context.h"
#include "families.h"
#include "operands.h"
#include "plan_check.h"
#include "recording.h"
#include "staging.h"
#include "status.h"
#include "transfer.h"

namespace fovea::cuda {
namespace {

// The one type of an instruction's tensors: products are of 16 bits where one of their tensors is, all else
// is of its result's type.
template <class Op>
DType computeType(const Operands& operands) {
  if constexpr (isProduct<Op>)
    for (const auto* side : {&operands.inputs, &operands.outputs})
      for (const auto& operand : *side)
        if (operand && isFloat(operand->spec.dtype) && operand->spec.dtype != DType::f32)
          return operand->spec.dtype;
  const auto& result = operands.outputs.at(0);
  return result && isFloat(result->spec.dtype) ? result->spec.dtype : DType::f32;
}

// Host memory that goes to the GPU when the device's own thread first asks where it lies: the thread that
// defines a tensor does not wait for that.
class AdoptedMemory final : public Memory {
 public:
  AdoptedMemory(std::shared_ptr<MemoryPool> pool, std::shared_ptr<Transfer> transfer,
                std::shared_ptr<Memory> host)
      : pool_(std::move(pool)),
        transfer_(std::move(transfer)),
        host_(std::move(host)),
        bytes_(host_->bytes()) {}

  void* data() const override {
    if (host_) {
      auto device = pool_->allocate(bytes_);
      const Fetched contents(host_);
      transfer_->upload(device->data(), host_->data(), bytes_);
      device_ = std::move(device);
      host_.reset();
    }
    return device_->data();
  }
  size_t bytes() const override { return bytes_; }

 private:
  std::shared_ptr<MemoryPool> pool_;
  std::shared_ptr<Transfer> transfer_;
  mutable std::shared_ptr<Memory> host_, device_;
  size_t bytes_;
};

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(std::shared_ptr<const Context> context)
      : context_(std::move(context)), transfer_(std::make_shared<Transfer>(context_)) {}

  std::string description() const override {
    const Libraries::Versions& versions = context_->libraries->versions;
    return context_->name + " (cuda:" + std::to_string(context_->device) + ", " + context_->architecture +
           "), CUDA " + cudaVersion(versions.runtime) + ", cuDNN " + cudnnVersion(versions.cudnn) +
           (context_->settings.allowTf32 ? ", TF32" : "") +
           (context_->settings.deterministic ? ", deterministic" : "");
  }

  void activate() override { context_->activate(); }

  std::shared_ptr<Memory> allocate(size_t bytes) override { return context_->pool->allocate(bytes); }
  std::shared_ptr<Memory> adopt(std::shared_ptr<Memory> host) override {
    return std::make_shared<AdoptedMemory>(context_->pool, transfer_, std::move(host));
  }
  LayoutPtr plain(const TensorSpec& spec) override { return plainLayout(spec); }

  std::unique_ptr<Kernel> prepare(const Plan::Instruction& instruction, const Operands& operands) override {
    const std::string op = nameOf(instruction.attributes);
    return guarded(instruction.path.empty() ? op : op + " " + instruction.path, shapesOf(operands), [&] {
      return std::visit(
          [&](const auto& op) {
            const Operands taken =
                typed(operands, computeType<std::decay_t<decltype(op)>>(operands), retyped);
            return cuda::prepare(Request(context_, taken), op);
          },
          instruction.attributes);
    });
  }

  std::unique_ptr<Kernel> reorder(const TensorSpec& spec, LayoutPtr from, LayoutPtr to) override {
    return guarded("reorder", format(spec.shape) + " " + from->name() + " -> " + to->name(),
                   [&] { return prepareReorder(context_, spec, from, to); });
  }

  std::unique_ptr<Staging> stage(size_t bytes) override {
    return std::make_unique<DeviceStaging>(context_, bytes);
  }
  void upload(void* to, const void* from, size_t bytes) override { transfer_->upload(to, from, bytes); }
  void download(void* to, const void* from, size_t bytes) override { transfer_->download(to, from, bytes); }
  void synchronize() override { context_->synchronize(); }
  std::unique_ptr<Recording> record(const std::function<void()>& enqueue) override {
    return cuda::record(context_, enqueue);
  }
  TuningTable* tuning() override { return context_->choices.get(); }

 private:
  std::shared_ptr<const Context> context_;
  std::shared_ptr<Transfer> transfer_;
};

}  // namespace

std::shared_ptr<Backend> openCudaBackend(const DeviceOptions& options, int index,
                                         std::shared_ptr<const Libraries> libraries,
                                         std::shared_ptr<MemoryMeter> meter) {
  Settings settings;
  settings.allowTf32 = options.allowTf32;
  settings.deterministic = options.deterministic;
  settings.tuning = options.tuning;
  settings.workspaceLimit = options.workspaceLimit;
  return std::make_shared<CudaBackend>(
      std::make_shared<Context>(std::move(libraries), index, settings, std::move(meter)));
}

}  // namespace fovea::cuda

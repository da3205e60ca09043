#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cuda/search_folder.h"
#include "memory.h"
#include "plan.h"
#include "tuning.h"

namespace fovea {

// How a backend keeps one tensor in memory; what it means is the backend's private matter.
class Layout {
 public:
  virtual ~Layout() = default;
  virtual size_t bytes() const = 0;
  virtual bool equals(const Layout& other) const = 0;
  // Whether an elementwise update may run over the bytes as they lie, padding included.
  virtual bool elementwise() const = 0;
  virtual std::string name() const = 0;
};
using LayoutPtr = std::shared_ptr<const Layout>;

// An operand as an instruction's kernel is being chosen. Outputs have no layout yet, except one that is
// updated in place.
struct Operand {
  TensorSpec spec;
  LayoutPtr layout;
  // A kept tensor that may still be kept otherwise: asking for another elementwise layout costs nothing.
  bool movable = false;
  // It changes with the parameters' version only, so that another layout costs nothing but memory.
  bool constant = false;
  // A concatenation begins with it and is the last to read it.
  bool extended = false;
};
struct Operands {
  std::vector<std::optional<Operand>> inputs, outputs;
};

struct Pointers {
  std::vector<void*> inputs, outputs;  // nullptr where absent
  void* scratch = nullptr;
};

// One prepared instruction. The program reads the public fields, places the memory, binds it once, and from
// then on only enqueues.
class Kernel {
 public:
  // Output `output` may (or, if `required`, must) lie in the memory of input `input`, which may be too small
  // for it only if the output `grows`.
  struct Alias {
    int output, input;
    bool required;
    bool grows = false;
  };

  virtual ~Kernel() = default;
  virtual void bind(const Pointers& pointers) = 0;
  virtual void enqueue() = 0;
  // Does the work of `next`, which always follows it, with its own from now on, and returns true: what `next`
  // then enqueues is nothing. Both are bound.
  virtual bool take(Kernel& next) { return false; }
  virtual std::string implementation() const = 0;

  std::vector<LayoutPtr> inputs, outputs;  // wanted and given layouts; nullptr where absent
  std::vector<Alias> aliases;
  size_t scratchBytes = 0;
};

// Work that was enqueued once and is enqueued again as a whole.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
};

// Host memory whose contents go to the device while that is at work on something else. It is filled, sent and
// delivered, in this order and again and again, but not while a delivery may be under way.
class Staging {
 public:
  virtual ~Staging() = default;
  virtual void* data() const = 0;
  // Sets what was filled in on its way. From any thread.
  virtual void send() {}
  // Lets it arrive at `to`, in device memory, behind all that was enqueued before. From the device's own
  // thread.
  virtual void deliver(void* to) = 0;
};

// A compute library. All calls but `stage` come from the device's own thread.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string description() const = 0;
  // Called on the device's thread before each batch of work, which devices of other settings may share it
  // with.
  virtual void activate() {}
  virtual std::shared_ptr<Memory> allocate(size_t bytes) = 0;
  // Memory with the contents of `host`, which the backend may keep instead of copying.
  virtual std::shared_ptr<Memory> adopt(std::shared_ptr<Memory> host) = 0;
  // Row-major, as data lies on the host.
  virtual LayoutPtr plain(const TensorSpec& spec) = 0;
  virtual std::unique_ptr<Kernel> prepare(const Plan::Instruction& instruction, const Operands& operands) = 0;
  // Copies a tensor from one layout to another (or, for the same layout, to another place).
  virtual std::unique_ptr<Kernel> reorder(const TensorSpec& spec, LayoutPtr from, LayoutPtr to) = 0;
  // Host to device, device to host, in the plain layout; both return when done.
  virtual void upload(void* to, const void* from, size_t bytes) = 0;
  virtual void download(void* to, const void* from, size_t bytes) = 0;
  // Staging memory of so many bytes, on any thread; it keeps alive what it needs.
  virtual std::unique_ptr<Staging> stage(size_t bytes) = 0;
  // Takes memory out of the processor's caches, for measurements.
  virtual void evict(const void* data, size_t bytes) {}
  // What was found out about kernels' speed; nullptr where nothing is measured.
  virtual TuningTable* tuning() { return nullptr; }
  // Returns when everything that was enqueued is done.
  virtual void synchronize() = 0;
  // What `enqueue` enqueues, without running it; nothing where the backend cannot record.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& enqueue) { return nullptr; }
};

struct DeviceOptions {
  int threads = 0;  // of a CPU; 0: one a core
  Tuning tuning = Tuning::off;
  std::vector<cuda::SearchFolder> cudaFolders;  // where NVIDIA's libraries are looked for, in this order
  // Of a CUDA device: f32 products of numbers rounded to 10 bits; only kernels that repeat bit for bit; the
  // most scratch bytes of one kernel.
  bool allowTf32 = false, deterministic = false;
  size_t workspaceLimit = size_t{1} << 30;
};
// Staging memory from which a processor takes what it needs where it lies.
std::unique_ptr<Staging> stageOnHost(size_t bytes);

// "cpu", "cuda:0" and the like, "null". Throws Error DEVICE_UNAVAILABLE for a name that this build does not
// know and cuda::Unavailable.
std::shared_ptr<Backend> openBackend(const std::string& name, const DeviceOptions& options,
                                     std::shared_ptr<MemoryMeter> meter);

}  // namespace fovea

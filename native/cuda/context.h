#pragma once
#include <map>
#include <memory>
#include <string>

#include "memory_pool.h"
#include "module.h"
#include "tuning.h"

namespace fovea::cuda {

struct Settings {
  bool allowTf32 = false;      // f32 products may be of numbers rounded to 10 bits
  bool deterministic = false;  // only kernels that repeat bit for bit
  Tuning tuning = Tuning::off;
  size_t workspaceLimit = size_t{1} << 30;
};

// One GPU as one device object uses it: a stream, the libraries' handles, memory and code. Everything but the
// memory pool, the uploads and the choices is used from the device's own thread, after `activate`.
class Context {
 public:
  Context(std::shared_ptr<const Libraries> libraries, int device, const Settings& settings,
          std::shared_ptr<MemoryMeter> meter);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Makes the GPU the calling thread's.
  void activate() const;

  // A kernel of kernels/FILE.cu, compiled on first use.
  Function function(const std::string& file, const std::string& kernel, const Defines& defines = {}) const;

  // Both are created when first asked for.
  cudnnHandle_t cudnn() const;
  cublasHandle_t cublas() const;

  // Waits for all work, and throws what went wrong in it.
  void synchronize() const;

  const std::shared_ptr<const Libraries> libraries;
  const int device;
  const Settings settings;
  const std::shared_ptr<MemoryPool> pool;
  cudaStream_t stream = nullptr;
  cudaStream_t uploads = nullptr;  // of what the next run reads, while one is at work on `stream`
  int processors = 0;              // streaming multiprocessors
  std::string architecture;        // "sm_90"
  std::string name;                // of the GPU
  const std::shared_ptr<TuningTable> choices = std::make_shared<TuningTable>();

 private:
  void openStreams();

  mutable std::map<std::string, std::shared_ptr<const Module>> modules_;
  mutable cudnnHandle_t cudnn_ = nullptr;
  mutable cublasHandle_t cublas_ = nullptr;
  mutable std::shared_ptr<Memory> cublasWorkspace_;
};

}  // namespace fovea::cuda

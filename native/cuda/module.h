#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libraries.h"

namespace fovea::cuda {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

// Code on a GPU; unloaded with its last function.
class Module {
 public:
  Module(std::shared_ptr<const Libraries> libraries, int device, const std::vector<char>& cubin);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  CUfunction function(const std::string& name) const;

 private:
  std::shared_ptr<const Libraries> libraries_;
  int device_;
  CUmodule module_ = nullptr;
};

// A kernel of ours, ready to be launched on its device's stream.
class Function {
 public:
  Function(std::shared_ptr<const Libraries> libraries, std::shared_ptr<const Module> module,
           const std::string& name, cudaStream_t stream);

  // The arguments' types must be the very ones of the kernel's parameters: int and float are not converted.
  // int64_t is `long long` there.
  template <class... Arguments>
  void launch(Dim3 grid, Dim3 block, const Arguments&... arguments) const {
    void* packed[] = {const_cast<void*>(static_cast<const void*>(&arguments))..., nullptr};
    enqueue(grid, block, 0, packed);
  }
  // `shared` bytes of dynamic shared memory, 48 KiB at most.
  template <class... Arguments>
  void launchShared(Dim3 grid, Dim3 block, unsigned shared, const Arguments&... arguments) const {
    void* packed[] = {const_cast<void*>(static_cast<const void*>(&arguments))..., nullptr};
    enqueue(grid, block, shared, packed);
  }

 private:
  void enqueue(Dim3 grid, Dim3 block, unsigned shared, void** arguments) const;

  std::shared_ptr<const Libraries> libraries_;
  std::shared_ptr<const Module> module_;
  std::string name_;
  CUfunction function_;
  cudaStream_t stream_;
};

// Macros that stand before a source: {"T", "half_t"}.
using Defines = std::map<std::string, std::string>;

// A file of kernels/, as it was when the addon was built.
const char* kernelSource(std::string_view name);  // nullptr where there is none
// What NVRTC makes of kernels/prelude.cu, the macros and kernels/NAME.cu for `architecture` ("sm_90").
std::vector<char> compileKernels(const Libraries& libraries, const std::string& name, const Defines& defines,
                                 const std::string& architecture);

}  // namespace fovea::cuda

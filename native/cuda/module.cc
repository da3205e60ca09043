#include "module.h"

#include "memory_pool.h"
#include "status.h"

namespace fovea::cuda {
namespace {

// A program of NVRTC's while it is compiled.
class Compilation {
 public:
  Compilation(const Libraries& libraries, const std::string& source, const std::string& name)
      : libraries_(libraries) {
    FOVEA_CUDA_CALL(libraries_, nvrtc, nvrtcCreateProgram, &program_, source.c_str(), name.c_str(), 0,
                    nullptr, nullptr);
  }
  ~Compilation() { libraries_.nvrtc.nvrtcDestroyProgram(&program_); }
  Compilation(const Compilation&) = delete;
  Compilation& operator=(const Compilation&) = delete;

  nvrtcResult compile(const std::vector<const char*>& options) {
    return libraries_.nvrtc.nvrtcCompileProgram(program_, static_cast<int>(options.size()), options.data());
  }

  std::string log() const {
    size_t bytes = 0;
    if (libraries_.nvrtc.nvrtcGetProgramLogSize(program_, &bytes) != NVRTC_SUCCESS || bytes <= 1) return {};
    std::string text(bytes, '\0');
    if (libraries_.nvrtc.nvrtcGetProgramLog(program_, text.data()) != NVRTC_SUCCESS) return {};
    text.resize(bytes - 1);
    return text;
  }

  std::vector<char> cubin() const {
    size_t bytes = 0;
    FOVEA_CUDA_CALL(libraries_, nvrtc, nvrtcGetCUBINSize, program_, &bytes);
    std::vector<char> code(bytes);
    FOVEA_CUDA_CALL(libraries_, nvrtc, nvrtcGetCUBIN, program_, code.data());
    return code;
  }

 private:
  const Libraries& libraries_;
  nvrtcProgram program_ = nullptr;
};

}  // namespace

Module::Module(std::shared_ptr<const Libraries> libraries, int device, const std::vector<char>& cubin)
    : libraries_(std::move(libraries)), device_(device) {
  FOVEA_CUDA_CALL(*libraries_, driver, cuModuleLoadData, &module_, cubin.data());
}

Module::~Module() {
  const UsingDevice use(*libraries_, device_);
  libraries_->driver.cuModuleUnload(module_);
}

CUfunction Module::function(const std::string& name) const {
  CUfunction function = nullptr;
  FOVEA_CUDA_CALL(*libraries_, driver, cuModuleGetFunction, &function, module_, name.c_str());
  return function;
}

Function::Function(std::shared_ptr<const Libraries> libraries, std::shared_ptr<const Module> module,
                   const std::string& name, cudaStream_t stream)
    : libraries_(std::move(libraries)),
      module_(std::move(module)),
      name_(name),
      function_(module_->function(name)),
      stream_(stream) {}

void Function::enqueue(Dim3 grid, Dim3 block, unsigned shared, void** arguments) const {
  check(*libraries_,
        libraries_->driver.cuLaunchKernel(function_, grid.x, grid.y, grid.z, block.x, block.y, block.z,
                                          shared, stream_, arguments, nullptr),
        ("cuLaunchKernel of " + name_).c_str());
}

std::vector<char> compileKernels(const Libraries& libraries, const std::string& name, const Defines& defines,
                                 const std::string& architecture) {
  const std::string file = name + ".cu";
  const char *prelude = kernelSource("prelude.cu"), *body = kernelSource(file);
  if (!prelude || !body) throw Error("BACKEND", "this build has no kernels " + file, file);
  std::string source = prelude;
  if (!defines.contains("T")) source += "#define T float\n";
  for (const auto& [macro, value] : defines) source += "#define " + macro + " " + value + "\n";
  source += "typedef T Element;\n#line 1 \"" + file + "\"\n";
  source += body;

  Compilation compilation(libraries, source, file);
  const std::string target = "--gpu-architecture=" + architecture;
  const nvrtcResult status = compilation.compile({target.c_str(), "--std=c++17"});
  if (status != NVRTC_SUCCESS)
    throw Error("BACKEND",
                "NVRTC does not compile " + file + " for " + architecture + ": " +
                    libraries.nvrtc.nvrtcGetErrorString(status) + "\n" + compilation.log(),
                file, architecture, libraries.nvrtc.nvrtcGetErrorString(status));
  return compilation.cubin();
}

}  // namespace fovea::cuda

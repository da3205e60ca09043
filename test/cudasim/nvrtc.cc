// The run-time compiler's calls.
#include <cstring>
#include <optional>
#include <stdexcept>

#include "api.h"
#include "compiler.h"
#include "cubin.h"
#include "device.h"
#include "registry.h"

namespace cudasim {
namespace {

struct Program {
  std::string source, name, log, cubin;
  std::vector<IncludedHeader> headers;
};

Registry<Program, nvrtcProgram>& programs() {
  static auto& registry = *std::make_unique<Registry<Program, nvrtcProgram>>(Slot::programs).release();
  return registry;
}

nvrtcResult refuse(const char* call, nvrtcResult result, const std::string& why) {
  complain(call, why);
  return result;
}

struct Options {
  std::vector<std::string> flags;
  int architecture = 0;
};

std::optional<std::string> valueOf(const std::string& option, std::initializer_list<const char*> names) {
  for (const std::string name : names)
    if (option.starts_with(name + "=")) return option.substr(name.size() + 1);
  return std::nullopt;
}

// Throws std::invalid_argument for an option that NVRTC or the simulator does not know.
Options parse(int count, const char* const* given) {
  Options options;
  for (int i = 0; i < count; ++i) {
    const std::string option = given[i];
    if (const auto architecture = valueOf(option, {"--gpu-architecture", "-arch"})) {
      if (!architecture->starts_with("sm_"))
        throw std::invalid_argument(option + ": a cubin needs a real architecture, such as sm_90");
      options.architecture = std::stoi(architecture->substr(3));
    } else if (const auto standard = valueOf(option, {"--std", "-std"})) {
      options.flags.push_back("-std=" + *standard);
    } else if (option.starts_with("-D") || option.starts_with("-I")) {
      options.flags.push_back(option);
    } else if (const auto macro = valueOf(option, {"--define-macro"})) {
      options.flags.push_back("-D" + *macro);
    } else if (const auto folder = valueOf(option, {"--include-path"})) {
      options.flags.push_back("-I" + *folder);
    } else if (!valueOf(option,
                        {"--fmad", "-fmad", "--ftz", "--prec-div", "--prec-sqrt", "--maxrregcount"}) &&
               option != "--use_fast_math" && option != "-use_fast_math" && option != "-default-device" &&
               option != "--default-device" && option != "-lineinfo" && option != "--generate-line-info" &&
               option != "--restrict" && option != "--device-as-default-execution-space") {
      throw std::invalid_argument("unknown option " + option);
    }
  }
  return options;
}

}  // namespace
}  // namespace cudasim

using namespace cudasim;

extern "C" {

nvrtcResult nvrtcVersion(int* major, int* minor) {
  CUDASIM_ENTER(nvrtcVersion, NVRTC_ERROR_INTERNAL_ERROR);
  *major = runtimeVersion() / 1000;
  *minor = runtimeVersion() % 1000 / 10;
  return NVRTC_SUCCESS;
}

const char* nvrtcGetErrorString(nvrtcResult result) {
  CUDASIM_TELL(nvrtcGetErrorString);
  switch (result) {
    case NVRTC_SUCCESS:
      return "NVRTC_SUCCESS";
    case NVRTC_ERROR_COMPILATION:
      return "NVRTC_ERROR_COMPILATION";
    case NVRTC_ERROR_INVALID_OPTION:
      return "NVRTC_ERROR_INVALID_OPTION";
    default:
      return "an error of the simulated NVRTC";
  }
}

nvrtcResult nvrtcCreateProgram(nvrtcProgram* program, const char* source, const char* name, int headerCount,
                               const char* const* headers, const char* const* includeNames) {
  CUDASIM_ENTER(nvrtcCreateProgram, NVRTC_ERROR_OUT_OF_MEMORY);
  if (!program || !source || headerCount < 0 || (headerCount > 0 && (!headers || !includeNames)))
    return refuse("nvrtcCreateProgram", NVRTC_ERROR_INVALID_INPUT, "null where a value must be");
  auto made = std::make_shared<Program>();
  made->source = source;
  made->name = name ? name : "default_program";
  for (int i = 0; i < headerCount; ++i) made->headers.push_back({includeNames[i], headers[i]});
  *program = programs().add(made);
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcDestroyProgram(nvrtcProgram* program) {
  CUDASIM_LEAVE(nvrtcDestroyProgram);
  if (!program || !programs().remove(*program))
    return refuse("nvrtcDestroyProgram", NVRTC_ERROR_INVALID_PROGRAM, "unknown program");
  *program = nullptr;
  return injected ? NVRTC_ERROR_INTERNAL_ERROR : NVRTC_SUCCESS;
}

nvrtcResult nvrtcCompileProgram(nvrtcProgram handle, int optionCount, const char* const* given) {
  CUDASIM_ENTER(nvrtcCompileProgram, NVRTC_ERROR_INTERNAL_ERROR);
  const auto program = programs().find(handle);
  if (!program) return refuse("nvrtcCompileProgram", NVRTC_ERROR_INVALID_PROGRAM, "unknown program");
  Options options;
  try {
    options = parse(optionCount, given);
  } catch (const std::invalid_argument& error) {
    return refuse("nvrtcCompileProgram", NVRTC_ERROR_INVALID_OPTION, error.what());
  }
  try {
    const Compiled compiled = compileKernels(program->source, program->name, program->headers, options.flags,
                                             options.architecture ? options.architecture : computeCapability);
    program->log = compiled.log;
    if (compiled.path.empty())
      return refuse("nvrtcCompileProgram", NVRTC_ERROR_COMPILATION, program->name + ":\n" + compiled.log);
    // Without an architecture there is PTX, but no cubin.
    program->cubin = options.architecture ? cubinOf(compiled.path, options.architecture) : "";
    return NVRTC_SUCCESS;
  } catch (const std::exception& error) {
    return refuse("nvrtcCompileProgram", NVRTC_ERROR_INTERNAL_ERROR, error.what());
  }
}

nvrtcResult nvrtcGetCUBINSize(nvrtcProgram handle, size_t* bytes) {
  CUDASIM_ENTER(nvrtcGetCUBINSize, NVRTC_ERROR_INTERNAL_ERROR);
  const auto program = programs().find(handle);
  if (!program) return refuse("nvrtcGetCUBINSize", NVRTC_ERROR_INVALID_PROGRAM, "unknown program");
  *bytes = program->cubin.size();
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetCUBIN(nvrtcProgram handle, char* cubin) {
  CUDASIM_ENTER(nvrtcGetCUBIN, NVRTC_ERROR_INTERNAL_ERROR);
  const auto program = programs().find(handle);
  if (!program || program->cubin.empty())
    return refuse("nvrtcGetCUBIN", NVRTC_ERROR_INVALID_PROGRAM,
                  "unknown program, or one that was not compiled");
  std::memcpy(cubin, program->cubin.data(), program->cubin.size());
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram handle, size_t* bytes) {
  CUDASIM_ENTER(nvrtcGetProgramLogSize, NVRTC_ERROR_INTERNAL_ERROR);
  const auto program = programs().find(handle);
  if (!program) return refuse("nvrtcGetProgramLogSize", NVRTC_ERROR_INVALID_PROGRAM, "unknown program");
  *bytes = program->log.size() + 1;
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetProgramLog(nvrtcProgram handle, char* log) {
  CUDASIM_ENTER(nvrtcGetProgramLog, NVRTC_ERROR_INTERNAL_ERROR);
  const auto program = programs().find(handle);
  if (!program) return refuse("nvrtcGetProgramLog", NVRTC_ERROR_INVALID_PROGRAM, "unknown program");
  std::memcpy(log, program->log.c_str(), program->log.size() + 1);
  return NVRTC_SUCCESS;
}

}  // extern "C"

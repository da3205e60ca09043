// nvrtc FOLDER SOURCE ARCHITECTURE [SOURCE ARCHITECTURE]...: compiles each file with the real run-time
// compiler in FOLDER and prints a line of JSON for it: bytes of the cubin, and the compiler's log where it
// refuses.
#include "api/nvrtc.h"

#include <dlfcn.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

void* open(const std::filesystem::path& folder, const std::string& prefix) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix) || name.find(".alt.") != std::string::npos) continue;
    if (void* library = dlopen(entry.path().c_str(), RTLD_NOW | RTLD_GLOBAL)) return library;
    throw std::runtime_error(dlerror());
  }
  throw std::runtime_error("no " + prefix + "* in " + folder.string());
}

class Compiler {
 public:
  explicit Compiler(const std::filesystem::path& folder) {
    open(folder, "libnvrtc-builtins.so");  // NVRTC finds it only if it is there already
    library = open(folder, "libnvrtc.so");
  }

  // The log, which is empty where all is well, and the bytes of the cubin.
  std::string compile(const std::string& source, const std::string& architecture, size_t& bytes) const {
    nvrtcProgram program = nullptr;
    if (create(&program, source.c_str(), "kernel.cu", 0, nullptr, nullptr) != NVRTC_SUCCESS)
      throw std::runtime_error("nvrtcCreateProgram fails");
    const std::string target = "--gpu-architecture=" + architecture;
    const char* options[] = {target.c_str(), "--std=c++17"};
    const bool good =
        run(program, 2, options) == NVRTC_SUCCESS && cubinSize(program, &bytes) == NVRTC_SUCCESS;
    size_t length = 0;
    logSize(program, &length);
    std::string text(length, '\0');
    if (length > 0) log(program, text.data());
    destroy(&program);
    return !good && length <= 1 ? "refused without a word" : text.c_str();
  }

 private:
  void* resolve(const char* name) const {
    if (void* found = dlsym(library, name)) return found;
    throw std::runtime_error(std::string("NVRTC has no ") + name);
  }
#define CALL(method, name)                                                    \
  template <class... Arguments>                                               \
  nvrtcResult method(Arguments... arguments) const {                          \
    return reinterpret_cast<decltype(&::name)>(resolve(#name))(arguments...); \
  }
  CALL(create, nvrtcCreateProgram)
  CALL(run, nvrtcCompileProgram)
  CALL(cubinSize, nvrtcGetCUBINSize)
  CALL(logSize, nvrtcGetProgramLogSize)
  CALL(log, nvrtcGetProgramLog)
  CALL(destroy, nvrtcDestroyProgram)
#undef CALL

  void* library = nullptr;
};

std::string read(const char* path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? std::string("\\n") : std::string(1, static_cast<unsigned char>(c) < 32 ? ' ' : c);
  }
  return result + "\"";
}

}  // namespace

int main(int count, char** arguments) try {
  const Compiler compiler(arguments[1]);
  for (int i = 2; i + 1 < count; i += 2) {
    size_t bytes = 0;
    const std::string log = compiler.compile(read(arguments[i]), arguments[i + 1], bytes);
    std::cout << "{\"bytes\":" << bytes << ",\"log\":" << quoted(log) << "}\n";
  }
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}

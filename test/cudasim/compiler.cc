#include "compiler.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "kernel_source.h"

extern char** environ;

namespace cudasim {
namespace {

namespace fs = std::filesystem;

#ifdef __SANITIZE_ADDRESS__
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

// Where this library lies; shim.h and the compiled kernels lie beside it.
fs::path home() {
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&compileKernels), &info);
  return fs::canonical(info.dli_fname).parent_path();
}

std::string hashOf(const std::string& text) {
  uint64_t a = 14695981039346656037u, b = 88172645463325252u;
  for (const char c : text) {
    a = (a ^ static_cast<unsigned char>(c)) * 1099511628211u;
    b = (b + static_cast<unsigned char>(c)) * 6364136223846793005u + 1442695040888963407u;
  }
  char digits[33];
  std::snprintf(digits, sizeof digits, "%016llx%016llx", static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(b));
  return digits;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// Runs a command with its stderr in a file. A preloaded sanitizer is not for the compiler.
bool run(const std::vector<std::string>& command, const fs::path& log) {
  std::vector<char*> arguments, environment;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  for (char** entry = environ; *entry; ++entry)
    if (std::strncmp(*entry, "LD_PRELOAD=", 11) != 0) environment.push_back(*entry);
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  const int failed =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed) throw std::runtime_error("cannot start " + command[0] + ": " + std::strerror(failed));
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string withTable(const KernelSource& source) {
  std::string text = source.text + "\nstatic const cudasim::Kernel cudasimKernels[] = {\n";
  for (const KernelDeclaration& kernel : source.kernels)
    text += "CUDASIM_KERNEL(" + kernel.name + ", " + (kernel.bounds.empty() ? "0" : kernel.bounds) + "),\n";
  text += "{nullptr, nullptr, nullptr, nullptr, 0, 0}};\n";
  text += "extern \"C\" const cudasim::Module cudasimModule = {cudasimKernels, " +
          std::to_string(source.kernels.size()) + ", " + (source.waits ? "true" : "false") +
          ", &threadIdx, &blockIdx, &blockDim, &gridDim, cudasimDynamicShared, __start_cudasim_shared, "
          "__stop_cudasim_shared, &cudasimServices};\n";
  return text;
}

}  // namespace

Compiled compileKernels(const std::string& source, const std::string& name,
                        const std::vector<IncludedHeader>& headers, const std::vector<std::string>& flags,
                        int architecture) {
  std::string key = source + '\0' + std::to_string(architecture) + (sanitized ? "a" : "");
  for (const IncludedHeader& header : headers) key += '\0' + header.name + '\0' + header.text;
  for (const std::string& flag : flags) key += '\0' + flag;
  const fs::path folder = home() / "kernels";
  fs::create_directories(folder);
  const fs::path object = folder / (hashOf(key) + ".so");
  if (fs::exists(object)) return {object, ""};

  std::string scratchName = (folder / "new-XXXXXX").string();
  if (!mkdtemp(scratchName.data())) throw std::runtime_error("cannot write to " + folder.string());
  const fs::path scratch = scratchName, log = scratch / "log";
  const auto finish = [&](Compiled result) {
    fs::remove_all(scratch);
    return result;
  };
  write(scratch / "source.cu", "#line 1 \"" + name + "\"\n" + source);
  for (const IncludedHeader& header : headers) {
    fs::create_directories((scratch / "include" / header.name).parent_path());
    write(scratch / "include" / header.name, header.text);
  }
  // As NVRTC does, without any folder of headers.
  std::vector<std::string> command{"g++",
                                   "-E",
                                   "-undef",
                                   "-nostdinc",
                                   "-D__CUDACC__",
                                   "-D__CUDACC_RTC__",
                                   "-D__CUDA_ARCH__=" + std::to_string(architecture * 10),
                                   "-I" + (scratch / "include").string()};
  std::string standard = "-std=c++17";
  for (const std::string& flag : flags)
    if (flag.starts_with("-std"))
      standard = flag;
    else
      command.push_back(flag);
  command.push_back(standard);
  command.insert(command.end(),
                 {"-x", "c++", (scratch / "source.cu").string(), "-o", (scratch / "preprocessed").string()});
  if (!run(command, log)) return finish({"", read(log)});
  KernelSource translated;
  try {
    translated = translate(read(scratch / "preprocessed"));
  } catch (const std::runtime_error& error) {
    return finish({"", error.what()});
  }
  write(scratch / "translated.cc", withTable(translated));
  command = {"g++",
             standard,
             "-O2",
             "-w",
             "-fPIC",
             "-shared",
             "-ffp-contract=off",
             "-fno-strict-aliasing",
             "-fno-math-errno",
             // Or two kernels of one name, in two modules, would share what the first says of its parameters.
             "-fno-gnu-unique",
             "-include",
             (home() / "cuda.h").string(),
             (scratch / "translated.cc").string(),
             "-o",
             (scratch / "object.so").string()};
  if (sanitized) command.insert(command.end(), {"-fsanitize=address", "-g1"});
  if (!run(command, log)) return finish({"", read(log)});
  fs::rename(scratch / "object.so", object);
  return finish({object, read(log)});
}

}  // namespace cudasim

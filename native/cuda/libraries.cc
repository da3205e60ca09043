#include "libraries.h"

#include "bind.h"

namespace fovea::cuda {
namespace {

constexpr size_t oldestCudnn = 90100, newestCudnn = 99999;

LibrarySet cudnnSet() {
  // The first call of libcudnn.so.9 ends the process if it does not find the others. They find each other
  // when they are in the process already.
  return {.what = "cuDNN 9",
          .required = {"libcudnn_graph.so.9", "libcudnn_ops.so.9", "libcudnn_cnn.so.9", "libcudnn.so.9"},
          .optional = {"libcudnn_heuristic.so.9", "libcudnn_engines_precompiled.so.9",
                       "libcudnn_engines_runtime_compiled.so.9"},
          .needed = "cuDNN 9.1 or newer (libcudnn.so.9 and its parts)"};
}

// Where `table`, `library` and what open() left are.
#define FOVEA_CUDA_BIND(name) bind(table.name, library, #name, file_, needed_);

class Loading {
 public:
  explicit Loading(const LoadOptions& options) : options_(options) {
    if (options_.folders.empty()) options_.folders.push_back({"", "the system's own search"});
  }

  std::shared_ptr<const Libraries> run() {
    if (options_.withDriver) openDriver();
    openCudnn();
    openRuntime();
    openCublas();
    openNvrtc();
    return std::move(libraries_);
  }

 private:
  SharedLibrary open(const LibrarySet& set) {
    OpenedSet opened = openSet(set, options_.folders);
    needed_ = set.needed, file_ = set.required.back();
    folder_ = opened.folder;
    libraries_->files.insert(libraries_->files.end(), opened.files.begin(), opened.files.end());
    const size_t main = libraries_->opened.size() + set.required.size() - 1;
    for (SharedLibrary& library : opened.libraries) libraries_->opened.push_back(std::move(library));
    return libraries_->opened[main];
  }

  void openDriver() {
    const std::shared_ptr<const Driver> driver = loadDriver(options_);
    libraries_->driver = driver->calls;
    libraries_->versions.driver = driver->version;
    libraries_->files.push_back({"libcuda.so.1", driver->path});
    libraries_->opened.push_back(driver->library);
  }

  void openCudnn() {
    const SharedLibrary library = open(cudnnSet());
    CudnnTable& table = libraries_->cudnn;
    // The version first: it says more than a missing function.
    bind(table.cudnnGetVersion, library, "cudnnGetVersion", file_, needed_);
    const size_t version = libraries_->versions.cudnn = table.cudnnGetVersion();
    if (version < oldestCudnn || version > newestCudnn)
      throw unavailable(Reason::wrongVersion, "cuDNN has an unsupported version", file_, needed_,
                        "cuDNN " + cudnnVersion(version) + " in " + folder_);
    FOVEA_CUDA_CUDNN(FOVEA_CUDA_BIND)
    for (const auto check :
         {table.cudnnGraphVersionCheck, table.cudnnOpsVersionCheck, table.cudnnCnnVersionCheck})
      if (check() != CUDNN_STATUS_SUCCESS)
        throw unavailable(Reason::mixedFolders, "the libraries of cuDNN are not of one version", file_,
                          "all libraries of cuDNN of one version in one folder",
                          "libcudnn.so.9 of version " + cudnnVersion(version) + " with others in " + folder_);
    chooseToolkit(static_cast<int>(table.cudnnGetCudartVersion()));
  }

  // cuDNN decides for which major version of CUDA all other libraries must be.
  void chooseToolkit(int cudart) {
    const std::string found = "cuDNN " + cudnnVersion(libraries_->versions.cudnn) + " for CUDA " +
                              cudaVersion(cudart) + " in " + folder_;
    major_ = cudart / 1000;
    if (major_ != 12 && major_ != 13)
      throw unavailable(Reason::wrongVersion, "cuDNN is for an unsupported version of CUDA", file_,
                        "cuDNN for CUDA 12 or 13", found);
    if (options_.withDriver && libraries_->versions.driver / 1000 < major_)
      throw unavailable(Reason::driverTooOld,
                        "the NVIDIA driver is too old for the libraries that were found", "libcuda.so.1",
                        major_ == 13 ? "an NVIDIA driver for CUDA 13 (580 or newer), or cuDNN for CUDA 12"
                                     : "an NVIDIA driver for CUDA 12 (525 or newer)",
                        "a driver for CUDA " + cudaVersion(libraries_->versions.driver) + ", and " + found);
  }

  LibrarySet toolkitSet(const std::string& what, const std::vector<std::string>& stems) const {
    const std::string major = std::to_string(major_);
    LibrarySet set{.what = what + " of CUDA " + major};
    for (const std::string& stem : stems) set.required.push_back(stem + ".so." + major);
    set.needed = set.required.back() + ", since cuDNN in " + cudnnFolder() + " is for CUDA " + major;
    return set;
  }

  std::string cudnnFolder() const {
    for (const Libraries::File& file : libraries_->files)
      if (file.name == "libcudnn.so.9") return file.path.substr(0, file.path.rfind('/'));
    return {};
  }

  void openRuntime() {
    const SharedLibrary library = open(toolkitSet("the runtime", {"libcudart"}));
    auto& table = libraries_->runtime;
    FOVEA_CUDA_RUNTIME(FOVEA_CUDA_BIND)
    table.cudaRuntimeGetVersion(&libraries_->versions.runtime);
  }

  void openCublas() {
    const SharedLibrary library = open(toolkitSet("cuBLAS", {"libcublasLt", "libcublas"}));
    auto& table = libraries_->cublas;
    FOVEA_CUDA_CUBLAS(FOVEA_CUDA_BIND)
  }

  void openNvrtc() {
    const SharedLibrary library = open(toolkitSet("the run-time compiler NVRTC", {"libnvrtc"}));
    auto& table = libraries_->nvrtc;
    FOVEA_CUDA_NVRTC(FOVEA_CUDA_BIND)
    int major = 0, minor = 0;
    table.nvrtcVersion(&major, &minor);
    libraries_->versions.nvrtc = 1000 * major + 10 * minor;
    // It looks for these by their bare name when it compiles, and finds them when they are in the process.
    const std::string builtins =
        "libnvrtc-builtins.so." + std::to_string(major) + "." + std::to_string(minor);
    LibrarySet set{.what = "NVRTC " + std::to_string(major) + "." + std::to_string(minor) + "'s built-ins",
                   .required = {builtins},
                   .needed = builtins + " beside libnvrtc.so in " + folder_};
    OpenedSet opened = openSet(set, {{folder_, "where NVRTC is"}});
    libraries_->files.push_back(opened.files.front());
    libraries_->opened.push_back(opened.libraries.front());
  }

  LoadOptions options_;
  std::shared_ptr<Libraries> libraries_ = std::make_shared<Libraries>();
  int major_ = 0;
  std::string needed_, file_, folder_;  // of the set that was opened last
};

#undef FOVEA_CUDA_BIND

}  // namespace

std::string cudaVersion(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string cudnnVersion(size_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version % 10000 / 100) + "." +
         std::to_string(version % 100);
}

std::shared_ptr<const Libraries> load(const LoadOptions& options) { return Loading(options).run(); }

}  // namespace fovea::cuda

#pragma once
#include <memory>
#include <string>
#include <vector>

#include "search_folder.h"
#include "shared_library.h"
#include "symbols.h"

namespace fovea::cuda {

#define FOVEA_CUDA_MEMBER(name) decltype(&::name) name = nullptr;
struct DriverTable {
  FOVEA_CUDA_DRIVER(FOVEA_CUDA_MEMBER)
};
struct RuntimeTable {
  FOVEA_CUDA_RUNTIME(FOVEA_CUDA_MEMBER)
};
struct CudnnTable {
  FOVEA_CUDA_CUDNN(FOVEA_CUDA_MEMBER)
};
struct CublasTable {
  FOVEA_CUDA_CUBLAS(FOVEA_CUDA_MEMBER)
};
struct NvrtcTable {
  FOVEA_CUDA_NVRTC(FOVEA_CUDA_MEMBER)
};
#undef FOVEA_CUDA_MEMBER

struct LoadOptions {
  std::vector<SearchFolder> folders;  // in the order in which they are searched
  // Without a driver nothing can be allocated or run, but kernels compile and cuDNN checks graphs.
  bool withDriver = true;
};

// CUDA versions as CUDA counts them: 12080 is 12.8. cuDNN counts 90800 for 9.8.
struct Driver {
  DriverTable calls;
  int version = 0;  // of CUDA, the newest that the driver runs
  std::string path;
  SharedLibrary library;
};

struct Libraries {
  DriverTable driver;
  RuntimeTable runtime;
  CudnnTable cudnn;
  CublasTable cublas;
  NvrtcTable nvrtc;

  struct Versions {
    int driver = 0, runtime = 0, nvrtc = 0;
    size_t cudnn = 0;
  } versions;
  struct File {
    std::string name, path;
  };
  std::vector<File> files;  // what was opened: "libcudnn.so.9" and its path

  std::vector<SharedLibrary> opened;
};

// "12.8" of 12080, "9.10.2" of 91002
std::string cudaVersion(int version);
std::string cudnnVersion(size_t version);

// All throw Unavailable.
std::shared_ptr<const Driver> loadDriver(const LoadOptions& options);
std::shared_ptr<const Libraries> load(const LoadOptions& options);

}  // namespace fovea::cuda

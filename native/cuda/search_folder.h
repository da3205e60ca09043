#pragma once
#include <string>

namespace fovea::cuda {

// A place to look for NVIDIA's libraries in. Who opens a device finds them (ts/runtime/cuda-folders.ts).
struct SearchFolder {
  std::string path;     // empty: the system's own search for the bare name
  std::string origin;   // why it is searched, for people
  bool driver = false;  // for libcuda.so.1, too, which otherwise the system's own search finds
};

}  // namespace fovea::cuda

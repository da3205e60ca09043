#pragma once
#include <string>
#include <vector>

namespace cudasim {

struct KernelDeclaration {
  std::string name, bounds;  // what __launch_bounds__ is given; empty where it is not there
};

// What g++ compiles in place of a kernel's preprocessed source. Throws std::runtime_error for what the
// simulator does not know.
struct KernelSource {
  std::string text;
  std::vector<KernelDeclaration> kernels;
  bool waits = false;  // whether threads may wait for each other
};
KernelSource translate(const std::string& preprocessed);

}  // namespace cudasim

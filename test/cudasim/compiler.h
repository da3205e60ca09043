#pragma once
#include <string>
#include <vector>

namespace cudasim {

struct Compiled {
  std::string path;  // of the shared object; empty where the source is wrong
  std::string log;
};
struct IncludedHeader {
  std::string name, text;
};

// Compiles a kernel's source for the host with g++; what was compiled before is found again by its content.
Compiled compileKernels(const std::string& source, const std::string& name,
                        const std::vector<IncludedHeader>& headers, const std::vector<std::string>& flags,
                        int architecture);

}  // namespace cudasim

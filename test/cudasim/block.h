#pragma once
#include <string>

#include "kernel_abi.h"

namespace cudasim {

struct Launch {
  Position grid, block;
  unsigned sharedBytes;
};

// Runs a kernel, a block after the other, in permuted order if `permuted`. Returns what went wrong; empty if
// nothing did.
std::string runGrid(const Module& module, const Kernel& kernel, const Launch& launch, void** arguments,
                    bool permuted);

}  // namespace cudasim

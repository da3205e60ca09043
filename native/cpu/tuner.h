#pragma once
#include <functional>
#include <string>
#include <vector>

#include "primitive.h"

namespace fovea::cpu {

// A way to do an instruction.
struct Candidate {
  std::string name;
  std::function<std::unique_ptr<Kernel>()> make;  // nullptr, or dnnl's "unimplemented", where there is none
};

// The kernel of the candidate that the device's table names for this problem or, if it names none and tuning
// is on, that runs fastest now; failing both, the first one.
std::unique_ptr<Kernel> choose(const Context& context, std::string problem,
                               const std::vector<Candidate>& candidates);

}  // namespace fovea::cpu

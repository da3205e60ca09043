#pragma once
#include <string>
#include <vector>

#include "ops.h"
#include "types.h"

namespace fovea {

constexpr int absent = -1;  // an optional operand that is not there

// A flat program over numbered buffers, as TypeScript lowers it.
struct Plan {
  struct Instruction {
    ops::Any attributes;
    std::vector<int> inputs,
        outputs;       // buffer numbers or `absent`; an output that is also an input is updated in place
    std::string path;  // the layer that it comes from
  };
  // A range of instructions that a run executes whole. The phase named "constants" depends on parameters
  // alone: it runs when their version has changed since, before any other phase.
  struct Phase {
    std::string name;
    int begin, end;
  };
  struct Binding {
    std::string name;
    int buffer;
  };
  struct Parameter {
    std::string name;  // in the store
    int buffer;
    bool updated;  // some instruction writes it
  };

  std::vector<TensorSpec> buffers;
  std::vector<Instruction> instructions;
  std::vector<Phase> phases;
  std::vector<Binding> inputs, outputs;
  std::vector<Parameter> parameters;
};

}  // namespace fovea

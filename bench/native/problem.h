#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bench {

using Shape = std::vector<int64_t>;

// An operand: a shape, and the name of its element type.
struct Tensor {
  Shape shape;
  std::string type = "f32";
};

// One operation on operands of some shapes, as bench/support/problems.ts spells it:
// "convolution in=bf16:1x3x224x224,64x3x7x7,64,- out=bf16:1x64x112x112 stride=2x2 ...
// implementation=jit:avx512_core"
struct Problem {
  std::string op;
  std::vector<std::optional<Tensor>> inputs, outputs;  // nothing where an optional operand is absent
  std::map<std::string, std::string> attributes;

  bool hasInput(size_t index) const { return index < inputs.size() && inputs[index]; }
  bool hasOutput(size_t index) const { return index < outputs.size() && outputs[index]; }
  const Tensor& input(size_t index) const { return inputs.at(index).value(); }
  const Tensor& output(size_t index) const { return outputs.at(index).value(); }
  // The value of an attribute, or nothing in it.
  std::string text(const std::string& name) const;
  Shape numbers(const std::string& name) const;
  int64_t number(const std::string& name) const { return numbers(name).at(0); }
};

// Throws std::invalid_argument that quotes what it does not understand.
Problem parse(const std::string& line);

}  // namespace bench

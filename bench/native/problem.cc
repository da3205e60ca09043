#include "problem.h"

#include <sstream>
#include <stdexcept>

namespace bench {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

Shape dimensions(const std::string& text) {
  Shape shape;
  for (const std::string& part : split(text, 'x')) {
    size_t used = 0;
    const auto fail = [&] { return std::invalid_argument("expected numbers as in 3x4, got " + text); };
    try {
      shape.push_back(std::stoll(part, &used));
    } catch (const std::exception&) {
      throw fail();
    }
    if (used != part.size()) throw fail();
  }
  return shape;
}

// An operand of another type than f32 has the type before its shape.
std::optional<Tensor> operand(const std::string& text) {
  if (text == "-") return {};
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return Tensor{dimensions(text)};
  return Tensor{dimensions(text.substr(colon + 1)), text.substr(0, colon)};
}

std::vector<std::optional<Tensor>> operands(const std::string& text) {
  std::vector<std::optional<Tensor>> tensors;
  for (const std::string& part : split(text, ',')) tensors.push_back(operand(part));
  return tensors;
}

}  // namespace

std::string Problem::text(const std::string& name) const {
  const auto found = attributes.find(name);
  return found == attributes.end() ? std::string() : found->second;
}

Shape Problem::numbers(const std::string& name) const {
  const auto found = attributes.find(name);
  if (found == attributes.end()) throw std::invalid_argument(op + " needs " + name);
  return dimensions(found->second);
}

Problem parse(const std::string& line) {
  Problem problem;
  std::istringstream words(line);
  words >> problem.op;
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) throw std::invalid_argument("expected name=value, got " + word);
    const std::string name = word.substr(0, equals), value = word.substr(equals + 1);
    if (name == "in")
      problem.inputs = operands(value);
    else if (name == "out")
      problem.outputs = operands(value);
    else
      problem.attributes[name] = value;
  }
  return problem;
}

}  // namespace bench

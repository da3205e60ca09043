#include "plan_check.h"

#include <algorithm>
#include <set>

#include "error.h"

namespace fovea {
namespace {

constexpr int64_t largest = int64_t{1} << 46;  // bytes of one tensor: what an address space holds

[[noreturn]] void fail(const std::string& subject, const std::string& expected, const std::string& got) {
  throw Error("INVALID_ARGUMENT", subject + ": expected " + expected + ", got " + got, subject, expected,
              got);
}

std::string at(const char* list, size_t index) {
  return std::string("plan.") + list + "[" + std::to_string(index) + "]";
}

void checkPhases(const Plan& plan) {
  int next = 0;
  std::set<std::string> names;
  for (size_t p = 0; p < plan.phases.size(); ++p) {
    const Plan::Phase& phase = plan.phases[p];
    const std::string where = at("phases", p);
    if (!names.insert(phase.name).second) fail(where + ".name", "a name of its own", phase.name);
    if (phase.name == constantsPhase && p > 0)
      fail(where, "constants to be the first phase", std::to_string(p));
    if (phase.begin != next) fail(where + ".begin", std::to_string(next), std::to_string(phase.begin));
    if (phase.end < phase.begin) fail(where + ".end", "no less than begin", std::to_string(phase.end));
    next = phase.end;
  }
  const int count = static_cast<int>(plan.instructions.size());
  if (next != count)
    fail("plan.phases", "phases that end at instruction " + std::to_string(count), std::to_string(next));
}

enum class Origin { none, input, parameter, updatedParameter, constant, computed };

void claim(std::vector<Origin>& origins, const Plan& plan, int buffer, const std::string& where,
           Origin origin) {
  if (buffer < 0 || buffer >= static_cast<int>(origins.size()))
    fail(where + ".buffer", "a buffer number below " + std::to_string(origins.size()),
         std::to_string(buffer));
  if (plan.buffers[buffer].dtype == DType::opaque) fail(where, "a tensor", "an opaque buffer");
  if (origin == Origin::none) return;
  if (origins[buffer] != Origin::none) fail(where + ".buffer", "a buffer of its own", std::to_string(buffer));
  origins[buffer] = origin;
}

class Flow {
 public:
  Flow(const Plan& plan, std::vector<Origin> origins) : plan_(plan), origins_(std::move(origins)) {}

  void instruction(size_t index, bool constants) {
    const Plan::Instruction& instruction = plan_.instructions[index];
    for (size_t k = 0; k < instruction.inputs.size(); ++k)
      read(instruction.inputs[k], operand(index, "inputs", k), constants);
    for (size_t k = 0; k < instruction.outputs.size(); ++k) {
      const int buffer = instruction.outputs[k];
      const bool inPlace = std::ranges::count(instruction.inputs, buffer) > 0;
      if (buffer != absent && std::ranges::count(instruction.outputs, buffer) > 1)
        fail(operand(index, "outputs", k), "a buffer that is written once", std::to_string(buffer));
      write(buffer, operand(index, "outputs", k), constants, inPlace);
    }
  }

  bool known(int buffer) const { return origins_[buffer] != Origin::none; }

 private:
  static std::string operand(size_t instruction, const char* side, size_t index) {
    return at("instructions", instruction) + "." + side + "[" + std::to_string(index) + "]";
  }

  void range(int buffer, const std::string& where) const {
    if (buffer < absent || buffer >= static_cast<int>(origins_.size()))
      fail(where, "a buffer number below " + std::to_string(origins_.size()) + ", or -1",
           std::to_string(buffer));
  }

  void read(int buffer, const std::string& where, bool constants) const {
    range(buffer, where);
    if (buffer == absent) return;
    if (!known(buffer)) fail(where, "a buffer that was written before", std::to_string(buffer));
    if (constants && origins_[buffer] == Origin::input)
      fail(where, "a parameter or what was computed from parameters", "an input of the program");
  }

  void write(int buffer, const std::string& where, bool constants, bool inPlace) {
    range(buffer, where);
    if (buffer == absent) return;
    Origin& origin = origins_[buffer];
    switch (origin) {
      case Origin::none:
        origin = constants ? Origin::constant : Origin::computed;
        return;
      case Origin::input:
        fail(where, "a buffer that may be written", "an input of the program");
      case Origin::parameter:
        fail(where, "a parameter that is marked as updated", std::to_string(buffer));
      case Origin::updatedParameter:
        if (constants) fail(where, "parameters to be written outside of constants", std::to_string(buffer));
        return;
      case Origin::constant:
        if (!constants) fail(where, "a buffer that is not constant", std::to_string(buffer));
        [[fallthrough]];
      case Origin::computed:
        if (!inPlace) fail(where, "a buffer that was not written before", std::to_string(buffer));
    }
  }

  const Plan& plan_;
  std::vector<Origin> origins_;
};

}  // namespace

const char* nameOf(const ops::Any& attributes) {
  return std::visit([](const auto& op) { return op.name; }, attributes);
}

void check(const TensorSpec& spec, const std::string& where) {
  int64_t bytes = static_cast<int64_t>(sizeOf(spec.dtype));
  for (const int64_t extent : spec.shape) {
    if (extent < 1 || bytes > largest / extent)
      fail(where + ".shape", "positive dimensions that fit in memory", format(spec.shape));
    bytes *= extent;
  }
}

void check(const Plan& plan) {
  for (size_t b = 0; b < plan.buffers.size(); ++b) check(plan.buffers[b], at("buffers", b));
  checkPhases(plan);
  std::vector<Origin> origins(plan.buffers.size(), Origin::none);
  std::set<std::string> inputs, outputs, parameters;
  const auto unique = [](std::set<std::string>& names, const std::string& where, const std::string& name) {
    if (!names.insert(name).second) fail(where + ".name", "a name of its own", name);
  };
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    unique(inputs, at("inputs", i), plan.inputs[i].name);
    claim(origins, plan, plan.inputs[i].buffer, at("inputs", i), Origin::input);
  }
  for (size_t i = 0; i < plan.parameters.size(); ++i) {
    const Plan::Parameter& parameter = plan.parameters[i];
    unique(parameters, at("parameters", i), parameter.name);
    claim(origins, plan, parameter.buffer, at("parameters", i),
          parameter.updated ? Origin::updatedParameter : Origin::parameter);
  }
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    unique(outputs, at("outputs", i), plan.outputs[i].name);
    claim(origins, plan, plan.outputs[i].buffer, at("outputs", i), Origin::none);
  }

  Flow flow(plan, std::move(origins));
  for (const Plan::Phase& phase : plan.phases)
    for (int i = phase.begin; i < phase.end; ++i) flow.instruction(i, phase.name == constantsPhase);
  for (size_t i = 0; i < plan.outputs.size(); ++i)
    if (!flow.known(plan.outputs[i].buffer))
      fail(at("outputs", i) + ".buffer", "a buffer that an instruction writes",
           std::to_string(plan.outputs[i].buffer));
}

}  // namespace fovea

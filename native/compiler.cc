#include "compiler.h"

#include <algorithm>

#include "error.h"
#include "plan_check.h"

namespace fovea {
namespace {

class Scheduler {
 public:
  Scheduler(const Plan& plan, Store& store, const std::vector<Store::Bound>& bound)
      : plan_(plan), store_(store), backend_(store.backend()), bound_(bound), buffers_(plan.buffers.size()) {
    result_.phases.push_back({constantsPhase});
    for (const Plan::Phase& phase : plan.phases)
      if (phase.name != constantsPhase) result_.phases.push_back({phase.name});
    phaseOf_.resize(plan.instructions.size());
    for (size_t p = 0, index = 1; p < plan.phases.size(); ++p) {
      const Plan::Phase& phase = plan.phases[p];
      const int number = phase.name == constantsPhase ? 0 : static_cast<int>(index++);
      for (int i = phase.begin; i < phase.end; ++i) phaseOf_[i] = number;
    }
    for (const Plan::Binding& input : plan.inputs) {
      result_.inputs.push_back(produce(input.buffer, backend_.plain(plan.buffers[input.buffer]), 0));
      result_.slots.back().kind = Slot::Kind::input;
    }
    for (size_t i = 0; i < plan.parameters.size(); ++i) {
      const Plan::Parameter& parameter = plan.parameters[i];
      const int slot = produce(parameter.buffer, bound[i]->layout, 0);
      result_.slots[slot].kind = Slot::Kind::store;
      result_.slots[slot].parameter = static_cast<int>(i);
      buffers_[parameter.buffer].parameter = static_cast<int>(i);
      buffers_[parameter.buffer].constant = !parameter.updated;
    }
    findDependencies();
    findExtended();
  }

  Schedule run(const std::atomic<bool>& cancelled) {
    result_.outputs.assign(plan_.outputs.size(), absent);
    size_t next = 0;
    for (size_t phase = 0; phase < result_.phases.size(); ++phase) {
      for (; next < plan_.instructions.size() && phaseOf_[next] == static_cast<int>(phase); ++next) {
        checkCancelled(cancelled);
        instruction(static_cast<int>(next), static_cast<int>(phase));
      }
      outputs(static_cast<int>(phase));
    }
    return std::move(result_);
  }

 private:
  struct Version {
    LayoutPtr layout;
    int slot;
    int phase;  // in which it is made
  };
  struct Buffer {
    std::vector<Version> versions;  // the first is the one that is produced and updated
    int parameter = absent;
    bool constant = false;  // a reorder of it is made once, with the constants
    bool used = false;
    bool extended = false;  // by the concatenation that reads it last
    int lastWrite = 0;      // phase
  };

  // Which phases need which earlier ones to have run, by what they read. A reorder that was made in another
  // phase may only be reused where that phase is needed anyway.
  void findDependencies() {
    const size_t count = result_.phases.size();
    needs_.assign(count, std::vector<bool>(count));
    for (size_t i = 0; i < plan_.instructions.size(); ++i) {
      const Plan::Instruction& instruction = plan_.instructions[i];
      for (const int b : instruction.inputs) {
        if (b == absent) continue;
        if (buffers_[b].parameter == absent) needs_[phaseOf_[i]][buffers_[b].lastWrite] = true;
        if (phaseOf_[i] == 0 && buffers_[b].parameter != absent && !buffers_[b].constant)
          result_.constantsFixed = false;
      }
      for (const int b : instruction.outputs) {
        if (b == absent) continue;
        buffers_[b].lastWrite = phaseOf_[i];
        if (buffers_[b].parameter == absent)
          buffers_[b].constant = phaseOf_[i] == 0;
        else
          result_.phases[phaseOf_[i]].updates = true;
      }
    }
  }

  void findExtended() {
    for (const Plan::Instruction& instruction : plan_.instructions) {
      for (const int b : instruction.inputs)
        if (b != absent) buffers_[b].extended = false;
      if (std::holds_alternative<ops::Concat>(instruction.attributes))
        buffers_[instruction.inputs.front()].extended = true;
    }
    for (const Plan::Binding& output : plan_.outputs) buffers_[output.buffer].extended = false;
  }

  int slot(size_t bytes) {
    result_.slots.push_back({.bytes = bytes});
    return static_cast<int>(result_.slots.size()) - 1;
  }

  int produce(int buffer, LayoutPtr layout, int phase) {
    const int number = slot(layout->bytes());
    buffers_[buffer].versions.push_back({std::move(layout), number, phase});
    return number;
  }

  void append(int phase, Step step) { insert(phase, result_.phases[phase].steps.size(), std::move(step)); }

  void insert(int phase, size_t index, Step step) {
    if (step.kernel->scratchBytes > 0) step.scratch = slot(step.kernel->scratchBytes);
    std::vector<Step>& steps = result_.phases[phase].steps;
    steps.insert(steps.begin() + static_cast<std::ptrdiff_t>(index), std::move(step));
  }

  // Where the step that writes a slot last has just run.
  size_t behindWriter(int phase, int slot) const {
    const std::vector<Step>& steps = result_.phases[phase].steps;
    const auto writer = std::find_if(steps.rbegin(), steps.rend(), [&](const Step& step) {
      return std::ranges::count(step.outputs, slot) > 0;
    });
    return static_cast<size_t>(steps.rend() - writer);
  }

  void reorder(int phase, int b, const LayoutPtr& from, int source, const LayoutPtr& to, int target,
               const std::string& path) {
    Step step{.op = "reorder", .path = path, .kernel = backend_.reorder(plan_.buffers[b], from, to)};
    step.inputs = {source};
    step.outputs = {target};
    // A constant's first form ends here, not with all the others when the last of them has been derived.
    insert(phase, phase == 0 ? behindWriter(phase, source) : result_.phases[phase].steps.size(),
           std::move(step));
  }

  // Whether the store may keep a parameter as this plan, which updates it, would like it best: in any
  // elementwise layout.
  bool movable(const Buffer& buffer) const {
    return buffer.parameter != absent && plan_.parameters[buffer.parameter].updated && !buffer.used &&
           bound_[buffer.parameter]->programs == 1;
  }

  void move(Buffer& buffer, const LayoutPtr& layout) {
    store_.relayout(plan_.parameters[buffer.parameter].name, layout);
    Version& primary = buffer.versions.front();
    primary.layout = layout;
    result_.slots[primary.slot].bytes = layout->bytes();
  }

  // The slot that holds a buffer in a layout by the time that the next step of `phase` runs.
  int find(int b, const LayoutPtr& layout, int phase, const std::string& path) {
    Buffer& buffer = buffers_[b];
    const Version primary = buffer.versions.front();
    if (layout->equals(*primary.layout)) {
      buffer.used = true;
      return primary.slot;
    }
    if (movable(buffer) && layout->elementwise()) {
      move(buffer, layout);
      buffer.used = true;
      return primary.slot;
    }
    buffer.used = true;
    for (const Version& version : buffer.versions)
      if (version.layout->equals(*layout) &&
          (version.phase == 0 || version.phase == phase || needs_[phase][version.phase]))
        return version.slot;
    const int where = buffer.constant ? 0 : phase;
    const int made = produce(b, layout, where);
    reorder(where, b, primary.layout, primary.slot, layout, made, path);
    return made;
  }

  std::unique_ptr<Kernel> prepare(const Plan::Instruction& instruction) const {
    Operands operands;
    for (const int b : instruction.inputs) {
      operands.inputs.emplace_back();
      if (b == absent) continue;
      operands.inputs.back() = {plan_.buffers[b], buffers_[b].versions.front().layout, movable(buffers_[b]),
                                buffers_[b].constant};
    }
    for (const int b : instruction.outputs) {
      operands.outputs.emplace_back();
      if (b == absent) continue;
      const bool inPlace = std::ranges::count(instruction.inputs, b) > 0;
      operands.outputs.back() = {.spec = plan_.buffers[b],
                                 .layout = inPlace ? buffers_[b].versions.front().layout : nullptr,
                                 .extended = buffers_[b].extended};
    }
    const std::string subject = title(instruction);
    try {
      auto kernel = backend_.prepare(instruction, operands);
      if (!complete(instruction.inputs, kernel->inputs) || !complete(instruction.outputs, kernel->outputs))
        throw Error("BACKEND", "the kernel does not say the layouts of its operands", subject);
      return kernel;
    } catch (const Error& error) {
      if (std::string(error.what()).starts_with(subject)) throw;
      throw Error(error.code, subject + ": " + error.what(), error.subject.empty() ? subject : error.subject,
                  error.expected, error.got);
    }
  }

  static std::string title(const Plan::Instruction& instruction) {
    const std::string op = nameOf(instruction.attributes);
    return instruction.path.empty() ? op : op + " " + instruction.path;
  }

  static bool complete(const std::vector<int>& buffers, const std::vector<LayoutPtr>& layouts) {
    if (buffers.size() != layouts.size()) return false;
    for (size_t k = 0; k < buffers.size(); ++k)
      if (buffers[k] != absent && !layouts[k]) return false;
    return true;
  }

  void instruction(int index, int phase) {
    const Plan::Instruction& instruction = plan_.instructions[index];
    Step step{.op = nameOf(instruction.attributes), .path = instruction.path, .instruction = index};
    step.kernel = prepare(instruction);
    const Kernel& kernel = *step.kernel;
    for (size_t k = 0; k < instruction.inputs.size(); ++k) {
      const int b = instruction.inputs[k];
      step.inputs.push_back(b == absent ? absent : find(b, kernel.inputs[k], phase, instruction.path));
    }

    struct Late {
      int buffer, slot;
      LayoutPtr layout;
    };
    std::vector<Late> late;
    for (size_t k = 0; k < instruction.outputs.size(); ++k) {
      const int b = instruction.outputs[k];
      if (b == absent) {
        step.outputs.push_back(absent);
        continue;
      }
      Buffer& buffer = buffers_[b];
      const LayoutPtr& layout = kernel.outputs[k];
      if (buffer.versions.empty()) {
        step.outputs.push_back(produce(b, layout, phase));
        continue;
      }
      const auto reads = std::ranges::find(instruction.inputs, b);
      if (reads != instruction.inputs.end()) {
        const size_t input = reads - instruction.inputs.begin();
        const Version& primary = buffer.versions.front();
        if (step.inputs[input] != primary.slot || !layout->equals(*primary.layout))
          throw Error("BACKEND", title(instruction) + " does not update its operand where it lies",
                      title(instruction), primary.layout->name(), layout->name());
      } else if (!layout->equals(*buffer.versions.front().layout)) {
        // A parameter that is overwritten without being read.
        if (movable(buffer) && layout->elementwise()) {
          move(buffer, layout);
        } else {
          late.push_back({b, slot(layout->bytes()), layout});
          step.outputs.push_back(late.back().slot);
          continue;
        }
      }
      buffer.versions.resize(1, buffer.versions.front());
      buffer.used = true;
      step.outputs.push_back(buffer.versions.front().slot);
    }
    append(phase, std::move(step));
    for (const Late& copy : late) {
      Buffer& buffer = buffers_[copy.buffer];
      buffer.versions.resize(1, buffer.versions.front());
      buffer.used = true;
      const Version& primary = buffer.versions.front();
      reorder(phase, copy.buffer, copy.layout, copy.slot, primary.layout, primary.slot, instruction.path);
    }
  }

  // Plain versions of the outputs whose last value is there when `phase` ends.
  void outputs(int phase) {
    for (size_t i = 0; i < plan_.outputs.size(); ++i) {
      const int b = plan_.outputs[i].buffer;
      if (buffers_[b].lastWrite != phase) continue;
      const int slot = find(b, backend_.plain(plan_.buffers[b]), phase, plan_.outputs[i].name);
      result_.outputs[i] = slot;
      Slot::Kind& kind = result_.slots[slot].kind;
      if (kind == Slot::Kind::computed) kind = Slot::Kind::output;
    }
  }

  const Plan& plan_;
  Store& store_;
  Backend& backend_;
  const std::vector<Store::Bound>& bound_;
  std::vector<Buffer> buffers_;
  std::vector<int> phaseOf_;  // of instructions
  std::vector<std::vector<bool>> needs_;
  Schedule result_;
};

}  // namespace

void checkCancelled(const std::atomic<bool>& cancelled) {
  if (cancelled) throw Error("ABORTED", "the work was taken back while it ran");
}

Schedule schedule(const Plan& plan, Store& store, const std::vector<Store::Bound>& bound,
                  const std::atomic<bool>& cancelled) {
  return Scheduler(plan, store, bound).run(cancelled);
}

}  // namespace fovea

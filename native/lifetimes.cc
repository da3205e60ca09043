#include <algorithm>

#include "compiler.h"
#include "error.h"

namespace fovea {
namespace {

// Lifetimes over the steps of all phases, one after the other.
void computeLifetimes(Schedule& schedule) {
  for (Slot& slot : schedule.slots) {
    slot.first = std::numeric_limits<int>::max();
    slot.last = -1;
  }
  const int constants = static_cast<int>(schedule.phases.front().steps.size());
  std::vector<int> firstPhase(schedule.slots.size(), absent), lastPhase(schedule.slots.size(), absent);
  int time = 0;
  for (int phase = 0; phase < static_cast<int>(schedule.phases.size()); ++phase) {
    for (const Step& step : schedule.phases[phase].steps) {
      const auto touch = [&](int number) {
        if (number == absent) return;
        Slot& slot = schedule.slots[number];
        slot.first = std::min(slot.first, time);
        slot.last = time;
        if (firstPhase[number] == absent) firstPhase[number] = phase;
        lastPhase[number] = phase;
      };
      std::ranges::for_each(step.inputs, touch);
      std::ranges::for_each(step.outputs, touch);
      touch(step.scratch);
      ++time;
    }
  }
  for (const int number : schedule.outputs) lastPhase[number] = static_cast<int>(schedule.phases.size());

  for (size_t i = 0; i < schedule.slots.size(); ++i) {
    Slot& slot = schedule.slots[i];
    const bool leaves = lastPhase[i] > firstPhase[i];
    if (slot.kind == Slot::Kind::input) {
      slot.first = 0;
      if (lastPhase[i] == static_cast<int>(schedule.phases.size())) slot.last = time;
      slot.last = std::max(slot.last, 0);
    } else if (firstPhase[i] == 0 && leaves && slot.kind != Slot::Kind::store) {
      // The constants phase runs only now and then.
      slot.kind = Slot::Kind::constant;
      slot.first = 0;
      slot.last = time;
    } else if (slot.kind == Slot::Kind::output) {
      slot.last = time;
    }
    // Constants may be derived anew between two phases, while this waits for the second.
    if (leaves && constants > 0) slot.first = 0;
  }
  for (size_t i = 0; i < schedule.slots.size(); ++i) {
    const int home = schedule.home(static_cast<int>(i));
    if (home == static_cast<int>(i)) continue;
    schedule.slots[home].first = std::min(schedule.slots[home].first, schedule.slots[i].first);
    schedule.slots[home].last = std::max(schedule.slots[home].last, schedule.slots[i].last);
  }
}

class Sharing {
 public:
  Sharing(const Plan& plan, Backend& backend, Schedule& schedule)
      : plan_(plan), backend_(backend), schedule_(schedule) {}

  void run() {
    int time = 0;
    for (Schedule::Phase& phase : schedule_.phases) {
      std::vector<Step> steps;
      for (Step& step : phase.steps) {
        for (const Kernel::Alias& alias : step.kernel->aliases) apply(alias, step, time, steps);
        steps.push_back(std::move(step));
        ++time;
      }
      phase.steps = std::move(steps);
    }
  }

 private:
  void apply(const Kernel::Alias& alias, Step& step, int time, std::vector<Step>& before) {
    const int input = step.inputs[alias.input], output = step.outputs[alias.output];
    if (input == absent || output == absent) return;
    if (schedule_.home(input) == schedule_.home(output)) return;
    if (mayTakeOver(alias, step, time)) {
      Slot& home = schedule_.slots[schedule_.home(input)];
      schedule_.slots[output].within = schedule_.home(input);
      home.bytes = std::max(home.bytes, schedule_.slots[output].bytes);
      home.first = std::min(home.first, schedule_.slots[output].first);
      home.last = std::max(home.last, schedule_.slots[output].last);
    } else if (alias.required) {
      copyAhead(alias, step, before);
    }
  }

  bool mayTakeOver(const Kernel::Alias& alias, const Step& step, int time) const {
    const int input = step.inputs[alias.input], output = step.outputs[alias.output];
    const Slot& from = schedule_.slots[schedule_.home(input)];
    const Slot& to = schedule_.slots[output];
    if (from.kind != Slot::Kind::computed || from.last != time) return false;
    if (to.bytes > from.bytes && !alias.grows) return false;
    if (to.kind == Slot::Kind::store || to.within != absent || holdsOthers(output)) return false;
    return alone(step, input);
  }

  // Whether the kernel would not find its output in the memory of yet another operand.
  bool alone(const Step& step, int input) const {
    const auto shares = [&](int other) {
      return other != absent && schedule_.home(other) == schedule_.home(input);
    };
    return std::ranges::count_if(step.inputs, shares) == 1 &&
           std::ranges::count_if(step.outputs, shares) == 0;
  }

  // Updated in place, so that it was produced elsewhere and others may lie in it by now.
  bool holdsOthers(int slot) const {
    return std::ranges::any_of(schedule_.slots, [&](const Slot& other) { return other.within == slot; });
  }

  // The kernel works on a copy of its input, which lies where its output shall be.
  void copyAhead(const Kernel::Alias& alias, Step& step, std::vector<Step>& before) {
    int& input = step.inputs[alias.input];
    const int output = step.outputs[alias.output];
    const LayoutPtr& layout = step.kernel->inputs[alias.input];
    Slot& target = schedule_.slots[schedule_.home(output)];
    const bool read = std::ranges::any_of(step.inputs, [&](int other) {
      return other != absent && schedule_.home(other) == schedule_.home(output);
    });
    if (read || step.instruction == absent ||
        (target.kind == Slot::Kind::store && target.bytes < layout->bytes()))
      throw Error("BACKEND", step.op + " " + step.path + ": an output cannot lie in its input's memory",
                  step.path);
    target.bytes = std::max(target.bytes, layout->bytes());
    const int b = plan_.instructions[step.instruction].inputs[alias.input];
    Step copy{.op = "copy", .path = step.path, .kernel = backend_.reorder(plan_.buffers[b], layout, layout)};
    copy.inputs = {input};
    copy.outputs = {output};
    if (copy.kernel->scratchBytes > 0) {
      copy.scratch = static_cast<int>(schedule_.slots.size());
      schedule_.slots.push_back({.bytes = copy.kernel->scratchBytes});
    }
    before.push_back(std::move(copy));
    input = output;
  }

  const Plan& plan_;
  Backend& backend_;
  Schedule& schedule_;
};

}  // namespace

void shareSlots(const Plan& plan, Backend& backend, Schedule& schedule) {
  computeLifetimes(schedule);
  Sharing(plan, backend, schedule).run();
  computeLifetimes(schedule);
}

}  // namespace fovea

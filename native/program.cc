#include "program.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <new>

#include "checks.h"
#include "compiler.h"
#include "liveness.h"
#include "plan_check.h"

namespace fovea {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Port {
  std::string name;
  int slot;
  size_t bytes;
};

std::string spell(const TensorSpec& spec) {
  return std::string(nameOf(spec.dtype)) + " " + format(spec.shape);
}

std::vector<Store::Bound> bind(const Plan& plan, Store& store) {
  std::vector<Store::Bound> bound;
  for (const Plan::Parameter& parameter : plan.parameters) {
    bound.push_back(store.bind(parameter.name));
    const TensorSpec &expected = plan.buffers[parameter.buffer], &got = bound.back()->spec;
    if (expected.dtype != got.dtype || expected.shape != got.shape)
      throw Error(
          "SHAPE_MISMATCH",
          parameter.name + ": the network expects " + spell(expected) + ", the store has " + spell(got),
          parameter.name, spell(expected), spell(got));
  }
  return bound;
}

std::vector<Port> ports(const Plan& plan, const std::vector<Plan::Binding>& bindings,
                        const std::vector<int>& slots) {
  std::vector<Port> result;
  for (size_t i = 0; i < bindings.size(); ++i) {
    const TensorSpec& spec = plan.buffers[bindings[i].buffer];
    result.push_back({bindings[i].name, slots[i], elementCount(spec.shape) * sizeOf(spec.dtype)});
  }
  return result;
}

}  // namespace

struct Program::State {
  std::shared_ptr<Store> store;
  std::vector<Store::Bound> bound;
  std::vector<Fetched> read;  // parameters that every run reads
  std::shared_ptr<Memory> memory;
  std::vector<Placement> arena;
  std::vector<size_t> offsets;  // of slots that have memory of their own
  Schedule schedule;
  std::vector<Port> inputs, outputs;
  Liveness liveness;
  uint64_t constantsVersion = 0;  // of the store, when they were derived
  // A phase is recorded when it runs for the second time, if the backend can: by then whatever libraries set
  // up at their first call is there.
  struct Replay {
    int runs = 0;
    std::unique_ptr<Recording> recording;
  };
  std::vector<Replay> replays;  // of phases; ends before the kernels

  State(const Plan& plan, std::shared_ptr<Store> parameters, const std::atomic<bool>& cancelled)
      : store(std::move(parameters)),
        bound(bind(plan, *store)),
        schedule(compile(plan, *store, bound, cancelled)),
        inputs(ports(plan, plan.inputs, schedule.inputs)),
        outputs(ports(plan, plan.outputs, schedule.outputs)),
        liveness(schedule),
        replays(schedule.phases.size()) {
    fetchParameters(plan);
    allocate();
    for (const Schedule::Phase& phase : schedule.phases)
      for (const Step& step : phase.steps)
        step.kernel->bind({addresses(step.inputs), addresses(step.outputs), address(step.scratch)});
    for (const Schedule::Phase& phase : schedule.phases) unite(phase.steps);
  }

  // Lets kernels take over those behind them, where they can.
  static void unite(const std::vector<Step>& steps) {
    Kernel* first = nullptr;
    for (const Step& step : steps)
      if (!first || !first->take(*step.kernel)) first = step.kernel.get();
  }

  static Schedule compile(const Plan& plan, Store& store, const std::vector<Store::Bound>& bound,
                          const std::atomic<bool>& cancelled) {
    Schedule result = fovea::schedule(plan, store, bound, cancelled);
    shareSlots(plan, store.backend(), result);
    return result;
  }

  // Those that only constants are made of are fetched for that.
  void fetchParameters(const Plan& plan) {
    for (size_t i = 0; i < plan.parameters.size(); ++i)
      if (plan.parameters[i].updated) bound[i]->memory->keep();
    std::vector<bool> seen(bound.size());
    const auto fetch = [&](int number) {
      if (number == absent) return;
      const Slot& slot = schedule.slots[schedule.home(number)];
      if (slot.kind != Slot::Kind::store || seen[slot.parameter]) return;
      seen[slot.parameter] = true;
      read.emplace_back(bound[slot.parameter]->memory);
    };
    for (size_t phase = 1; phase < schedule.phases.size(); ++phase)
      for (const Step& step : schedule.phases[phase].steps) {
        std::ranges::for_each(step.inputs, fetch);
        std::ranges::for_each(step.outputs, fetch);
      }
    std::ranges::for_each(schedule.outputs, fetch);
  }

  // What a step reads of the store, there until the result goes.
  std::vector<Fetched> parametersOf(const Step& step) const {
    std::vector<Fetched> fetched;
    for (const int number : step.inputs) {
      if (number == absent) continue;
      const Slot& slot = schedule.slots[schedule.home(number)];
      if (slot.kind == Slot::Kind::store) fetched.emplace_back(bound[slot.parameter]->memory);
    }
    return fetched;
  }

  void allocate() {
    std::vector<size_t> owners;
    for (size_t i = 0; i < schedule.slots.size(); ++i) {
      const Slot& slot = schedule.slots[i];
      if (slot.kind == Slot::Kind::store || slot.within != absent) continue;
      owners.push_back(i);
      arena.push_back({slot.bytes, slot.first, slot.last});
    }
    const size_t bytes = place(arena);
    offsets.resize(schedule.slots.size());
    for (size_t k = 0; k < owners.size(); ++k) offsets[owners[k]] = arena[k].offset;
    if (bytes == 0) return;
    try {
      memory = store->backend().allocate(bytes);
    } catch (const std::bad_alloc&) {
      throw Error("OUT_OF_MEMORY", "no memory for a program of " + std::to_string(bytes) + " bytes",
                  "program", {}, std::to_string(bytes) + " bytes");
    }
  }

  void* address(int number) const {
    if (number == absent) return nullptr;
    const int home = schedule.home(number);
    const Slot& slot = schedule.slots[home];
    if (slot.kind == Slot::Kind::store) return bound[slot.parameter]->memory->data();
    return memory ? static_cast<std::byte*>(memory->data()) + offsets[home] : nullptr;
  }

  std::vector<void*> addresses(const std::vector<int>& slots) const {
    std::vector<void*> result;
    for (const int slot : slots) result.push_back(address(slot));
    return result;
  }

  // Goes through a run in thought: throws where a phase would not find what it reads, or the caller an
  // output.
  void foresee(const std::vector<int>& phases, const std::vector<const Port*>& given,
               const std::vector<const Port*>& wanted) {
    for (const Port* input : given) liveness.upload(input->slot);
    for (const int phase : phases) {
      const int slot = liveness.missing(phase);
      if (slot != absent) refuse(phase, slot);
      liveness.run(phase);
    }
    for (const Port* output : wanted)
      if (!liveness.holds(output->slot))
        throw Error("BUSY",
                    "output " + output->name + " is not there: the phase that computes it has not run",
                    output->name);
  }

  [[noreturn]] void refuse(int phase, int slot) const {
    const std::string& name = schedule.phases[phase].name;
    const auto input = std::ranges::find(inputs, slot, &Port::slot);
    if (input != inputs.end())
      throw Error("INVALID_ARGUMENT", "input " + input->name + " is missing: phase " + name + " reads it",
                  input->name, std::to_string(input->bytes) + " bytes", "none");
    const std::string& earlier = schedule.phases[liveness.origin(slot)].name;
    throw Error("BUSY", "phase " + name + " must follow phase " + earlier + ", whose results it uses up",
                name, earlier + " before " + name, name + " without it");
  }

  void enqueue(int phase, const std::atomic<bool>& cancelled) {
    checkCancelled(cancelled);
    const std::vector<Step>& steps = schedule.phases[phase].steps;
    Replay& replay = replays[phase];
    if (++replay.runs == 2)
      replay.recording = store->backend().record([&] {
        for (const Step& step : steps) step.kernel->enqueue();
      });
    if (replay.recording) return replay.recording->replay();
    for (const Step& step : steps) {
      checkCancelled(cancelled);
      if (phase == 0) {
        const std::vector<Fetched> parameters = parametersOf(step);
        step.kernel->enqueue();
      } else {
        step.kernel->enqueue();
      }
    }
  }

  void evict(const Step& step) const {
    const auto each = [&](const std::vector<int>& numbers, const std::vector<LayoutPtr>& layouts) {
      for (size_t k = 0; k < numbers.size(); ++k)
        if (numbers[k] != absent) store->backend().evict(address(numbers[k]), layouts[k]->bytes());
    };
    each(step.inputs, step.kernel->inputs);
    each(step.outputs, step.kernel->outputs);
  }

  // As `enqueue`; writes the seconds of every step to `seconds`, which has those of all phases.
  void time(int phase, Caches caches, std::vector<double>& seconds, const std::atomic<bool>& cancelled) {
    size_t line = 0;
    for (int earlier = 0; earlier < phase; ++earlier) line += schedule.phases[earlier].steps.size();
    for (const Step& step : schedule.phases[phase].steps) {
      checkCancelled(cancelled);
      const std::vector<Fetched> parameters = parametersOf(step);
      if (caches == Caches::warm) step.kernel->enqueue();
      if (caches == Caches::cold) evict(step);
      store->backend().synchronize();
      const auto start = Clock::now();
      step.kernel->enqueue();
      store->backend().synchronize();
      seconds[line++] = secondsSince(start);
    }
  }

  // Runs phases, and the constants before them where they have changed, by `enqueue(phase)`.
  template <class Enqueue>
  void execute(const std::vector<int>& phases, const Enqueue& enqueue) {
    uint64_t derived = constantsVersion;
    constantsVersion = 0;
    if (derived != store->version()) {
      derived = store->version();
      enqueue(0);
    }
    for (const int phase : phases) {
      if (!schedule.phases[phase].updates) {
        enqueue(phase);
        continue;
      }
      const bool current = schedule.constantsFixed && derived == store->version();
      store->touch();  // before the first write: it counts even if the phase breaks off
      if (current) derived = store->version();
      enqueue(phase);
    }
    store->backend().synchronize();
    constantsVersion = derived;
  }

  template <class Enqueue>
  void run(std::span<const std::string> phases, std::span<const Input> given, std::span<const Output> wanted,
           const Enqueue& enqueue) {
    Backend& backend = store->backend();
    std::vector<int> order;
    for (const std::string& name : phases) {
      const int number = static_cast<int>(indexOf(schedule.phases, name, "phase"));
      if (number > 0) order.push_back(number);
    }
    std::vector<const Port*> from, to;
    for (const Input& input : given) {
      from.push_back(&inputs[indexOf(inputs, input.name, "input")]);
      checkBytes(input.name, from.back()->bytes, input.bytes);
    }
    for (const Output& output : wanted) {
      to.push_back(&outputs[indexOf(outputs, output.name, "output")]);
      checkBytes(output.name, to.back()->bytes, output.bytes);
    }

    std::vector<bool> live = liveness.save();
    try {
      foresee(order, from, to);
    } catch (...) {
      liveness.restore(std::move(live));
      throw;
    }
    live = liveness.save();
    liveness.clear();
    try {
      for (size_t i = 0; i < from.size(); ++i) given[i].staging->deliver(address(from[i]->slot));
      execute(order, enqueue);
    } catch (...) {
      backend.synchronize();
      throw;
    }
    liveness.restore(std::move(live));
    for (size_t i = 0; i < to.size(); ++i)
      backend.download(wanted[i].data, address(to[i]->slot), wanted[i].bytes);
  }
};

Program::Program(const Plan& plan, std::shared_ptr<Store> store, const std::atomic<bool>& cancelled)
    : state_(std::make_unique<State>(plan, std::move(store), cancelled)) {}

Program::~Program() = default;

void Program::run(std::span<const std::string> phases, std::span<const Input> inputs,
                  std::span<const Output> outputs, const std::atomic<bool>& cancelled) {
  state_->run(phases, inputs, outputs, [&](int phase) { state_->enqueue(phase, cancelled); });
}

Program::Times Program::profile(std::span<const std::string> phases, std::span<const Input> inputs,
                                Caches caches, const std::atomic<bool>& cancelled) {
  Times times;
  for (const Schedule::Phase& phase : state_->schedule.phases)
    times.steps.resize(times.steps.size() + phase.steps.size(), std::numeric_limits<double>::quiet_NaN());
  const auto start = Clock::now();
  state_->run(phases, inputs, {}, [&](int phase) { state_->time(phase, caches, times.steps, cancelled); });
  times.total = secondsSince(start);
  return times;
}

std::vector<ScheduleEntry> Program::describe() const {
  const auto names = [](const std::vector<LayoutPtr>& layouts) {
    std::vector<std::string> result;
    for (const LayoutPtr& layout : layouts) result.push_back(layout ? layout->name() : "");
    return result;
  };
  std::vector<ScheduleEntry> entries;
  for (const Schedule::Phase& phase : state_->schedule.phases)
    for (const Step& step : phase.steps) {
      const Kernel& kernel = *step.kernel;
      ScheduleEntry entry;
      entry.phase = phase.name;
      entry.op = step.op;
      entry.path = step.path;
      entry.implementation = kernel.implementation();
      entry.inputs = names(kernel.inputs);
      entry.outputs = names(kernel.outputs);
      entry.scratchBytes = kernel.scratchBytes;
      entry.instruction = step.instruction;
      for (size_t k = 0; k < step.outputs.size(); ++k) {
        if (step.outputs[k] == absent) continue;
        entry.bytes += kernel.outputs[k]->bytes();
        const int home = state_->schedule.home(step.outputs[k]);
        entry.inPlace |= std::ranges::any_of(
            step.inputs, [&](int input) { return input != absent && state_->schedule.home(input) == home; });
      }
      entries.push_back(std::move(entry));
    }
  return entries;
}

const std::vector<Placement>& Program::arena() const { return state_->arena; }

size_t Program::arenaBytes() const { return state_->memory ? state_->memory->bytes() : 0; }

}  // namespace fovea

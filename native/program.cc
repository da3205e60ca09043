#include "program.h"

#include <algorithm>
#include <new>

#include "checks.h"
#include "compiler.h"
#include "liveness.h"
#include "plan_check.h"

namespace fovea {
namespace {

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
      step.kernel->enqueue();
    }
  }

  void execute(const std::vector<int>& phases, const std::atomic<bool>& cancelled) {
    uint64_t derived = constantsVersion;
    constantsVersion = 0;
    if (derived != store->version()) {
      derived = store->version();
      enqueue(0, cancelled);
    }
    for (const int phase : phases) {
      if (!schedule.phases[phase].updates) {
        enqueue(phase, cancelled);
        continue;
      }
      const bool current = schedule.constantsFixed && derived == store->version();
      store->touch();  // before the first write: it counts even if the phase breaks off
      if (current) derived = store->version();
      enqueue(phase, cancelled);
    }
    store->backend().synchronize();
    constantsVersion = derived;
  }
};

Program::Program(const Plan& plan, std::shared_ptr<Store> store, const std::atomic<bool>& cancelled)
    : state_(std::make_unique<State>(plan, std::move(store), cancelled)) {}

Program::~Program() = default;

void Program::run(std::span<const std::string> phases, std::span<const Input> inputs,
                  std::span<const Output> outputs, const std::atomic<bool>& cancelled) {
  State& state = *state_;
  Backend& backend = state.store->backend();
  std::vector<int> order;
  for (const std::string& name : phases) {
    const int number = static_cast<int>(indexOf(state.schedule.phases, name, "phase"));
    if (number > 0) order.push_back(number);
  }
  std::vector<const Port*> given, wanted;
  for (const Input& input : inputs) {
    given.push_back(&state.inputs[indexOf(state.inputs, input.name, "input")]);
    checkBytes(input.name, given.back()->bytes, input.bytes);
  }
  for (const Output& output : outputs) {
    wanted.push_back(&state.outputs[indexOf(state.outputs, output.name, "output")]);
    checkBytes(output.name, wanted.back()->bytes, output.bytes);
  }

  std::vector<bool> live = state.liveness.save();
  try {
    state.foresee(order, given, wanted);
  } catch (...) {
    state.liveness.restore(std::move(live));
    throw;
  }
  live = state.liveness.save();
  state.liveness.clear();
  try {
    for (size_t i = 0; i < given.size(); ++i)
      backend.upload(state.address(given[i]->slot), inputs[i].data, inputs[i].bytes);
    state.execute(order, cancelled);
  } catch (...) {
    backend.synchronize();
    throw;
  }
  state.liveness.restore(std::move(live));
  for (size_t i = 0; i < wanted.size(); ++i)
    backend.download(outputs[i].data, state.address(wanted[i]->slot), outputs[i].bytes);
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

#pragma once
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arena.h"
#include "backend.h"
#include "store.h"

namespace fovea {

// One line of Program::describe: an instruction or a reorder as it was realised.
struct ScheduleEntry {
  std::string phase, op, path, implementation;
  std::vector<std::string> inputs, outputs;  // layouts
  size_t bytes = 0, scratchBytes = 0;        // of the outputs; of the workspace
  bool inPlace = false;
  int instruction = absent;  // of the plan; absent for a reorder
};

// A compiled plan: kernels chosen, memory placed and bound. Built and run on the device's thread, destroyed
// on any. The plan is one that `check` accepts.
class Program {
 public:
  Program(const Plan& plan, std::shared_ptr<Store> store, const std::atomic<bool>& cancelled);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  struct Input {
    std::string name;
    Staging* staging;  // was sent
    size_t bytes;
  };
  struct Output {
    std::string name;
    void* data;
    size_t bytes;
  };
  // Copies inputs in, runs the phases in order, copies outputs out. Throws ABORTED between two instructions
  // once `cancelled` is set; INVALID_ARGUMENT where a phase reads an input that was not given since it was
  // last used up, and BUSY where it reads what an earlier phase computes and that one has not run before it.
  void run(std::span<const std::string> phases, std::span<const Input> inputs,
           std::span<const Output> outputs, const std::atomic<bool>& cancelled);

  // What the processor's caches hold when a step is timed: what the steps before it left there, its own
  // operands since it has just run once (so that results are wrong where it updates in place), or none of
  // them.
  enum class Caches { asTheyAre, warm, cold };
  struct Times {
    std::vector<double> steps;  // seconds of the lines of `describe`; NaN for those that did not run
    double total = 0;           // of the whole run, with the copies of its inputs
  };
  // Runs phases as `run` does, one step after the other, and takes the time of each.
  Times profile(std::span<const std::string> phases, std::span<const Input> inputs, Caches caches,
                const std::atomic<bool>& cancelled);

  std::vector<ScheduleEntry> describe() const;
  // Every block of the arena, and the steps (lines of `describe`) that it is alive for.
  const std::vector<Placement>& arena() const;
  size_t arenaBytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fovea

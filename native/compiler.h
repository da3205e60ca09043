#pragma once
#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "arena.h"
#include "plan.h"
#include "store.h"

namespace fovea {

// A place in memory that steps read and write: one layout of one buffer, or scratch.
struct Slot {
  enum class Kind { computed, constant, input, output, store };

  Kind kind = Kind::computed;
  size_t bytes = 0;
  int parameter = absent;  // store: the plan's
  // The steps that it is alive for; of a slot that holds others, theirs too.
  int first = std::numeric_limits<int>::max(), last = -1;
  int within = absent;  // the slot whose memory this one takes over
};

// A kernel between slots: an instruction or a reorder that one of them needs.
struct Step {
  std::string op, path;
  int instruction = absent;  // absent for a reorder
  std::unique_ptr<Kernel> kernel{};
  std::vector<int> inputs{}, outputs{};  // slots or `absent`
  int scratch = absent;
};

// A plan whose kernels and layouts are chosen, not placed in memory yet.
struct Schedule {
  struct Phase {
    std::string name;
    bool updates = false;  // writes parameters
    std::vector<Step> steps{};
  };

  std::vector<Phase> phases;  // the first is "constants", if only as an empty one
  std::vector<Slot> slots;
  std::vector<int> inputs, outputs;  // the slots of the plan's, plain
  bool constantsFixed = true;        // what they depend on is never written by the plan itself

  // The slot in whose memory a slot lies in the end.
  int home(int slot) const {
    while (slots[slot].within != absent) slot = slots[slot].within;
    return slot;
  }
};

// Chooses kernels in plan order, every one for the layouts that its operands have by then, and puts reorders
// where two disagree. Parameters may get another layout in the store. `bound` are those of the plan, in
// order.
Schedule schedule(const Plan& plan, Store& store, const std::vector<Store::Bound>& bound,
                  const std::atomic<bool>& cancelled);

// Lets outputs take over the memory of inputs that are not needed any more, as the kernels allow or require,
// and computes the lifetimes of all slots.
void shareSlots(const Plan& plan, Backend& backend, Schedule& schedule);

// Throws ABORTED once `cancelled` is set.
void checkCancelled(const std::atomic<bool>& cancelled);

}  // namespace fovea

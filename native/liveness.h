#pragma once
#include <vector>

#include "compiler.h"

namespace fovea {

// Which values that one phase leaves for another, or for the caller, are in memory. Phases are run one by one
// as the caller likes, and the arena gives memory to others as soon as the last reader, in plan order, is
// through: so a phase that comes out of order would read what is not there any more.
class Liveness {
 public:
  explicit Liveness(const Schedule& schedule);

  // The input in `slot` has been copied in.
  void upload(int slot);
  // The first slot that `phase` would read and that does not hold its value, or `absent`.
  int missing(int phase) const;
  void run(int phase);
  bool holds(int slot) const;
  // The present state, to come back to.
  std::vector<bool> save() const { return live_; }
  void restore(std::vector<bool> live) { live_ = std::move(live); }
  void clear() { live_.assign(live_.size(), false); }

  // In which phase a slot is computed; absent for an input of the program.
  int origin(int slot) const { return values_[valueOf_[slot]].first; }

 private:
  struct Value {
    int first, last;  // phases that write it and read it last
    Placement lifetime;
  };

  std::vector<Value> values_;
  std::vector<int> valueOf_;  // of slots, or `absent`: a store's, a constant, or of one phase alone
  std::vector<std::vector<int>> reads_;  // slots, for every phase
  std::vector<bool> live_;               // of values
};

}  // namespace fovea

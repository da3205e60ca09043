#pragma once
#include <atomic>
#include <cstdint>

namespace fovea::cpu {

constexpr int64_t partsOf(int64_t count, int64_t size) { return (count + size - 1) / size; }

// Spreads units of work over threads that take the next one when they are ready, so that a slow processor
// does less of it. What a unit computes does not depend on who does it.
class Queue {
 public:
  void reset() { next_ = 0; }
  template <class Work>
  void work(int64_t count, const Work& work) {
    for (int64_t unit = next_++; unit < count; unit = next_++) work(unit);
  }

 private:
  alignas(64) std::atomic<int64_t> next_{0};
};

// Vectors of output channels, in groups of nearly the same size.
struct Groups {
  Groups(int64_t vectors, int64_t most) : vectors(vectors), count(partsOf(vectors, most)) {}
  int64_t begin(int64_t group) const { return group * vectors / count; }
  int64_t size(int64_t group) const { return begin(group + 1) - begin(group); }
  // Which one a vector is in.
  int64_t of(int64_t vector) const { return ((vector + 1) * count - 1) / vectors; }

  int64_t vectors, count;
};

}  // namespace fovea::cpu

#pragma once
#include <cstddef>
#include <span>

namespace fovea {

// A block of an arena: it is alive from step `first` to step `last`, both included.
struct Placement {
  size_t bytes = 0;
  int first = 0, last = 0;
  size_t offset = 0;

  bool meets(const Placement& other) const { return first <= other.last && other.first <= last; }
};

// Gives every block an offset such that blocks that are alive at the same time never overlap; returns the
// size of the arena. Offsets are multiples of `arenaAlignment`.
constexpr size_t arenaAlignment = 256;  // what cuDNN asks for, and whole cache lines
size_t place(std::span<Placement> placements);

}  // namespace fovea

#include "arena.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace fovea {

size_t place(std::span<Placement> placements) {
  // Largest first, each at the lowest offset that is free all over its lifetime: small blocks then fill the
  // gaps that the large ones leave.
  std::vector<size_t> order(placements.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return placements[a].bytes > placements[b].bytes; });

  const auto rounded = [](size_t bytes) {
    return (bytes + arenaAlignment - 1) / arenaAlignment * arenaAlignment;
  };
  const auto lower = [](const Placement* a, const Placement* b) { return a->offset < b->offset; };
  std::vector<const Placement*> placed;  // by offset
  size_t total = 0;
  for (const size_t index : order) {
    Placement& block = placements[index];
    const size_t bytes = rounded(block.bytes);
    size_t offset = 0;
    for (const Placement* other : placed) {
      if (!other->meets(block)) continue;
      if (other->offset >= offset + bytes) break;
      offset = std::max(offset, other->offset + rounded(other->bytes));
    }
    block.offset = offset;
    if (bytes == 0) continue;
    total = std::max(total, offset + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &block, lower), &block);
  }
  return total;
}

}  // namespace fovea

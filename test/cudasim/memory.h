#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "state.h"

namespace cudasim {

// What was allocated: on the devices, and pinned on the host. Every allocation has guards before and behind
// it and is filled with 0xff (NaN in every format of numbers), so that stray writes and reads of what nobody
// wrote are seen.
class MemoryMap {
 public:
  MemoryMap(Slot count, Slot bytes) : count_(count), bytes_(bytes) {}

  // nullptr where `limit` bytes would be exceeded.
  void* allocate(size_t bytes, int device, size_t limit);
  enum class Freed { yes, unknown, overwritten };
  Freed free(void* pointer);
  // Whether `bytes` from `pointer` on lie inside one live allocation.
  bool covers(const void* pointer, size_t bytes = 1) const;
  size_t used(int device) const;
  // Whether all guards are as they were.
  bool intact() const;

 private:
  struct Block {
    std::unique_ptr<std::byte, void (*)(void*)> memory;
    size_t bytes;
    int device;
  };
  static bool intact(uintptr_t begin, const Block& block);
  std::map<uintptr_t, Block> blocks_;
  Slot count_, bytes_;
};

MemoryMap& deviceMemory();
MemoryMap& pinnedMemory();

}  // namespace cudasim

#include "memory.h"

#include <cstdlib>
#include <cstring>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(begin, bytes) (void)(begin), (void)(bytes)
#define ASAN_UNPOISON_MEMORY_REGION(begin, bytes) (void)(begin), (void)(bytes)
#endif

namespace cudasim {
namespace {

constexpr size_t guard = 512;  // also the alignment, as of cudaMalloc
constexpr int guardByte = 0xa5;

size_t rounded(size_t bytes) { return (bytes + guard - 1) / guard * guard; }

}  // namespace

void* MemoryMap::allocate(size_t bytes, int device, size_t limit) {
  if (bytes > limit || used(device) > limit - bytes) return nullptr;
  const size_t whole = guard + rounded(bytes) + guard;
  Block block{{static_cast<std::byte*>(std::aligned_alloc(guard, whole)), std::free}, bytes, device};
  if (!block.memory) return nullptr;
  std::byte* const begin = block.memory.get() + guard;
  std::memset(block.memory.get(), guardByte, whole);
  std::memset(begin, 0xff, bytes);
  ASAN_POISON_MEMORY_REGION(block.memory.get(), guard);
  ASAN_POISON_MEMORY_REGION(begin + bytes, rounded(bytes) - bytes + guard);
  ++State::instance()[count_];
  if (count_ != bytes_) State::instance()[bytes_] += static_cast<int64_t>(bytes);
  blocks_.emplace(reinterpret_cast<uintptr_t>(begin), std::move(block));
  return begin;
}

MemoryMap::Freed MemoryMap::free(void* pointer) {
  const auto found = blocks_.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == blocks_.end()) return Freed::unknown;
  const Block& block = found->second;
  const bool good = intact(found->first, block);
  ASAN_UNPOISON_MEMORY_REGION(block.memory.get(), guard + rounded(block.bytes) + guard);
  --State::instance()[count_];
  if (count_ != bytes_) State::instance()[bytes_] -= static_cast<int64_t>(block.bytes);
  blocks_.erase(found);
  return good ? Freed::yes : Freed::overwritten;
}

bool MemoryMap::covers(const void* pointer, size_t bytes) const {
  const auto at = reinterpret_cast<uintptr_t>(pointer);
  auto next = blocks_.upper_bound(at);
  if (next == blocks_.begin()) return false;
  const auto& [begin, block] = *--next;
  return at - begin <= block.bytes && bytes <= block.bytes - (at - begin);
}

size_t MemoryMap::used(int device) const {
  size_t sum = 0;
  for (const auto& [begin, block] : blocks_)
    if (block.device == device) sum += block.bytes;
  return sum;
}

bool MemoryMap::intact(uintptr_t begin, const Block& block) {
#ifdef __SANITIZE_ADDRESS__
  return true;  // whoever writes there is stopped in the act
#else
  const auto clean = [](const unsigned char* from, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i)
      if (from[i] != guardByte) return false;
    return true;
  };
  const auto* at = reinterpret_cast<const unsigned char*>(begin);
  return clean(at - guard, guard) && clean(at + block.bytes, rounded(block.bytes) - block.bytes + guard);
#endif
}

bool MemoryMap::intact() const {
  for (const auto& [begin, block] : blocks_)
    if (!intact(begin, block)) return false;
  return true;
}

MemoryMap& deviceMemory() {
  static auto& map = *std::make_unique<MemoryMap>(Slot::deviceAllocations, Slot::deviceBytes).release();
  return map;
}

MemoryMap& pinnedMemory() {
  static auto& map = *std::make_unique<MemoryMap>(Slot::pinnedAllocations, Slot::pinnedAllocations).release();
  return map;
}

}  // namespace cudasim

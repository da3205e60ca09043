#include "allocation.h"

#include <sys/mman.h>

#include <cstdlib>

#include "error.h"
#include "machine.h"

namespace fovea::cpu {
namespace {

constexpr size_t alignment = 64;
constexpr size_t mappedFrom = size_t{1} << 20;
// Below this, asking the system how much is left costs more than it is worth.
constexpr size_t checkedFrom = size_t{64} << 20;

class AlignedMemory final : public Memory {
 public:
  AlignedMemory(size_t bytes, std::shared_ptr<MemoryMeter> meter) : bytes_(bytes), meter_(std::move(meter)) {
    if (mapped()) {
      void* address = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      data_ = address == MAP_FAILED ? nullptr : address;
      if (data_) madvise(data_, bytes_, MADV_HUGEPAGE);
    } else {
      data_ = std::aligned_alloc(alignment, (bytes_ + alignment) / alignment * alignment);
    }
    if (data_) meter_->add(bytes_);
  }
  ~AlignedMemory() override {
    if (!data_) return;
    meter_->remove(bytes_);
    if (mapped())
      munmap(data_, bytes_);
    else
      std::free(data_);
  }
  AlignedMemory(const AlignedMemory&) = delete;
  AlignedMemory& operator=(const AlignedMemory&) = delete;

  void* data() const override { return data_; }
  size_t bytes() const override { return bytes_; }

 private:
  bool mapped() const { return bytes_ >= mappedFrom; }

  size_t bytes_;
  std::shared_ptr<MemoryMeter> meter_;
  void* data_ = nullptr;
};

Error outOfMemory(size_t bytes, size_t available) {
  return Error("OUT_OF_MEMORY",
               "Out of memory: " + std::to_string(bytes) + " bytes asked for, " + std::to_string(available) +
                   " available",
               "memory", std::to_string(available), std::to_string(bytes));
}

}  // namespace

std::shared_ptr<Memory> allocateAligned(size_t bytes, std::shared_ptr<MemoryMeter> meter) {
  if (bytes >= checkedFrom) {
    const size_t available = availableMemory();
    if (bytes > available) throw outOfMemory(bytes, available);
  }
  auto memory = std::make_shared<AlignedMemory>(bytes, std::move(meter));
  if (!memory->data()) throw outOfMemory(bytes, availableMemory());
  return memory;
}

}  // namespace fovea::cpu

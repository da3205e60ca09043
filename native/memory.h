#pragma once
#include <atomic>
#include <cstddef>
#include <memory>

namespace fovea {

// Live and peak bytes of one device.
class MemoryMeter {
 public:
  void add(size_t bytes) {
    const size_t now = live_ += bytes;
    size_t seen = peak_;
    while (now > seen && !peak_.compare_exchange_weak(seen, now)) {
    }
  }
  void remove(size_t bytes) { live_ -= bytes; }
  size_t live() const { return live_; }
  size_t peak() const { return peak_; }

 private:
  std::atomic<size_t> live_{0}, peak_{0};
};

// A block of device memory that is freed with its owner.
class Memory {
 public:
  virtual ~Memory() = default;
  virtual void* data() const = 0;
  virtual size_t bytes() const = 0;

  // Contents that can be had again from elsewhere are there, at the same address, between a `fetch` and its
  // `drop`; others always are.
  virtual void fetch() {}
  virtual void drop() {}
  // Contents are about to be written: from now on they are there always.
  virtual void keep() {}
};

// Has a memory's contents there as long as it lives.
class Fetched {
 public:
  explicit Fetched(std::shared_ptr<Memory> memory) : memory_(std::move(memory)) { memory_->fetch(); }
  ~Fetched() {
    if (memory_) memory_->drop();
  }
  Fetched(Fetched&&) noexcept = default;
  Fetched& operator=(Fetched&&) = delete;

 private:
  std::shared_ptr<Memory> memory_;
};

}  // namespace fovea

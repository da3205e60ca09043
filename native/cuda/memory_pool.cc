#include "memory_pool.h"

#include "status.h"

namespace fovea::cuda {
namespace {

constexpr size_t mebibyte = size_t{1} << 20;

// Blocks of about one size serve each other.
size_t rounded(size_t bytes) {
  const size_t unit = bytes <= mebibyte ? 512 : 2 * mebibyte;
  return std::max((bytes + unit - 1) / unit * unit, unit);
}

// No block is given to one that would leave more than a quarter of it unused.
bool fits(size_t block, size_t bytes) { return block - bytes <= block / 4 || block <= 4096; }

// What is kept at most: beyond that, memory goes back to the GPU at once.
constexpr size_t mostKept = size_t{2} << 30;

}  // namespace

class MemoryPool::Block final : public Memory {
 public:
  Block(std::shared_ptr<MemoryPool> pool, void* address, size_t bytes, size_t size)
      : pool_(std::move(pool)), address_(address), bytes_(bytes), size_(size) {
    pool_->meter_->add(bytes_);
  }
  ~Block() override {
    pool_->meter_->remove(bytes_);
    pool_->giveBack(address_, size_);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  void* data() const override { return address_; }
  size_t bytes() const override { return bytes_; }

 private:
  std::shared_ptr<MemoryPool> pool_;
  void* address_;
  size_t bytes_, size_;
};

MemoryPool::MemoryPool(std::shared_ptr<const Libraries> libraries, int device,
                       std::shared_ptr<MemoryMeter> meter)
    : libraries_(std::move(libraries)), device_(device), meter_(std::move(meter)) {}

MemoryPool::~MemoryPool() { release(std::move(free_)); }

std::shared_ptr<Memory> MemoryPool::allocate(size_t bytes) {
  size_t size = rounded(bytes);
  void* address = take(size);
  try {
    return std::make_shared<Block>(shared_from_this(), address, bytes, size);
  } catch (...) {
    giveBack(address, size);
    throw;
  }
}

// `size` becomes that of the block.
void* MemoryPool::take(size_t& size) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = free_.lower_bound(size);
    if (found != free_.end() && fits(found->first, size)) {
      size = found->first;
      void* address = found->second;
      free_.erase(found);
      kept_ -= size;
      return address;
    }
  }
  void* address = nullptr;
  cudaError_t status = libraries_->runtime.cudaMalloc(&address, size);
  if (status == cudaErrorMemoryAllocation) {
    libraries_->runtime.cudaGetLastError();  // or a later call would report it
    trim();
    status = libraries_->runtime.cudaMalloc(&address, size);
  }
  if (status == cudaErrorMemoryAllocation) {
    libraries_->runtime.cudaGetLastError();
    throw outOfMemory(*libraries_, "cudaMalloc", size, meter_->live());
  }
  check(*libraries_, status, "cudaMalloc");
  return address;
}

void MemoryPool::giveBack(void* address, size_t bytes) {
  std::multimap<size_t, void*> tooMuch;
  {
    const std::lock_guard lock(mutex_);
    free_.emplace(bytes, address);
    kept_ += bytes;
    if (kept_ > mostKept) {
      tooMuch.swap(free_);
      kept_ = 0;
    }
  }
  release(std::move(tooMuch));
}

void MemoryPool::trim() {
  std::multimap<size_t, void*> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(free_);
    kept_ = 0;
  }
  release(std::move(all));
}

size_t MemoryPool::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_;
}

// On any thread, which gets its own GPU back.
void MemoryPool::release(std::multimap<size_t, void*> blocks) {
  if (blocks.empty()) return;
  const UsingDevice use(*libraries_, device_);
  for (const auto& [size, address] : blocks) libraries_->runtime.cudaFree(address);
}

UsingDevice::UsingDevice(const Libraries& libraries, int device) : libraries_(libraries) {
  if (libraries_.runtime.cudaGetDevice(&before_) != cudaSuccess) before_ = device;
  if (before_ == device)
    before_ = -1;
  else
    libraries_.runtime.cudaSetDevice(device);
}

UsingDevice::~UsingDevice() {
  if (before_ >= 0) libraries_.runtime.cudaSetDevice(before_);
}

}  // namespace fovea::cuda

#pragma once
#include <map>
#include <memory>
#include <mutex>

#include "libraries.h"
#include "memory.h"

namespace fovea::cuda {

// Makes a GPU the calling thread's for as long as this lives; for threads that are not the device's own.
class UsingDevice {
 public:
  UsingDevice(const Libraries& libraries, int device);
  ~UsingDevice();
  UsingDevice(const UsingDevice&) = delete;
  UsingDevice& operator=(const UsingDevice&) = delete;

 private:
  const Libraries& libraries_;
  int before_ = -1;
};

// Device memory of one GPU for one device object. What is given back is kept for the next that asks for about
// as much; when the GPU has no more, everything kept is returned to it before anybody is told so. Blocks may
// be given back on any thread, once no work that was enqueued uses them.
class MemoryPool : public std::enable_shared_from_this<MemoryPool> {
 public:
  MemoryPool(std::shared_ptr<const Libraries> libraries, int device, std::shared_ptr<MemoryMeter> meter);
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  // Throws OUT_OF_MEMORY with the bytes that live and that were asked for.
  std::shared_ptr<Memory> allocate(size_t bytes);
  // Returns what nobody uses to the GPU.
  void trim();

  size_t kept() const;

 private:
  class Block;
  void* take(size_t& size);
  void giveBack(void* address, size_t bytes);
  void release(std::multimap<size_t, void*> blocks);

  std::shared_ptr<const Libraries> libraries_;
  int device_;
  std::shared_ptr<MemoryMeter> meter_;
  mutable std::mutex mutex_;
  std::multimap<size_t, void*> free_;  // by size
  size_t kept_ = 0;
};

}  // namespace fovea::cuda

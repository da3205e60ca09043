#pragma once
#include <array>
#include <memory>

#include "context.h"

namespace fovea::cuda {

// Copies between the host and the GPU by way of two pinned buffers: while one is on its way, the other is
// filled or emptied. From the device's own thread.
class Transfer {
 public:
  explicit Transfer(std::shared_ptr<const Context> context) : context_(std::move(context)) {}
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Returns when `from` is read; the copy is done before whatever is enqueued next.
  void upload(void* to, const void* from, size_t bytes);
  void download(void* to, const void* from, size_t bytes);

 private:
  struct Buffer {
    void* data = nullptr;
    cudaEvent_t free = nullptr;  // recorded behind the last copy from or to it
  };
  void open();
  void wait(const Buffer& buffer) const;

  std::shared_ptr<const Context> context_;
  std::array<Buffer, 2> buffers_;
};

}  // namespace fovea::cuda

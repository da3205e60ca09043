#pragma once
#include <memory>

#include "backend.h"
#include "context.h"

namespace fovea::cuda {

// Pinned memory on the host, and as much on the GPU, where data waits until the run before is through with
// what it will take the place of.
class DeviceStaging final : public Staging {
 public:
  DeviceStaging(std::shared_ptr<const Context> context, size_t bytes);
  // Waits for a copy that is under way.
  ~DeviceStaging() override;
  DeviceStaging(const DeviceStaging&) = delete;
  DeviceStaging& operator=(const DeviceStaging&) = delete;

  void* data() const override { return host_; }
  void send() override;
  void deliver(void* to) override;

 private:
  explicit DeviceStaging(std::shared_ptr<const Context> context) : context_(std::move(context)) {}

  std::shared_ptr<const Context> context_;
  std::shared_ptr<Memory> device_;
  void* host_ = nullptr;
  cudaEvent_t sent_ = nullptr;  // recorded behind the copy to the GPU
};

}  // namespace fovea::cuda

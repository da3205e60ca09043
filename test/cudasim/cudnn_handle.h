#pragma once
#include <functional>

#include "queue.h"
#include "tensor.h"

namespace cudasim {

struct CudnnHandle {
  int device;
  cudaStream_t stream = nullptr;
};

// Throws a Refusal for an unknown one.
std::shared_ptr<CudnnHandle> cudnnHandle(cudnnHandle_t handle);

// Puts work into the handle's stream. The body throws a Refusal for what is wrong only by then.
void enqueueFor(cudnnHandle_t handle, const char* call, std::function<void()> body);

}  // namespace cudasim

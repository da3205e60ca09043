#include "staging.h"

#include "status.h"

namespace fovea::cuda {

DeviceStaging::DeviceStaging(std::shared_ptr<const Context> context, size_t bytes)
    : DeviceStaging(std::move(context)) {
  const UsingDevice use(*context_->libraries, context_->device);
  device_ = context_->pool->allocate(bytes);
  FOVEA_CUDA_CALL(*context_->libraries, runtime, cudaMallocHost, &host_, bytes);
  FOVEA_CUDA_CALL(*context_->libraries, runtime, cudaEventCreateWithFlags, &sent_, cudaEventDisableTiming);
}

DeviceStaging::~DeviceStaging() {
  const RuntimeTable& runtime = context_->libraries->runtime;
  const UsingDevice use(*context_->libraries, context_->device);
  if (sent_) {
    runtime.cudaEventSynchronize(sent_);
    runtime.cudaEventDestroy(sent_);
  }
  if (host_) runtime.cudaFreeHost(host_);
}

void DeviceStaging::send() {
  const Libraries& libraries = *context_->libraries;
  const UsingDevice use(libraries, context_->device);
  FOVEA_CUDA_CALL(libraries, runtime, cudaMemcpyAsync, device_->data(), host_, device_->bytes(),
                  cudaMemcpyHostToDevice, context_->uploads);
  FOVEA_CUDA_CALL(libraries, runtime, cudaEventRecord, sent_, context_->uploads);
}

void DeviceStaging::deliver(void* to) {
  const Libraries& libraries = *context_->libraries;
  FOVEA_CUDA_CALL(libraries, runtime, cudaStreamWaitEvent, context_->stream, sent_, 0);
  FOVEA_CUDA_CALL(libraries, runtime, cudaMemcpyAsync, to, device_->data(), device_->bytes(),
                  cudaMemcpyDeviceToDevice, context_->stream);
}

}  // namespace fovea::cuda

#include "transfer.h"

#include <algorithm>
#include <cstring>

#include "status.h"

namespace fovea::cuda {
namespace {

constexpr size_t bufferBytes = size_t{4} << 20;

}  // namespace

Transfer::~Transfer() {
  const RuntimeTable& runtime = context_->libraries->runtime;
  const UsingDevice use(*context_->libraries, context_->device);
  for (const Buffer& buffer : buffers_) {
    if (buffer.free) {
      runtime.cudaEventSynchronize(buffer.free);
      runtime.cudaEventDestroy(buffer.free);
    }
    if (buffer.data) runtime.cudaFreeHost(buffer.data);
  }
}

void Transfer::open() {
  for (Buffer& buffer : buffers_) {
    if (!buffer.data)
      FOVEA_CUDA_CALL(*context_->libraries, runtime, cudaMallocHost, &buffer.data, bufferBytes);
    if (!buffer.free)
      FOVEA_CUDA_CALL(*context_->libraries, runtime, cudaEventCreateWithFlags, &buffer.free,
                      cudaEventDisableTiming);
  }
}

void Transfer::wait(const Buffer& buffer) const {
  FOVEA_CUDA_CALL(*context_->libraries, runtime, cudaEventSynchronize, buffer.free);
}

void Transfer::upload(void* to, const void* from, size_t bytes) {
  open();
  const Libraries& libraries = *context_->libraries;
  for (size_t begin = 0, turn = 0; begin < bytes; begin += bufferBytes, ++turn) {
    const Buffer& buffer = buffers_[turn % buffers_.size()];
    const size_t part = std::min(bufferBytes, bytes - begin);
    wait(buffer);
    std::memcpy(buffer.data, static_cast<const std::byte*>(from) + begin, part);
    FOVEA_CUDA_CALL(libraries, runtime, cudaMemcpyAsync, static_cast<std::byte*>(to) + begin, buffer.data,
                    part, cudaMemcpyHostToDevice, context_->stream);
    FOVEA_CUDA_CALL(libraries, runtime, cudaEventRecord, buffer.free, context_->stream);
  }
}

void Transfer::download(void* to, const void* from, size_t bytes) {
  open();
  const Libraries& libraries = *context_->libraries;
  const size_t parts = (bytes + bufferBytes - 1) / bufferBytes;
  const auto sizeOfPart = [&](size_t part) { return std::min(bufferBytes, bytes - part * bufferBytes); };
  const auto start = [&](size_t part) {
    const Buffer& buffer = buffers_[part % buffers_.size()];
    FOVEA_CUDA_CALL(libraries, runtime, cudaMemcpyAsync, buffer.data,
                    static_cast<const std::byte*>(from) + part * bufferBytes, sizeOfPart(part),
                    cudaMemcpyDeviceToHost, context_->stream);
    FOVEA_CUDA_CALL(libraries, runtime, cudaEventRecord, buffer.free, context_->stream);
  };
  for (size_t part = 0; part < std::min(parts, buffers_.size()); ++part) start(part);
  for (size_t part = 0; part < parts; ++part) {
    const Buffer& buffer = buffers_[part % buffers_.size()];
    wait(buffer);
    std::memcpy(static_cast<std::byte*>(to) + part * bufferBytes, buffer.data, sizeOfPart(part));
    if (part + buffers_.size() < parts) start(part + buffers_.size());
  }
}

}  // namespace fovea::cuda

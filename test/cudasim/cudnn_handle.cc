// cuDNN's calls about versions, errors and handles.
#include "cudnn_handle.h"

#include "device.h"

namespace cudasim {
namespace {

Registry<CudnnHandle, cudnnHandle_t>& handles() {
  static auto& registry =
      *std::make_unique<Registry<CudnnHandle, cudnnHandle_t>>(Slot::cudnnHandles).release();
  return registry;
}

}  // namespace

std::shared_ptr<CudnnHandle> cudnnHandle(cudnnHandle_t handle) {
  auto found = handles().find(handle);
  require(found != nullptr, CUDNN_STATUS_NOT_INITIALIZED, "unknown handle");
  return found;
}

void enqueueFor(cudnnHandle_t handle, const char* call, std::function<void()> body) {
  const auto owner = cudnnHandle(handle);
  const auto stream = streamOf(owner->stream);
  require(stream != nullptr, CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH, "the handle's stream is gone");
  require(stream->device == owner->device, CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH,
          "handle and stream of two devices");
  const cudaError_t error = enqueue(*stream, [call, body = std::move(body)] {
    try {
      body();
      return cudaSuccess;
    } catch (const Refusal& refusal) {
      complain(call, refusal.what());
      return cudaErrorIllegalAddress;
    }
  });
  require(error == cudaSuccess, CUDNN_STATUS_EXECUTION_FAILED,
          "the device is in error " + std::to_string(error));
}

}  // namespace cudasim

using namespace cudasim;

extern "C" {

size_t cudnnGetVersion() {
  CUDASIM_TELL(cudnnGetVersion);
  return cudnnVersion();
}

size_t cudnnGetCudartVersion() {
  CUDASIM_TELL(cudnnGetCudartVersion);
  return static_cast<size_t>(runtimeVersion());
}

const char* cudnnGetErrorString(cudnnStatus_t status) {
  CUDASIM_TELL(cudnnGetErrorString);
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_INITIALIZED:
      return "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_EXECUTION_FAILED:
      return "CUDNN_STATUS_EXECUTION_FAILED";
    case CUDNN_STATUS_INTERNAL_ERROR:
      return "CUDNN_STATUS_INTERNAL_ERROR";
    default:
      return "an error of the simulated cuDNN";
  }
}

void cudnnGetLastErrorString(char* message, size_t most) {
  CUDASIM_TELL(cudnnGetLastErrorString);
  if (!message || most == 0) return;
  std::strncpy(message, lastComplaint().c_str(), most);
  message[most - 1] = '\0';
}

cudnnStatus_t cudnnGraphVersionCheck() {
  CUDASIM_ENTER(cudnnGraphVersionCheck, CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnOpsVersionCheck() {
  CUDASIM_ENTER(cudnnOpsVersionCheck, CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCnnVersionCheck() {
  CUDASIM_ENTER(cudnnCnnVersionCheck, CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  CUDASIM_ENTER(cudnnCreate, CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
  return guarded("cudnnCreate", [&] {
    require(handle != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no place for the handle");
    require(deviceCount() > 0 && driverVersion() / 1000 >= runtimeVersion() / 1000,
            CUDNN_STATUS_NOT_INITIALIZED, "no device, or a driver that is too old");
    require(refuseInCapture("cudnnCreate") == cudaSuccess, CUDNN_STATUS_INTERNAL_ERROR, "in a capture");
    *handle = handles().add(std::make_shared<CudnnHandle>(CudnnHandle{currentDevice()}));
  });
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  CUDASIM_LEAVE(cudnnDestroy);
  const cudnnStatus_t status = guarded("cudnnDestroy", [&] {
    const int device = cudnnHandle(handle)->device;
    drainDevice(device);
    handles().remove(handle);
  });
  return injected ? CUDNN_STATUS_INTERNAL_ERROR : status;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  CUDASIM_ENTER(cudnnSetStream, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnSetStream", [&] {
    require(streamOf(stream) != nullptr, CUDNN_STATUS_BAD_PARAM, "unknown stream");
    cudnnHandle(handle)->stream = stream;
  });
}

}  // extern "C"

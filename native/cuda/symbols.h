#pragma once
#include "api/cublas.h"
#include "api/cudnn.h"
#include "api/driver.h"
#include "api/nvrtc.h"

// All functions that fovea takes from NVIDIA's libraries when it finds them, a list a library. The names are
// those that the libraries export: macros of NVIDIA's headers such as cublasCreate stand for other ones.

#define FOVEA_CUDA_DRIVER(X)      \
  X(cuInit)                       \
  X(cuDriverGetVersion)           \
  X(cuGetErrorName)               \
  X(cuGetErrorString)             \
  X(cuDeviceGetCount)             \
  X(cuDeviceGet)                  \
  X(cuDeviceGetName)              \
  X(cuDeviceGetAttribute)         \
  X(cuDeviceTotalMem_v2)          \
  X(cuDevicePrimaryCtxRetain)     \
  X(cuDevicePrimaryCtxRelease_v2) \
  X(cuCtxPushCurrent_v2)          \
  X(cuCtxPopCurrent_v2)           \
  X(cuMemGetInfo_v2)              \
  X(cuModuleLoadData)             \
  X(cuModuleUnload)               \
  X(cuModuleGetFunction)          \
  X(cuLaunchKernel)

#define FOVEA_CUDA_RUNTIME(X)      \
  X(cudaRuntimeGetVersion)         \
  X(cudaGetLastError)              \
  X(cudaGetErrorName)              \
  X(cudaGetErrorString)            \
  X(cudaGetDeviceCount)            \
  X(cudaGetDevice)                 \
  X(cudaSetDevice)                 \
  X(cudaDeviceGetAttribute)        \
  X(cudaMemGetInfo)                \
  X(cudaMalloc)                    \
  X(cudaFree)                      \
  X(cudaMallocHost)                \
  X(cudaFreeHost)                  \
  X(cudaMemcpyAsync)               \
  X(cudaMemsetAsync)               \
  X(cudaStreamCreateWithFlags)     \
  X(cudaStreamDestroy)             \
  X(cudaStreamSynchronize)         \
  X(cudaStreamQuery)               \
  X(cudaStreamWaitEvent)           \
  X(cudaLaunchHostFunc)            \
  X(cudaEventCreateWithFlags)      \
  X(cudaEventDestroy)              \
  X(cudaEventRecord)               \
  X(cudaEventQuery)                \
  X(cudaEventSynchronize)          \
  X(cudaEventElapsedTime)          \
  X(cudaStreamBeginCapture)        \
  X(cudaStreamEndCapture)          \
  X(cudaGraphInstantiateWithFlags) \
  X(cudaGraphGetNodes)             \
  X(cudaGraphLaunch)               \
  X(cudaGraphExecDestroy)          \
  X(cudaGraphDestroy)

#define FOVEA_CUDA_CUDNN(X)        \
  X(cudnnGetVersion)               \
  X(cudnnGetCudartVersion)         \
  X(cudnnGetErrorString)           \
  X(cudnnGetLastErrorString)       \
  X(cudnnGraphVersionCheck)        \
  X(cudnnOpsVersionCheck)          \
  X(cudnnCnnVersionCheck)          \
  X(cudnnCreate)                   \
  X(cudnnDestroy)                  \
  X(cudnnSetStream)                \
  X(cudnnBackendCreateDescriptor)  \
  X(cudnnBackendDestroyDescriptor) \
  X(cudnnBackendFinalize)          \
  X(cudnnBackendSetAttribute)      \
  X(cudnnBackendGetAttribute)      \
  X(cudnnBackendExecute)           \
  X(cudnnCreateTensorDescriptor)   \
  X(cudnnDestroyTensorDescriptor)  \
  X(cudnnSetTensor4dDescriptor)    \
  X(cudnnSoftmaxForward)           \
  X(cudnnSoftmaxBackward)

#define FOVEA_CUDA_CUBLAS(X) \
  X(cublasGetStatusString)   \
  X(cublasCreate_v2)         \
  X(cublasDestroy_v2)        \
  X(cublasSetStream_v2)      \
  X(cublasSetMathMode)       \
  X(cublasSetWorkspace_v2)   \
  X(cublasGemmEx)

#define FOVEA_CUDA_NVRTC(X) \
  X(nvrtcVersion)           \
  X(nvrtcGetErrorString)    \
  X(nvrtcCreateProgram)     \
  X(nvrtcDestroyProgram)    \
  X(nvrtcCompileProgram)    \
  X(nvrtcGetCUBINSize)      \
  X(nvrtcGetCUBIN)          \
  X(nvrtcGetProgramLogSize) \
  X(nvrtcGetProgramLog)

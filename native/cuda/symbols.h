#pragma once
#include "api/cublas.h"
#include "api/cudnn.h"
#include "api/driver.h"
#include "api/nvrtc.h"

// All functions that fovea takes from NVIDIA's libraries when it finds them, a list a library. The names are
// those that the libraries export: macros of NVIDIA's headers such as cublasCreate stand for other ones.

#define FOVEA_CUDA_DRIVER(X)                     \
  X(cuInit)                                      \
  X(cuDriverGetVersion)                          \
  X(cuGetErrorName)                              \
  X(cuGetErrorString)                            \
  X(cuDeviceGetCount)                            \
  X(cuDeviceGet)                                 \
  X(cuDeviceGetName)                             \
  X(cuDeviceGetAttribute)                        \
  X(cuDeviceTotalMem_v2)                         \
  X(cuDevicePrimaryCtxRetain)                    \
  X(cuDevicePrimaryCtxRelease_v2)                \
  X(cuCtxPushCurrent_v2)                         \
  X(cuCtxPopCurrent_v2)                          \
  X(cuMemGetInfo_v2)                             \
  X(cuModuleLoadData)                            \
  X(cuModuleUnload)                              \
  X(cuModuleGetFunction)                         \
  X(cuFuncSetAttribute)                          \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor) \
  X(cuLaunchKernel)

#define FOVEA_CUDA_RUNTIME(X)      \
  X(cudaRuntimeGetVersion)         \
  X(cudaDriverGetVersion)          \
  X(cudaGetLastError)              \
  X(cudaPeekAtLastError)           \
  X(cudaGetErrorName)              \
  X(cudaGetErrorString)            \
  X(cudaGetDeviceCount)            \
  X(cudaGetDevice)                 \
  X(cudaSetDevice)                 \
  X(cudaDeviceGetAttribute)        \
  X(cudaDeviceSynchronize)         \
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
  X(cudaStreamIsCapturing)         \
  X(cudaGraphInstantiateWithFlags) \
  X(cudaGraphGetNodes)             \
  X(cudaGraphUpload)               \
  X(cudaGraphLaunch)               \
  X(cudaGraphExecDestroy)          \
  X(cudaGraphDestroy)

#define FOVEA_CUDA_CUDNN(X)                                   \
  X(cudnnGetVersion)                                          \
  X(cudnnGetCudartVersion)                                    \
  X(cudnnGetErrorString)                                      \
  X(cudnnGetLastErrorString)                                  \
  X(cudnnGraphVersionCheck)                                   \
  X(cudnnOpsVersionCheck)                                     \
  X(cudnnCnnVersionCheck)                                     \
  X(cudnnCreate)                                              \
  X(cudnnDestroy)                                             \
  X(cudnnSetStream)                                           \
  X(cudnnBackendCreateDescriptor)                             \
  X(cudnnBackendDestroyDescriptor)                            \
  X(cudnnBackendFinalize)                                     \
  X(cudnnBackendSetAttribute)                                 \
  X(cudnnBackendGetAttribute)                                 \
  X(cudnnBackendExecute)                                      \
  X(cudnnCreateTensorDescriptor)                              \
  X(cudnnDestroyTensorDescriptor)                             \
  X(cudnnSetTensor4dDescriptor)                               \
  X(cudnnSetTensor4dDescriptorEx)                             \
  X(cudnnSetTensorNdDescriptor)                               \
  X(cudnnSetTensor)                                           \
  X(cudnnScaleTensor)                                         \
  X(cudnnTransformTensor)                                     \
  X(cudnnAddTensor)                                           \
  X(cudnnCreateOpTensorDescriptor)                            \
  X(cudnnDestroyOpTensorDescriptor)                           \
  X(cudnnSetOpTensorDescriptor)                               \
  X(cudnnOpTensor)                                            \
  X(cudnnCreateReduceTensorDescriptor)                        \
  X(cudnnDestroyReduceTensorDescriptor)                       \
  X(cudnnSetReduceTensorDescriptor)                           \
  X(cudnnGetReductionWorkspaceSize)                           \
  X(cudnnReduceTensor)                                        \
  X(cudnnSoftmaxForward)                                      \
  X(cudnnSoftmaxBackward)                                     \
  X(cudnnCreatePoolingDescriptor)                             \
  X(cudnnDestroyPoolingDescriptor)                            \
  X(cudnnSetPooling2dDescriptor)                              \
  X(cudnnPoolingForward)                                      \
  X(cudnnPoolingBackward)                                     \
  X(cudnnCreateActivationDescriptor)                          \
  X(cudnnDestroyActivationDescriptor)                         \
  X(cudnnSetActivationDescriptor)                             \
  X(cudnnActivationForward)                                   \
  X(cudnnActivationBackward)                                  \
  X(cudnnCreateLRNDescriptor)                                 \
  X(cudnnDestroyLRNDescriptor)                                \
  X(cudnnSetLRNDescriptor)                                    \
  X(cudnnLRNCrossChannelForward)                              \
  X(cudnnLRNCrossChannelBackward)                             \
  X(cudnnDeriveBNTensorDescriptor)                            \
  X(cudnnBatchNormalizationForwardInference)                  \
  X(cudnnBatchNormalizationForwardTraining)                   \
  X(cudnnBatchNormalizationBackward)                          \
  X(cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize) \
  X(cudnnGetBatchNormalizationBackwardExWorkspaceSize)        \
  X(cudnnGetBatchNormalizationTrainingExReserveSpaceSize)     \
  X(cudnnBatchNormalizationForwardTrainingEx)                 \
  X(cudnnBatchNormalizationBackwardEx)

#define FOVEA_CUDA_CUBLAS(X) \
  X(cublasGetStatusString)   \
  X(cublasCreate_v2)         \
  X(cublasDestroy_v2)        \
  X(cublasGetVersion_v2)     \
  X(cublasSetStream_v2)      \
  X(cublasSetPointerMode_v2) \
  X(cublasSetAtomicsMode)    \
  X(cublasSetMathMode)       \
  X(cublasSetWorkspace_v2)   \
  X(cublasGemmEx)            \
  X(cublasGemmStridedBatchedEx)

#define FOVEA_CUDA_NVRTC(X)    \
  X(nvrtcVersion)              \
  X(nvrtcGetErrorString)       \
  X(nvrtcGetNumSupportedArchs) \
  X(nvrtcGetSupportedArchs)    \
  X(nvrtcCreateProgram)        \
  X(nvrtcDestroyProgram)       \
  X(nvrtcCompileProgram)       \
  X(nvrtcGetCUBINSize)         \
  X(nvrtcGetCUBIN)             \
  X(nvrtcGetProgramLogSize)    \
  X(nvrtcGetProgramLog)

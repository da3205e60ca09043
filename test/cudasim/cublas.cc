// cuBLAS: matrices lie column by column.
#include "device.h"
#include "memory.h"
#include "queue.h"
#include "tensor.h"

namespace cudasim {
namespace {

struct CublasHandle {
  int device;
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
};

Registry<CublasHandle, cublasHandle_t>& handles() {
  static auto& registry =
      *std::make_unique<Registry<CublasHandle, cublasHandle_t>>(Slot::cublasHandles).release();
  return registry;
}

cublasStatus_t refuse(const char* call, cublasStatus_t status, const std::string& why) {
  complain(call, why);
  return status;
}

struct Matrix {
  const void* data;
  cudnnDataType_t type;
  int64_t rows, columns, leading, batchStride;
  bool transposed;

  TensorSpan span(int64_t count) const { return {type, {count, columns, rows}, {batchStride, leading, 1}}; }
};

bool convert(cudaDataType type, cudnnDataType_t* to) {
  switch (type) {
    case CUDA_R_32F:
      *to = CUDNN_DATA_FLOAT;
      return true;
    case CUDA_R_64F:
      *to = CUDNN_DATA_DOUBLE;
      return true;
    case CUDA_R_16F:
      *to = CUDNN_DATA_HALF;
      return true;
    case CUDA_R_16BF:
      *to = CUDNN_DATA_BFLOAT16;
      return true;
  }
  return false;
}

struct Product {
  Matrix a, b, c;
  int64_t m, n, k, count;
  double alpha, beta;
  bool tf32;
};

// What does not fit; empty where all does.
std::string wrong(const Product& product) {
  const auto check = [&](const Matrix& matrix, const char* name) -> std::string {
    const TensorSpan span = matrix.span(product.count);
    if (matrix.leading < std::max<int64_t>(matrix.rows, 1))
      return std::string("leading dimension of ") + name;
    if (!matrix.data || !deviceMemory().covers(matrix.data, span.bytes()))
      return std::string(name) + " does not lie inside device memory: " + spell(span);
    if (reinterpret_cast<uintptr_t>(matrix.data) % sizeOf(matrix.type) != 0)
      return std::string(name) + " is misaligned";
    return {};
  };
  for (const auto& [matrix, name] :
       {std::pair(product.a, "a"), std::pair(product.b, "b"), std::pair(product.c, "c")})
    if (std::string why = check(matrix, name); !why.empty()) return why;
  return {};
}

void multiply(const Product& product) {
  const auto& [a, b, c, m, n, k, count, alpha, beta, tf32] = product;
  std::vector<double> left = gather(a.span(count), a.data), right = gather(b.span(count), b.data);
  if (tf32)
    for (auto* values : {&left, &right})
      for (double& value : *values) value = roundedToTf32(value);
  std::vector<double> result(static_cast<size_t>(count * m * n));
  for (int64_t batch = 0; batch < count; ++batch) {
    const double *l = left.data() + batch * m * k, *r = right.data() + batch * k * n;
    double* to = result.data() + batch * m * n;
    for (int64_t column = 0; column < n; ++column)
      for (int64_t i = 0; i < k; ++i) {
        const double factor = b.transposed ? r[i * n + column] : r[column * k + i];
        for (int64_t row = 0; row < m; ++row)
          to[column * m + row] += factor * (a.transposed ? l[row * k + i] : l[i * m + row]);
      }
  }
  blend(c.span(count), const_cast<void*>(c.data), std::move(result), alpha, beta);
}

double scalar(const void* pointer, cublasComputeType_t compute) {
  if (compute == CUBLAS_COMPUTE_64F) return *static_cast<const double*>(pointer);
  if (compute == CUBLAS_COMPUTE_16F) return *static_cast<const Half*>(pointer);
  return *static_cast<const float*>(pointer);
}

cublasStatus_t enqueueProduct(const char* call, const CublasHandle& handle, Product product,
                              cublasComputeType_t compute) {
  const auto stream = streamOf(handle.stream);
  if (!stream || stream->device != handle.device)
    return refuse(call, CUBLAS_STATUS_INVALID_VALUE, "the handle's stream is gone, or of another device");
  if (product.m < 0 || product.n < 0 || product.k < 0 || product.count < 0)
    return refuse(call, CUBLAS_STATUS_INVALID_VALUE, "negative dimensions");
  if (product.m == 0 || product.n == 0 || product.count == 0) return CUBLAS_STATUS_SUCCESS;
  const bool types = product.a.type == product.b.type &&
                     (product.c.type == product.a.type ||
                      (product.c.type == CUDNN_DATA_FLOAT && sizeOf(product.a.type) == 2)) &&
                     (compute == CUBLAS_COMPUTE_64F) == (product.a.type == CUDNN_DATA_DOUBLE) &&
                     (compute != CUBLAS_COMPUTE_16F || product.c.type == CUDNN_DATA_HALF);
  if (!types) return refuse(call, CUBLAS_STATUS_NOT_SUPPORTED, "this combination of types");
  if (const std::string why = wrong(product); !why.empty())
    return refuse(call, CUBLAS_STATUS_INVALID_VALUE, why);
  product.tf32 = product.a.type == CUDNN_DATA_FLOAT && compute != CUBLAS_COMPUTE_32F_PEDANTIC &&
                 (compute == CUBLAS_COMPUTE_32F_FAST_TF32 || handle.math == CUBLAS_TF32_TENSOR_OP_MATH);
  const cudaError_t error = enqueue(*stream, [call, product] {
    if (const std::string why = wrong(product); !why.empty()) {
      complain(call, why);
      return cudaErrorIllegalAddress;
    }
    multiply(product);
    return cudaSuccess;
  });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace
}  // namespace cudasim

using namespace cudasim;

extern "C" {

const char* cublasGetStatusString(cublasStatus_t status) {
  CUDASIM_TELL(cublasGetStatusString);
  return status == CUBLAS_STATUS_SUCCESS ? "success" : "an error of the simulated cuBLAS";
}

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  CUDASIM_ENTER(cublasCreate_v2, CUBLAS_STATUS_ALLOC_FAILED);
  if (deviceCount() == 0 || driverVersion() / 1000 < runtimeVersion() / 1000)
    return CUBLAS_STATUS_NOT_INITIALIZED;
  if (refuseInCapture("cublasCreate_v2") != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = handles().add(std::make_shared<CublasHandle>(CublasHandle{currentDevice()}));
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  CUDASIM_LEAVE(cublasDestroy_v2);
  const auto found = handles().find(handle);
  if (!found) return refuse("cublasDestroy_v2", CUBLAS_STATUS_NOT_INITIALIZED, "unknown handle");
  drainDevice(found->device);
  handles().remove(handle);
  return injected ? CUBLAS_STATUS_INTERNAL_ERROR : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  CUDASIM_ENTER(cublasSetStream_v2, CUBLAS_STATUS_INTERNAL_ERROR);
  const auto found = handles().find(handle);
  if (!found || !streamOf(stream))
    return refuse("cublasSetStream_v2", CUBLAS_STATUS_NOT_INITIALIZED, "unknown handle or stream");
  found->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  CUDASIM_ENTER(cublasSetMathMode, CUBLAS_STATUS_INTERNAL_ERROR);
  const auto found = handles().find(handle);
  if (!found) return refuse("cublasSetMathMode", CUBLAS_STATUS_NOT_INITIALIZED, "unknown handle");
  found->math = static_cast<cublasMath_t>(mode & ~CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t bytes) {
  CUDASIM_ENTER(cublasSetWorkspace_v2, CUBLAS_STATUS_INTERNAL_ERROR);
  if (!handles().find(handle))
    return refuse("cublasSetWorkspace_v2", CUBLAS_STATUS_NOT_INITIALIZED, "unknown handle");
  if (bytes > 0 && !deviceMemory().covers(workspace, bytes))
    return refuse("cublasSetWorkspace_v2", CUBLAS_STATUS_INVALID_VALUE, "the workspace is no device memory");
  if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0)
    return refuse("cublasSetWorkspace_v2", CUBLAS_STATUS_INVALID_VALUE,
                  "the workspace is not aligned to 256 bytes");
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transA, cublasOperation_t transB, int m,
                            int n, int k, const void* alpha, const void* a, cudaDataType aType, int lda,
                            const void* b, cudaDataType bType, int ldb, const void* beta, void* c,
                            cudaDataType cType, int ldc, cublasComputeType_t compute, cublasGemmAlgo_t) {
  CUDASIM_ENTER(cublasGemmEx, CUBLAS_STATUS_EXECUTION_FAILED);
  const auto found = handles().find(handle);
  if (!found) return refuse("cublasGemmEx", CUBLAS_STATUS_NOT_INITIALIZED, "unknown handle");
  Product product{};
  if (!alpha || !beta || !convert(aType, &product.a.type) || !convert(bType, &product.b.type) ||
      !convert(cType, &product.c.type))
    return refuse("cublasGemmEx", CUBLAS_STATUS_INVALID_VALUE, "a null scalar, or an unknown type");
  const bool left = transA != CUBLAS_OP_N, right = transB != CUBLAS_OP_N;
  product.a = {a, product.a.type, left ? k : m, left ? m : k, lda, 0, left};
  product.b = {b, product.b.type, right ? n : k, right ? k : n, ldb, 0, right};
  product.c = {c, product.c.type, m, n, ldc, 0, false};
  product.m = m, product.n = n, product.k = k, product.count = 1;
  product.alpha = scalar(alpha, compute), product.beta = scalar(beta, compute);
  return enqueueProduct("cublasGemmEx", *found, product, compute);
}

}  // extern "C"

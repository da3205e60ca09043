// Tensor descriptors, and what is done element by element.
#include <algorithm>
#include <functional>
#include <limits>

#include "legacy.h"

namespace cudasim {
namespace {

struct DescribedTensor {
  bool set = false;
  TensorSpan span;
};

struct ElementOperation {
  bool set = false;
  cudnnOpTensorOp_t op = CUDNN_OP_TENSOR_ADD;
};

struct Reduction {
  bool set = false;
  cudnnReduceTensorOp_t op = CUDNN_REDUCE_TENSOR_ADD;
};

cudnnStatus_t describe(const char* call, cudnnTensorDescriptor_t descriptor, TensorSpan span) {
  return guarded(call, [&] { setSpan(descriptor, std::move(span)); });
}

double combine(cudnnOpTensorOp_t op, double a, double b) {
  switch (op) {
    case CUDNN_OP_TENSOR_ADD:
      return a + b;
    case CUDNN_OP_TENSOR_MUL:
      return a * b;
    case CUDNN_OP_TENSOR_MIN:
      return std::min(a, b);
    default:
      return std::max(a, b);
  }
}

std::vector<double> reduce(cudnnReduceTensorOp_t op, const Operand& a, const Operand& c) {
  std::vector<double> places(static_cast<size_t>(c.span.count()));
  for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<double>(i);
  const std::vector<double> to = stretch(places, c.span.dims, a.span.dims), from = a.read();
  const double start = op == CUDNN_REDUCE_TENSOR_MUL   ? 1
                       : op == CUDNN_REDUCE_TENSOR_MIN ? std::numeric_limits<double>::infinity()
                       : op == CUDNN_REDUCE_TENSOR_MAX ? -std::numeric_limits<double>::infinity()
                                                       : 0;
  std::vector<double> result(places.size(), start);
  for (size_t i = 0; i < from.size(); ++i) {
    double& sum = result[static_cast<size_t>(to[i])];
    const double x = from[i];
    switch (op) {
      case CUDNN_REDUCE_TENSOR_MUL:
        sum *= x;
        break;
      case CUDNN_REDUCE_TENSOR_MIN:
        sum = std::min(sum, x);
        break;
      case CUDNN_REDUCE_TENSOR_MAX:
        sum = std::max(sum, x);
        break;
      case CUDNN_REDUCE_TENSOR_AMAX:
        sum = std::max(sum, std::fabs(x));
        break;
      case CUDNN_REDUCE_TENSOR_NORM1:
        sum += std::fabs(x);
        break;
      case CUDNN_REDUCE_TENSOR_NORM2:
        sum += x * x;
        break;
      default:
        sum += x;
    }
  }
  for (double& sum : result) {
    if (op == CUDNN_REDUCE_TENSOR_AVG)
      sum *= static_cast<double>(result.size()) / static_cast<double>(from.size());
    if (op == CUDNN_REDUCE_TENSOR_NORM2) sum = std::sqrt(sum);
  }
  return result;
}

}  // namespace

const TensorSpan& spanOf(cudnnTensorDescriptor_t descriptor, const char* name) {
  return descriptionOf<DescribedTensor>(descriptor, name).span;
}

void setSpan(cudnnTensorDescriptor_t descriptor, TensorSpan span) {
  const auto found = described<DescribedTensor, cudnnTensorDescriptor_t>().find(descriptor);
  require(found != nullptr, CUDNN_STATUS_BAD_PARAM, "unknown tensor descriptor");
  require(isKnown(span.type), CUDNN_STATUS_BAD_PARAM, "unknown data type");
  require(span.dims.size() >= 4 && span.dims.size() <= 8, CUDNN_STATUS_BAD_PARAM,
          std::to_string(span.dims.size()) + " dimensions, where 4 to 8 can be");
  for (size_t i = 0; i < span.dims.size(); ++i)
    require(span.dims[i] > 0 && span.strides[i] > 0, CUDNN_STATUS_BAD_PARAM, spell(span));
  require(span.bytes() < (size_t{1} << 31) * sizeOf(span.type), CUDNN_STATUS_NOT_SUPPORTED,
          "more than 2^31 elements");
  *found = {true, std::move(span)};
}

double scalarOf(const void* pointer, const TensorSpan& span, const char* name) {
  require(pointer != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, std::string(name) + " is null");
  require(!deviceMemory().covers(pointer), CUDNN_STATUS_BAD_PARAM, std::string(name) + " lies on the device");
  return span.type == CUDNN_DATA_DOUBLE ? *static_cast<const double*>(pointer)
                                        : *static_cast<const float*>(pointer);
}

}  // namespace cudasim

using namespace cudasim;

extern "C" {

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* descriptor) {
  CUDASIM_ENTER(cudnnCreateTensorDescriptor, CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
  return makeDescriptor<DescribedTensor>("cudnnCreateTensorDescriptor", descriptor);
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) {
  CUDASIM_LEAVE(cudnnDestroyTensorDescriptor);
  return dropDescriptor<DescribedTensor>("cudnnDestroyTensorDescriptor", descriptor, injected);
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t descriptor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
  CUDASIM_ENTER(cudnnSetTensor4dDescriptor, CUDNN_STATUS_INTERNAL_ERROR);
  const int64_t channels = c, height = h, width = w;
  const Dims strides = format == CUDNN_TENSOR_NHWC
                           ? Dims{height * width * channels, 1, width * channels, channels}
                           : Dims{channels * height * width, height * width, width, 1};
  return describe("cudnnSetTensor4dDescriptor", descriptor, {type, {n, c, h, w}, strides});
}

cudnnStatus_t cudnnSetTensor4dDescriptorEx(cudnnTensorDescriptor_t descriptor, cudnnDataType_t type, int n,
                                           int c, int h, int w, int nStride, int cStride, int hStride,
                                           int wStride) {
  CUDASIM_ENTER(cudnnSetTensor4dDescriptorEx, CUDNN_STATUS_INTERNAL_ERROR);
  return describe("cudnnSetTensor4dDescriptorEx", descriptor,
                  {type, {n, c, h, w}, {nStride, cStride, hStride, wStride}});
}

cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t descriptor, cudnnDataType_t type, int rank,
                                         const int dims[], const int strides[]) {
  CUDASIM_ENTER(cudnnSetTensorNdDescriptor, CUDNN_STATUS_INTERNAL_ERROR);
  return describe("cudnnSetTensorNdDescriptor", descriptor,
                  {type, Dims(dims, dims + std::max(rank, 0)), Dims(strides, strides + std::max(rank, 0))});
}

cudnnStatus_t cudnnSetTensor(cudnnHandle_t handle, const cudnnTensorDescriptor_t yDesc, void* y,
                             const void* value) {
  CUDASIM_ENTER(cudnnSetTensor, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnSetTensor", [&] {
    const Operand to(yDesc, y, "y");
    const double number = scalarOf(value, to.span, "value");
    enqueueFor(handle, "cudnnSetTensor", [=] {
      to.check();
      to.write(std::vector<double>(static_cast<size_t>(to.span.count()), number));
    });
  });
}

cudnnStatus_t cudnnScaleTensor(cudnnHandle_t handle, const cudnnTensorDescriptor_t yDesc, void* y,
                               const void* alpha) {
  CUDASIM_ENTER(cudnnScaleTensor, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnScaleTensor", [&] {
    const Operand to(yDesc, y, "y");
    const double factor = scalarOf(alpha, to.span, "alpha");
    enqueueFor(handle, "cudnnScaleTensor", [=] {
      to.check();
      to.write(to.read(), factor);
    });
  });
}

cudnnStatus_t cudnnTransformTensor(cudnnHandle_t handle, const void* alpha,
                                   const cudnnTensorDescriptor_t xDesc, const void* x, const void* beta,
                                   const cudnnTensorDescriptor_t yDesc, void* y) {
  CUDASIM_ENTER(cudnnTransformTensor, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnTransformTensor", [&] {
    const Operand from(xDesc, x, "x"), to(yDesc, y, "y");
    require(from.span.dims == to.span.dims, CUDNN_STATUS_BAD_PARAM,
            spell(from.span.dims) + " and " + spell(to.span.dims));
    const double a = scalarOf(alpha, to.span, "alpha"), b = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnTransformTensor", [=] {
      from.check(), to.check();
      to.write(from.read(), a, b);
    });
  });
}

cudnnStatus_t cudnnAddTensor(cudnnHandle_t handle, const void* alpha, const cudnnTensorDescriptor_t aDesc,
                             const void* a, const void* beta, const cudnnTensorDescriptor_t cDesc, void* c) {
  CUDASIM_ENTER(cudnnAddTensor, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnAddTensor", [&] {
    const Operand from(aDesc, a, "a"), to(cDesc, c, "c");
    require(stretches(from.span.dims, to.span.dims) && to.span.dims.size() <= 5, CUDNN_STATUS_BAD_PARAM,
            spell(from.span.dims) + " cannot be added to " + spell(to.span.dims));
    require(from.span.type == to.span.type, CUDNN_STATUS_NOT_SUPPORTED, "two types");
    const double first = scalarOf(alpha, to.span, "alpha"), second = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnAddTensor", [=] {
      from.check(), to.check();
      to.write(stretch(from.read(), from.span.dims, to.span.dims), first, second);
    });
  });
}

cudnnStatus_t cudnnCreateOpTensorDescriptor(cudnnOpTensorDescriptor_t* descriptor) {
  CUDASIM_ENTER(cudnnCreateOpTensorDescriptor, CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
  return makeDescriptor<ElementOperation>("cudnnCreateOpTensorDescriptor", descriptor);
}

cudnnStatus_t cudnnDestroyOpTensorDescriptor(cudnnOpTensorDescriptor_t descriptor) {
  CUDASIM_LEAVE(cudnnDestroyOpTensorDescriptor);
  return dropDescriptor<ElementOperation>("cudnnDestroyOpTensorDescriptor", descriptor, injected);
}

cudnnStatus_t cudnnSetOpTensorDescriptor(cudnnOpTensorDescriptor_t descriptor, cudnnOpTensorOp_t op,
                                         cudnnDataType_t compute, cudnnNanPropagation_t) {
  CUDASIM_ENTER(cudnnSetOpTensorDescriptor, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnSetOpTensorDescriptor", [&] {
    const auto found = described<ElementOperation, cudnnOpTensorDescriptor_t>().find(descriptor);
    require(found != nullptr, CUDNN_STATUS_BAD_PARAM, "unknown descriptor");
    require(op >= CUDNN_OP_TENSOR_ADD && op <= CUDNN_OP_TENSOR_MAX && isFloating(compute),
            CUDNN_STATUS_BAD_PARAM, "operation or compute type");
    *found = {true, op};
  });
}

cudnnStatus_t cudnnOpTensor(cudnnHandle_t handle, const cudnnOpTensorDescriptor_t op, const void* alpha1,
                            const cudnnTensorDescriptor_t aDesc, const void* a, const void* alpha2,
                            const cudnnTensorDescriptor_t bDesc, const void* b, const void* beta,
                            const cudnnTensorDescriptor_t cDesc, void* c) {
  CUDASIM_ENTER(cudnnOpTensor, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnOpTensor", [&] {
    const auto kind = descriptionOf<ElementOperation>(op, "operation").op;
    const Operand left(aDesc, a, "a"), right(bDesc, b, "b"), to(cDesc, c, "c");
    require(left.span.dims == to.span.dims && stretches(right.span.dims, to.span.dims) &&
                to.span.dims.size() <= 5,
            CUDNN_STATUS_BAD_PARAM,
            spell(left.span.dims) + " and " + spell(right.span.dims) + " to " + spell(to.span.dims));
    const double first = scalarOf(alpha1, to.span, "alpha1"), second = scalarOf(alpha2, to.span, "alpha2"),
                 third = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnOpTensor", [=] {
      left.check(), right.check(), to.check();
      std::vector<double> result = left.read();
      const std::vector<double> other = stretch(right.read(), right.span.dims, to.span.dims);
      for (size_t i = 0; i < result.size(); ++i)
        result[i] = combine(kind, first * result[i], second * other[i]);
      to.write(std::move(result), 1, third);
    });
  });
}

cudnnStatus_t cudnnCreateReduceTensorDescriptor(cudnnReduceTensorDescriptor_t* descriptor) {
  CUDASIM_ENTER(cudnnCreateReduceTensorDescriptor, CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
  return makeDescriptor<Reduction>("cudnnCreateReduceTensorDescriptor", descriptor);
}

cudnnStatus_t cudnnDestroyReduceTensorDescriptor(cudnnReduceTensorDescriptor_t descriptor) {
  CUDASIM_LEAVE(cudnnDestroyReduceTensorDescriptor);
  return dropDescriptor<Reduction>("cudnnDestroyReduceTensorDescriptor", descriptor, injected);
}

cudnnStatus_t cudnnSetReduceTensorDescriptor(cudnnReduceTensorDescriptor_t descriptor,
                                             cudnnReduceTensorOp_t op, cudnnDataType_t compute,
                                             cudnnNanPropagation_t, cudnnReduceTensorIndices_t indices,
                                             cudnnIndicesType_t) {
  CUDASIM_ENTER(cudnnSetReduceTensorDescriptor, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnSetReduceTensorDescriptor", [&] {
    const auto found = described<Reduction, cudnnReduceTensorDescriptor_t>().find(descriptor);
    require(found != nullptr, CUDNN_STATUS_BAD_PARAM, "unknown descriptor");
    require(isFloating(compute), CUDNN_STATUS_BAD_PARAM, "compute type");
    require(indices == CUDNN_REDUCE_TENSOR_NO_INDICES, CUDNN_STATUS_NOT_SUPPORTED,
            "indices are not simulated");
    *found = {true, op};
  });
}

cudnnStatus_t cudnnGetReductionWorkspaceSize(cudnnHandle_t handle, const cudnnReduceTensorDescriptor_t reduce,
                                             const cudnnTensorDescriptor_t aDesc,
                                             const cudnnTensorDescriptor_t cDesc, size_t* bytes) {
  CUDASIM_ENTER(cudnnGetReductionWorkspaceSize, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnGetReductionWorkspaceSize", [&] {
    cudnnHandle(handle);
    descriptionOf<Reduction>(reduce, "reduction");
    spanOf(aDesc, "a");
    *bytes = static_cast<size_t>(spanOf(cDesc, "c").count()) * 8;
  });
}

cudnnStatus_t cudnnReduceTensor(cudnnHandle_t handle, const cudnnReduceTensorDescriptor_t reduceDesc, void*,
                                size_t, void* workspace, size_t workspaceBytes, const void* alpha,
                                const cudnnTensorDescriptor_t aDesc, const void* a, const void* beta,
                                const cudnnTensorDescriptor_t cDesc, void* c) {
  CUDASIM_ENTER(cudnnReduceTensor, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnReduceTensor", [&] {
    const auto op = descriptionOf<Reduction>(reduceDesc, "reduction").op;
    const Operand from(aDesc, a, "a"), to(cDesc, c, "c");
    require(stretches(to.span.dims, from.span.dims), CUDNN_STATUS_BAD_PARAM,
            spell(from.span.dims) + " to " + spell(to.span.dims));
    require(workspaceBytes >= static_cast<size_t>(to.span.count()) * 8 &&
                deviceMemory().covers(workspace, workspaceBytes),
            CUDNN_STATUS_BAD_PARAM, "the workspace is too small, or no device memory");
    const double first = scalarOf(alpha, to.span, "alpha"), second = scalarOf(beta, to.span, "beta");
    enqueueFor(handle, "cudnnReduceTensor", [=] {
      from.check(), to.check();
      to.write(reduce(op, from, to), first, second);
    });
  });
}

}  // extern "C"

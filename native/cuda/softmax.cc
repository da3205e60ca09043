#include <utility>

#include "cudnn_graph.h"
#include "families.h"
#include "status.h"

namespace fovea::cuda {
namespace {

// cuDNN's description of a tensor for its older calls.
class TensorDescriptor {
 public:
  TensorDescriptor(const Libraries& libraries, const TensorSpec& spec) : libraries_(libraries) {
    FOVEA_CUDA_CALL(libraries_, cudnn, cudnnCreateTensorDescriptor, &descriptor_);
    const auto [n, c, h, w] = imageOf(spec.shape);
    const auto status = libraries_.cudnn.cudnnSetTensor4dDescriptor(
        descriptor_, CUDNN_TENSOR_NHWC, cudnnType(spec.dtype), static_cast<int>(n), static_cast<int>(c),
        static_cast<int>(h), static_cast<int>(w));
    if (status == CUDNN_STATUS_SUCCESS) return;
    libraries_.cudnn.cudnnDestroyTensorDescriptor(descriptor_);
    check(libraries_, status, "cudnnSetTensor4dDescriptor");
  }
  ~TensorDescriptor() { libraries_.cudnn.cudnnDestroyTensorDescriptor(descriptor_); }
  TensorDescriptor(const TensorDescriptor&) = delete;
  TensorDescriptor& operator=(const TensorDescriptor&) = delete;

  cudnnTensorDescriptor_t get() const { return descriptor_; }

 private:
  const Libraries& libraries_;
  cudnnTensorDescriptor_t descriptor_ = nullptr;
};

cudnnSoftmaxAlgorithm_t algorithmOf(const ops::Softmax& op) {
  return op.log ? CUDNN_SOFTMAX_LOG : CUDNN_SOFTMAX_ACCURATE;
}

constexpr float one = 1, zero = 0;

}  // namespace

KernelPtr prepare(const Request& request, const ops::Softmax& op) {
  auto kernel = std::make_unique<StreamKernel>(request, "cudnn:softmax");
  kernel->inputs[0] = kernel->outputs[0] = channelsLastLayout(request.input(0));
  kernel->aliases = {{0, 0, false}};
  kernel->body = [context = request.shared, algorithm = algorithmOf(op),
                  tensor = std::make_shared<TensorDescriptor>(*request.context.libraries, request.input(0))](
                     const Pointers& p) {
    FOVEA_CUDA_CALL(*context->libraries, cudnn, cudnnSoftmaxForward, context->cudnn(), algorithm,
                    CUDNN_SOFTMAX_MODE_CHANNEL, &one, tensor->get(), in(p, 0), &zero, tensor->get(),
                    out(p, 0));
  };
  request.context.cudnn();  // not while the program runs
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::SoftmaxBackward& op) {
  auto kernel = std::make_unique<StreamKernel>(request, "cudnn:softmaxBackward");
  kernel->inputs[0] = kernel->inputs[1] = kernel->outputs[0] = channelsLastLayout(request.input(0));
  kernel->aliases = {{0, 0, false}};
  kernel->body = [context = request.shared, algorithm = algorithmOf(op),
                  tensor = std::make_shared<TensorDescriptor>(*request.context.libraries, request.input(0))](
                     const Pointers& p) {
    FOVEA_CUDA_CALL(*context->libraries, cudnn, cudnnSoftmaxBackward, context->cudnn(), algorithm,
                    CUDNN_SOFTMAX_MODE_CHANNEL, &one, tensor->get(), in(p, 1), tensor->get(), in(p, 0), &zero,
                    tensor->get(), out(p, 0));
  };
  request.context.cudnn();
  return kernel;
}

}  // namespace fovea::cuda

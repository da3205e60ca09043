#include "families.h"
#include "rows.h"
#include "status.h"

namespace fovea::cuda {
namespace {

cudaDataType typeOf(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return CUDA_R_32F;
    case DType::f16:
      return CUDA_R_16F;
    case DType::bf16:
      return CUDA_R_16BF;
    default:
      throw Error("UNSUPPORTED", std::string("cuBLAS takes f32, f16 and bf16 here, not ") + nameOf(dtype), {},
                  "f32, f16 or bf16", nameOf(dtype));
  }
}

// c [m,n] = a b, or their transposes, as cuBLAS sees them: columns lie one behind the other, so that a
// row-major [r,c] is a [c,r] here, and its columns are c apart.
class Product {
 public:
  struct Factor {
    cudaDataType type;
    bool transposed;
    int apart;
  };

  Product(const Request& request, int64_t m, int64_t n, int64_t k, Factor a, Factor b, DType result)
      : context_(request.shared),
        m_(static_cast<int>(m)),
        n_(static_cast<int>(n)),
        k_(static_cast<int>(k)),
        a_(a),
        b_(b),
        result_(typeOf(result)),
        compute_(a.type == CUDA_R_32F && context_->settings.allowTf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                      : CUBLAS_COMPUTE_32F) {
    context_->cublas();  // not while the program runs
  }

  void enqueue(const void* a, const void* b, void* c) const {
    constexpr float one = 1, zero = 0;
    const auto operation = [](const Factor& factor) { return factor.transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
    FOVEA_CUDA_CALL(*context_->libraries, cublas, cublasGemmEx, context_->cublas(), operation(a_),
                    operation(b_), m_, n_, k_, &one, a, a_.type, a_.apart, b, b_.type, b_.apart, &zero, c,
                    result_, m_, compute_, CUBLAS_GEMM_DEFAULT);
  }

 private:
  std::shared_ptr<const Context> context_;
  int m_, n_, k_;
  Factor a_, b_;
  cudaDataType result_;
  cublasComputeType_t compute_;
};

Product::Factor factor(const TensorSpec& spec, int64_t columns, bool transposed) {
  return {typeOf(spec.dtype), transposed, static_cast<int>(columns)};
}

}  // namespace

// x is always seen as [N,I], row-major: an image comes in the order of its channels, as the weights count
// them.
KernelPtr prepare(const Request& request, const ops::Linear& op) {
  const TensorSpec &x = request.input(0), &weight = request.input(1), &y = request.output(0);
  const int64_t n = x.shape[0], o = weight.shape[0], i = weight.shape[1];
  const bool bias = request.hasInput(2), relu = op.activation == ops::Activation::relu;
  const Product product(request, o, n, i, factor(weight, i, true), factor(x, i, false), y.dtype);
  std::shared_ptr<const Epilogue> epilogue;
  if (bias || relu)
    epilogue = std::make_shared<Epilogue>(request, Rows{n, o}, y.dtype,
                                          bias ? request.input(2).dtype : DType::f32, op.activation);
  auto kernel =
      std::make_unique<StreamKernel>(request, epilogue ? "cublas:gemm+fovea:epilogue" : "cublas:gemm");
  kernel->body = [product, epilogue](const Pointers& p) {
    product.enqueue(in(p, 1), in(p, 0), out(p, 0));
    if (epilogue) epilogue->enqueue(out(p, 0), in(p, 2), nullptr, out(p, 0));
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::LinearBackwardData&) {
  const TensorSpec &dy = request.input(0), &weight = request.input(1), &dx = request.output(0);
  const int64_t n = dy.shape[0], o = weight.shape[0], i = weight.shape[1];
  auto kernel = std::make_unique<StreamKernel>(request, "cublas:gemm");
  kernel->body = [product =
                      Product(request, i, n, o, factor(weight, i, false), factor(dy, o, false), dx.dtype)](
                     const Pointers& p) { product.enqueue(in(p, 1), in(p, 0), out(p, 0)); };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::LinearBackwardWeights&) {
  const TensorSpec &x = request.input(0), &dy = request.input(1), &dweight = request.output(0);
  const int64_t n = x.shape[0], o = dweight.shape[0], i = dweight.shape[1];
  const Product product(request, i, o, n, factor(x, i, false), factor(dy, o, true), dweight.dtype);
  Scratch scratch;
  std::shared_ptr<const ChannelSums> sums;
  if (request.hasOutput(1))
    sums = std::make_shared<ChannelSums>(request, Rows{n, o}, dy.dtype, request.output(1).dtype, scratch);
  auto kernel = std::make_unique<StreamKernel>(request, "cublas:gemm");
  kernel->scratchBytes = scratch.bytes();
  kernel->body = [product, sums](const Pointers& p) {
    product.enqueue(in(p, 0), in(p, 1), out(p, 0));
    if (sums) sums->enqueue(in(p, 1), p, out(p, 1));
  };
  return kernel;
}

}  // namespace fovea::cuda

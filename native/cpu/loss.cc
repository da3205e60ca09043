#include <algorithm>
#include <cmath>
#include <limits>

#include "families.h"

namespace fovea::cpu {
namespace {

// The loss of one row and, into `gradient`, its derivative times `weight`. A label that names no class gives
// NaN.
double crossEntropy(const float* logits, int64_t classes, int64_t label, double smoothing, double weight,
                    float* gradient) {
  if (label < 0 || label >= classes) {
    if (gradient) std::fill_n(gradient, classes, std::numeric_limits<float>::quiet_NaN());
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double highest = *std::max_element(logits, logits + classes);
  double sum = 0, total = 0;
  for (int64_t k = 0; k < classes; ++k) {
    sum += std::exp(logits[k] - highest);
    total += logits[k];
  }
  const double logSum = highest + std::log(sum), share = smoothing / static_cast<double>(classes);
  if (gradient)
    for (int64_t k = 0; k < classes; ++k) {
      const double target = share + (k == label ? 1 - smoothing : 0);
      gradient[k] = static_cast<float>((std::exp(logits[k] - logSum) - target) * weight);
    }
  return logSum - (1 - smoothing) * logits[label] - share * total;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::SoftmaxCrossEntropy& op) {
  const Shape& shape = request.input(0).shape;
  if (request.input(0).dtype != DType::f32 || request.input(1).dtype != DType::i32)
    throw unsupported("takes f32 logits and i32 labels");
  auto kernel = std::make_unique<FunctionKernel>(request, "softmaxCrossEntropy");
  kernel->body = [batch = shape[0], classes = elementCount(shape) / std::max<int64_t>(shape[0], 1),
                  smoothing = op.labelSmoothing, hasGradient = request.hasOutput(1)](const Pointers& p) {
    const auto* logits = static_cast<const float*>(p.inputs[0]);
    const auto* labels = static_cast<const int32_t*>(p.inputs[1]);
    auto* gradient = hasGradient ? static_cast<float*>(p.outputs[1]) : nullptr;
    const double weight = 1 / static_cast<double>(batch);
    double loss = 0;
    // Rows are added in order, so that the loss does not depend on the number of threads.
    for (int64_t n = 0; n < batch; ++n)
      loss += crossEntropy(logits + n * classes, classes, labels[n], smoothing, weight,
                           gradient ? gradient + n * classes : nullptr);
    *static_cast<float*>(p.outputs[0]) = static_cast<float>(loss * weight);
  };
  return kernel;
}

}  // namespace fovea::cpu

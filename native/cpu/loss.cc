#include <algorithm>
#include <cmath>
#include <limits>

#include "families.h"

namespace fovea::cpu {
namespace {

constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

struct Rows {
  int64_t batch, classes;
};

Rows rowsOf(const Shape& shape) { return {shape[0], elementCount(shape) / std::max<int64_t>(shape[0], 1)}; }

// log(sum of e^x)
double logSumOf(const float* x, int64_t count) {
  const double highest = *std::max_element(x, x + count);
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += std::exp(x[k] - highest);
  return highest + std::log(sum);
}

// A row's loss and, into `gradient` if that is wanted, its derivative times `weight`. A label that names no
// class gives NaN.
double invalid(int64_t classes, float* gradient) {
  if (gradient) std::fill_n(gradient, classes, static_cast<float>(notANumber));
  return notANumber;
}

double crossEntropy(const float* logits, int64_t classes, int32_t label, double smoothing, double weight,
                    float* gradient) {
  if (label < 0 || label >= classes) return invalid(classes, gradient);
  const double logSum = logSumOf(logits, classes), share = smoothing / static_cast<double>(classes);
  if (gradient)
    for (int64_t k = 0; k < classes; ++k) {
      const double target = share + (k == label ? 1 - smoothing : 0);
      gradient[k] = static_cast<float>((std::exp(logits[k] - logSum) - target) * weight);
    }
  double loss = (1 - smoothing) * (logSum - logits[label]);
  // A class that is impossible (a logit of minus infinity) costs nothing where no target is on it.
  if (smoothing != 0)
    for (int64_t k = 0; k < classes; ++k) loss += share * (logSum - logits[k]);
  return loss;
}

double crossEntropy(const float* logits, int64_t classes, const float* labels, double smoothing,
                    double weight, float* gradient) {
  const double logSum = logSumOf(logits, classes), share = smoothing / static_cast<double>(classes);
  double loss = 0, total = 0;
  for (int64_t k = 0; k < classes; ++k) {
    const double target = (1 - smoothing) * labels[k] + share;
    if (target != 0) loss += target * (logSum - logits[k]);
    total += target;
  }
  if (gradient)
    for (int64_t k = 0; k < classes; ++k) {
      const double target = (1 - smoothing) * labels[k] + share;
      gradient[k] = static_cast<float>((std::exp(logits[k] - logSum) * total - target) * weight);
    }
  return loss;
}

double radialBasisLoss(const float* distances, int64_t classes, int32_t label, double j, double weight,
                       float* gradient) {
  if (label < 0 || label >= classes) return invalid(classes, gradient);
  const double highest = std::max(-j, -double{*std::min_element(distances, distances + classes)});
  double sum = std::exp(-j - highest);
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(-distances[k] - highest);
  if (gradient)
    for (int64_t k = 0; k < classes; ++k)
      gradient[k] =
          static_cast<float>(((k == label ? 1 : 0) - std::exp(-distances[k] - highest) / sum) * weight);
  return distances[label] + highest + std::log(sum);
}

// A loss that is the mean of loss(row number, row of input 0, weight of a row, row of the gradient or
// nullptr) over rows. They are added in order, so that it does not depend on the number of threads.
template <class Loss>
KernelPtr meanOverRows(const Request& request, const char* name, double weight, const Loss& loss) {
  const Rows rows = rowsOf(request.input(0).shape);
  auto kernel = std::make_unique<FunctionKernel>(request, name);
  kernel->scratchBytes = rows.batch * sizeof(double);
  kernel->body = [rows, loss, share = weight / static_cast<double>(rows.batch),
                  hasGradient = request.hasOutput(1)](const Pointers& p) {
    const auto* input = static_cast<const float*>(p.inputs[0]);
    auto* gradient = hasGradient ? static_cast<float*>(p.outputs[1]) : nullptr;
    auto* losses = static_cast<double*>(p.scratch);
#pragma omp parallel for
    for (int64_t n = 0; n < rows.batch; ++n) {
      const int64_t at = n * rows.classes;
      losses[n] = loss(p, n, input + at, share, gradient ? gradient + at : nullptr);
    }
    double sum = 0;
    for (int64_t n = 0; n < rows.batch; ++n) sum += losses[n];
    *static_cast<float*>(p.outputs[0]) = static_cast<float>(sum * share);
  };
  return kernel;
}

bool isFloat(const TensorSpec& spec) { return spec.dtype == DType::f32; }
bool isClass(const TensorSpec& spec) { return spec.dtype == DType::i32; }

}  // namespace

KernelPtr prepare(const Request& request, const ops::SoftmaxCrossEntropy& op) {
  if (!isFloat(request.input(0)) || !(isClass(request.input(1)) || isFloat(request.input(1))))
    throw unsupported("takes f32 logits and labels that are i32 classes or f32 distributions");
  const int64_t classes = rowsOf(request.input(0).shape).classes;
  const double smoothing = op.labelSmoothing;
  if (isClass(request.input(1)))
    return meanOverRows(
        request, "softmaxCrossEntropy", op.weight,
        [=](const Pointers& p, int64_t n, const float* logits, double weight, float* gradient) {
          const int32_t label = static_cast<const int32_t*>(p.inputs[1])[n];
          return crossEntropy(logits, classes, label, smoothing, weight, gradient);
        });
  return meanOverRows(request, "softmaxCrossEntropy", op.weight,
                      [=](const Pointers& p, int64_t n, const float* logits, double weight, float* gradient) {
                        const auto* labels = static_cast<const float*>(p.inputs[1]) + n * classes;
                        return crossEntropy(logits, classes, labels, smoothing, weight, gradient);
                      });
}

KernelPtr prepare(const Request& request, const ops::MeanSquaredError& op) {
  requireFloat(request);
  const auto [batch, size] = rowsOf(request.input(0).shape);
  return meanOverRows(request, "meanSquaredError", op.weight,
                      [size = size](const Pointers& p, int64_t n, const float* y, double weight, float* dy) {
                        const auto* target = static_cast<const float*>(p.inputs[1]) + n * size;
                        const double share = 1 / static_cast<double>(size);
                        double sum = 0;
                        for (int64_t i = 0; i < size; ++i) {
                          const double difference = double{y[i]} - target[i];
                          sum += difference * difference;
                          if (dy) dy[i] = static_cast<float>(2 * weight * share * difference);
                        }
                        return sum * share;
                      });
}

KernelPtr prepare(const Request& request, const ops::RadialBasisLoss& op) {
  if (!isFloat(request.input(0)) || !isClass(request.input(1)))
    throw unsupported("takes f32 distances and i32 labels");
  return meanOverRows(
      request, "radialBasisLoss", op.weight,
      [j = op.j, classes = rowsOf(request.input(0).shape).classes](
          const Pointers& p, int64_t n, const float* distances, double weight, float* gradient) {
        const int32_t label = static_cast<const int32_t*>(p.inputs[1])[n];
        return radialBasisLoss(distances, classes, label, j, weight, gradient);
      });
}

}  // namespace fovea::cpu

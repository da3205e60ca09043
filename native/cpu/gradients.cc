#include <algorithm>
#include <cmath>
#include <cstring>

#include "families.h"
#include "simd.h"

namespace fovea::cpu {
namespace {

constexpr int64_t mostPartElements = 1 << 14;

int64_t floatsOf(const Layout& layout) { return static_cast<int64_t>(layout.bytes() / sizeof(float)); }

FOVEA_SIMD double squares(const float* x, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) {
    const double value = x[i];
    sum += value * value;
  }
  return sum;
}

FOVEA_SIMD void mix(float* sum, float keep, const float* x, float share, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) sum[i] = keep * sum[i] + share * x[i];
}

// sum = keep * sum + share * x
FunctionKernel::Body mixing(int64_t count, float keep, float share) {
  return [=](const Pointers& p) {
    const auto* x = static_cast<const float*>(p.inputs[1]);
    auto* sum = static_cast<float*>(p.outputs[0]);
#pragma omp parallel for
    for (int64_t begin = 0; begin < count; begin += mostPartElements)
      mix(sum + begin, keep, x + begin, share, std::min(mostPartElements, count - begin));
  };
}

// Operand 0 and output 0 are one tensor, which is updated as it lies; operand 1, if there, comes in its
// layout.
std::unique_ptr<FunctionKernel> inPlace(const Request& request, const char* name, LayoutPtr layout) {
  requireFloat(request);
  if (!layout->elementwise()) throw unsupported("what lies in " + layout->name() + " cannot be updated");
  auto kernel = std::make_unique<FunctionKernel>(request, name);
  for (LayoutPtr& input : kernel->inputs) input = layout;
  kernel->outputs[0] = layout;
  kernel->aliases = {{0, 0, true}};
  return kernel;
}

// For a tensor that is updated from another: that one's layout, if it may still be kept so, otherwise its
// own.
LayoutPtr keptAs(const Request& request) {
  const LayoutPtr other = request.inputLayout(1);
  return request.operands.inputs[0]->movable && other->elementwise() ? other : request.inputLayout(0);
}

}  // namespace

// The sums of parts are added in order, so that the norm does not depend on the number of threads.
KernelPtr prepare(const Request& request, const ops::GradientNorm&) {
  requireFloat(request);
  auto kernel = std::make_unique<FunctionKernel>(request, "gradientNorm");
  struct Part {
    size_t input;
    int64_t begin, count;
  };
  std::vector<Part> parts;
  for (size_t i = 0; i < request.operands.inputs.size(); ++i) {
    if (!request.hasInput(i)) continue;
    const LayoutPtr layout = request.inputLayout(i);
    if (layout->elementwise()) kernel->inputs[i] = layout;
    const int64_t count = floatsOf(*kernel->inputs[i]);
    for (int64_t begin = 0; begin < count; begin += mostPartElements)
      parts.push_back({i, begin, std::min(mostPartElements, count - begin)});
  }
  kernel->scratchBytes = parts.size() * sizeof(double);
  kernel->body = [parts = std::move(parts)](const Pointers& p) {
    auto* sums = static_cast<double*>(p.scratch);
    const auto count = static_cast<int64_t>(parts.size());
#pragma omp parallel for
    for (int64_t i = 0; i < count; ++i)
      sums[i] = squares(static_cast<const float*>(p.inputs[parts[i].input]) + parts[i].begin, parts[i].count);
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += sums[i];
    *static_cast<float*>(p.outputs[0]) = static_cast<float>(std::sqrt(sum));
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::Accumulate&) {
  auto kernel = inPlace(request, "accumulate", keptAs(request));
  kernel->body = mixing(floatsOf(*kernel->outputs[0]), 1, 1);
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::Clear&) {
  auto kernel = inPlace(request, "clear", request.inputLayout(0));
  kernel->body = [count = floatsOf(*kernel->outputs[0])](const Pointers& p) {
    auto* x = static_cast<float*>(p.outputs[0]);
#pragma omp parallel for
    for (int64_t begin = 0; begin < count; begin += mostPartElements)
      std::memset(x + begin, 0, std::min(mostPartElements, count - begin) * sizeof(float));
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::MovingAverage& op) {
  auto kernel = inPlace(request, "movingAverage", keptAs(request));
  kernel->body =
      mixing(floatsOf(*kernel->outputs[0]), static_cast<float>(op.decay), static_cast<float>(1 - op.decay));
  return kernel;
}

}  // namespace fovea::cpu

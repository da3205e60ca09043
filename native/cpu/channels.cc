#include "families.h"

namespace fovea::cpu {

KernelPtr prepare(const Request& request, const ops::ScaleChannels&) {
  requireFloat(request);
  const auto [layout, view] = viewed(request.input(0), request.inputLayout(0));
  auto kernel = std::make_unique<FunctionKernel>(request, "scaleChannels");
  kernel->inputs[0] = kernel->outputs[0] = layout;
  kernel->aliases = {{0, 0, false}};
  kernel->body = [view = view, hasBias = request.hasInput(2)](const Pointers& p) {
    const auto operand = [&](size_t index) { return static_cast<const float*>(p.inputs[index]); };
    const float *x = operand(0), *coefficient = operand(1), *bias = hasBias ? operand(2) : nullptr;
    auto* y = static_cast<float*>(p.outputs[0]);
#pragma omp parallel for collapse(2)
    for (int64_t n = 0; n < view.batch; ++n)
      for (int64_t block = 0; block < view.blocks; ++block) {
        const float* from = x + view.row(n, block);
        float* to = y + view.row(n, block);
        const int64_t channel = block * view.lanes, used = view.used(block);
        for (int64_t s = 0; s < view.spatial; ++s, from += view.lanes, to += view.lanes) {
          for (int64_t lane = 0; lane < used; ++lane)
            to[lane] = from[lane] * coefficient[channel + lane] + (bias ? bias[channel + lane] : 0.f);
          for (int64_t lane = used; lane < view.lanes; ++lane) to[lane] = 0;
        }
      }
  };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::ScaleChannelsBackward&) {
  requireFloat(request);
  constexpr int64_t mostLanes = 16;
  const TensorSpec& x = request.input(0);
  auto [layout, view] = viewed(x, request.inputLayout(0));
  // A block is summed by one thread; channels-last would be a single block.
  if (view.lanes > mostLanes)
    std::tie(layout, view) = [&] {
      const auto plain = viewed(x, plainLayout(x));
      return std::pair(plain.layout, plain.view);
    }();
  auto kernel = std::make_unique<FunctionKernel>(request, "scaleChannelsBackward");
  kernel->inputs[0] = kernel->inputs[2] = kernel->outputs[0] = layout;
  kernel->aliases = {{0, 2, false}};
  kernel->body = [view = view, hasBias = request.hasOutput(2)](const Pointers& p) {
    const auto operand = [&](size_t index) { return static_cast<const float*>(p.inputs[index]); };
    const auto result = [&](size_t index) { return static_cast<float*>(p.outputs[index]); };
    const float *x = operand(0), *coefficient = operand(1), *dy = operand(2);
    float *dx = result(0), *dcoefficient = result(1), *dbias = hasBias ? result(2) : nullptr;
#pragma omp parallel for
    for (int64_t block = 0; block < view.blocks; ++block) {
      const int64_t channel = block * view.lanes, used = view.used(block);
      double product[mostLanes] = {}, sum[mostLanes] = {};
      for (int64_t n = 0; n < view.batch; ++n) {
        int64_t i = view.row(n, block);
        for (int64_t s = 0; s < view.spatial; ++s, i += view.lanes) {
          for (int64_t lane = 0; lane < used; ++lane) {
            product[lane] += double{x[i + lane]} * dy[i + lane];
            sum[lane] += dy[i + lane];
            dx[i + lane] = dy[i + lane] * coefficient[channel + lane];
          }
          for (int64_t lane = used; lane < view.lanes; ++lane) dx[i + lane] = 0;
        }
      }
      for (int64_t lane = 0; lane < used; ++lane) {
        dcoefficient[channel + lane] = static_cast<float>(product[lane]);
        if (dbias) dbias[channel + lane] = static_cast<float>(sum[lane]);
      }
    }
  };
  return kernel;
}

}  // namespace fovea::cpu

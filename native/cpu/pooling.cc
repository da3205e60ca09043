#include <algorithm>

#include "families.h"

namespace fovea::cpu {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;

algorithm algorithmOf(const ops::Pooling& op) {
  if (op.kind == ops::PoolingKind::max) return algorithm::pooling_max;
  return op.countPadding ? algorithm::pooling_avg_include_padding : algorithm::pooling_avg_exclude_padding;
}

struct Window {
  dnnl::memory::dims strides, kernel, before, after;
};

// The padding behind is what the windows reach, which may be less than what the attributes allow.
Window windowOf(const ops::Pooling& op, const Shape& x, const Shape& y) {
  Window window;
  for (size_t axis = 0; axis < 2; ++axis) {
    const int64_t before = op.padding[axis];
    const int64_t reach = (y[axis + 2] - 1) * op.stride[axis] + op.kernel[axis] - before - x[axis + 2];
    window.strides.push_back(op.stride[axis]);
    window.kernel.push_back(op.kernel[axis]);
    window.before.push_back(before);
    window.after.push_back(std::max<int64_t>(reach, 0));
  }
  return window;
}

dnnl::pooling_forward::primitive_desc describeForward(const Context& context, const ops::Pooling& op,
                                                      prop_kind kind, const Desc& x, const Shape& xShape,
                                                      const TensorSpec& y) {
  const Window window = windowOf(op, xShape, y.shape);
  const dnnl::pooling_forward::desc desc(kind, algorithmOf(op), x, anyDesc(y.dtype, y.shape), window.strides,
                                         window.kernel, window.before, window.after);
  return {desc, userScratchpad(), context.engine};
}

KernelPtr forwardKernel(const Request& request, const ops::Pooling& op) {
  const bool keepsArgmax = op.kind == ops::PoolingKind::max && request.hasOutput(1);
  const auto kind = keepsArgmax ? prop_kind::forward_training : prop_kind::forward_inference;
  const auto description = chooseImplementation(activationCandidates(request), [&](const Desc& x) {
    return describeForward(request.context, op, kind, x, request.input(0).shape, request.output(0));
  });
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_SRC).output(0, DNNL_ARG_DST);
  if (keepsArgmax)
    kernel->opaqueOutput(
        1, DNNL_ARG_WORKSPACE,
        std::make_shared<OpaqueLayout>(description.workspace_desc().get_size(), description));
  else if (request.hasOutput(1))
    kernel->outputs[1] = std::make_shared<OpaqueLayout>(0);
  return kernel;
}

struct Bin {
  int64_t begin, end;
};

std::vector<Bin> binsOf(int64_t size, int64_t count) {
  std::vector<Bin> bins;
  for (int64_t i = 0; i < count; ++i)
    bins.push_back({i * size / count, ((i + 1) * size + count - 1) / count});
  return bins;
}

KernelPtr unevenAverage(const Request& request) {
  requireFloat(request);
  const TensorSpec &x = request.input(0), &y = request.output(0);
  const auto [xLayout, from] = viewed(x, request.inputLayout(0));
  const auto [yLayout, to] = inFormatOf(from, y);
  auto kernel = std::make_unique<FunctionKernel>(request, "adaptiveAverage");
  kernel->inputs[0] = xLayout;
  kernel->outputs[0] = yLayout;
  kernel->body = [from = from, to = to, width = x.shape[3], rows = binsOf(x.shape[2], y.shape[2]),
                  columns = binsOf(x.shape[3], y.shape[3])](const Pointers& p) {
    const auto* source = static_cast<const float*>(p.inputs[0]);
    auto* target = static_cast<float*>(p.outputs[0]);
    const int64_t lanes = from.lanes;
#pragma omp parallel for collapse(2)
    for (int64_t n = 0; n < from.batch; ++n)
      for (int64_t block = 0; block < from.blocks; ++block) {
        const float* plane = source + from.row(n, block);
        float* sum = target + to.row(n, block);
        for (const Bin& row : rows)
          for (const Bin& column : columns) {
            std::fill_n(sum, lanes, 0.f);
            for (int64_t h = row.begin; h < row.end; ++h)
              for (int64_t w = column.begin; w < column.end; ++w)
                for (int64_t lane = 0; lane < lanes; ++lane)
                  sum[lane] += plane[(h * width + w) * lanes + lane];
            const float count = static_cast<float>((row.end - row.begin) * (column.end - column.begin));
            for (int64_t lane = 0; lane < lanes; ++lane) sum[lane] /= count;
            sum += lanes;
          }
      }
  };
  return kernel;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Pooling& op) { return forwardKernel(request, op); }

KernelPtr prepare(const Request& request, const ops::PoolingBackward& op) {
  const TensorSpec &dy = request.input(0), &dx = request.output(0);
  const auto describe = [&](const Desc& dxDesc, const Desc& dyDesc,
                            const dnnl::pooling_forward::primitive_desc& forward) {
    const Window window = windowOf(op, dx.shape, dy.shape);
    const dnnl::pooling_backward::desc desc(algorithmOf(op), dxDesc, dyDesc, window.strides, window.kernel,
                                            window.before, window.after);
    return dnnl::pooling_backward::primitive_desc(desc, userScratchpad(), request.context.engine, forward);
  };
  if (op.kind == ops::PoolingKind::max) {
    if (!request.hasInput(1)) throw unsupported("max pooling needs the forward's workspace");
    // The workspace lies as the forward's result did, so the gradients must too.
    const auto layout = request.inputLayout(1);
    const auto* workspace = dynamic_cast<const OpaqueLayout*>(layout.get());
    if (!workspace || !workspace->forward()) throw unsupported("the workspace is not one of a max pooling");
    const auto& forward = *workspace->forward();
    auto kernel =
        std::make_unique<PrimitiveKernel>(request, describe(forward.src_desc(), forward.dst_desc(), forward));
    kernel->input(0, DNNL_ARG_DIFF_DST).output(0, DNNL_ARG_DIFF_SRC);
    kernel->opaqueInput(1, DNNL_ARG_WORKSPACE, layout);
    return kernel;
  }
  const auto description = chooseImplementation(activationCandidates(request), [&](const Desc& dyDesc) {
    // dx in the format of dy, which the forward's description finds from the other end.
    const auto dyLayout = layoutOf(dy, dyDesc);
    const auto view = channelView(*dyLayout);
    const Desc dxDesc = view ? *descAs(*inFormatOf(*view, dx).layout, dx.dtype, dx.shape) : plainDesc(dx);
    const auto forward =
        describeForward(request.context, op, prop_kind::forward_training, dxDesc, dx.shape, dy);
    return describe(dxDesc, dyDesc, forward);
  });
  auto kernel = std::make_unique<PrimitiveKernel>(request, description);
  kernel->input(0, DNNL_ARG_DIFF_DST).output(0, DNNL_ARG_DIFF_SRC);
  if (request.hasInput(1)) kernel->inputs[1] = request.inputLayout(1);
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::AdaptiveAveragePooling&) {
  const Shape &x = request.input(0).shape, &y = request.output(0).shape;
  if (x[2] % y[2] != 0 || x[3] % y[3] != 0) return unevenAverage(request);
  ops::Pooling even;
  even.kind = ops::PoolingKind::average;
  even.kernel = even.stride = {x[2] / y[2], x[3] / y[3]};
  return forwardKernel(request, even);
}

}  // namespace fovea::cpu

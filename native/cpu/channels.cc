#include <algorithm>
#include <cstring>

#include "families.h"

namespace fovea::cpu {
namespace {

int64_t heightOf(const Shape& shape) { return shape.size() > 2 ? shape[2] : 1; }
int64_t widthOf(const Shape& shape) { return shape.size() > 3 ? shape[3] : 1; }

// Channels that lie next to each other in a block of y and in x.
struct Segment {
  int64_t lane, source, length;  // source: from the start of x's image
};

// For every block of y, where its channels come from if y's channel c is x's channel c + shift.
std::vector<std::vector<Segment>> segmentsOf(const ChannelView& from, const ChannelView& to, int64_t shift) {
  std::vector<std::vector<Segment>> blocks(to.blocks);
  for (int64_t channel = 0; channel < to.channels; ++channel) {
    const int64_t source = channel + shift;
    if (source < 0 || source >= from.channels) continue;
    auto& segments = blocks[channel / to.lanes];
    const int64_t lane = channel % to.lanes;
    const int64_t offset = from.row(0, source / from.lanes) + source % from.lanes;
    const bool continues = !segments.empty() && source % from.lanes != 0 &&
                           segments.back().lane + segments.back().length == lane;
    if (continues)
      ++segments.back().length;
    else
      segments.push_back({lane, offset, 1});
  }
  return blocks;
}

// y[n, c, h, w] = x[n, c + shift, h * stride, w * stride], zeros where x has no such channel.
KernelPtr shiftChannels(const Request& request, const std::string& name, int64_t shift, int64_t stride) {
  requireFloat(request);
  const TensorSpec &x = request.input(0), &y = request.output(0);
  const auto [xLayout, from] = viewed(x, request.inputLayout(0));
  const auto [yLayout, to] = inFormatOf(from, y);
  auto kernel = std::make_unique<FunctionKernel>(request, name);
  kernel->inputs[0] = xLayout;
  kernel->outputs[0] = yLayout;
  kernel->body = [from = from, to = to, stride, blocks = segmentsOf(from, to, shift),
                  xWidth = widthOf(x.shape), height = heightOf(y.shape),
                  width = widthOf(y.shape)](const Pointers& p) {
    const auto* source = static_cast<const float*>(p.inputs[0]);
    auto* target = static_cast<float*>(p.outputs[0]);
    const int64_t image = from.row(1, 0);
#pragma omp parallel for collapse(3)
    for (int64_t n = 0; n < to.batch; ++n)
      for (int64_t block = 0; block < to.blocks; ++block)
        for (int64_t h = 0; h < height; ++h) {
          float* row = target + to.row(n, block) + h * width * to.lanes;
          const auto& segments = blocks[block];
          const float* start = source + n * image + h * stride * xWidth * from.lanes;
          const bool whole = segments.size() == 1 && segments[0].length == to.lanes && to.lanes == from.lanes;
          if (whole && stride == 1) {
            std::memcpy(row, start + segments[0].source, width * to.lanes * sizeof(float));
            continue;
          }
          if (!whole) std::fill_n(row, width * to.lanes, 0.f);
          for (const Segment& segment : segments)
            for (int64_t w = 0; w < width; ++w)
              std::copy_n(start + segment.source + w * stride * from.lanes, segment.length,
                          row + w * to.lanes + segment.lane);
        }
  };
  return kernel;
}

// Fills `count` pixels, leaving zeros in the lanes that are no channels.
void fillPixels(float* to, int64_t count, int64_t lanes, int64_t used, float value) {
  if (used == lanes) {
    std::fill_n(to, count * lanes, value);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    std::fill_n(to + i * lanes, used, value);
    std::fill_n(to + i * lanes + used, lanes - used, 0.f);
  }
}

}  // namespace

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

KernelPtr prepare(const Request& request, const ops::Slice& op) {
  return shiftChannels(request, "slice", op.start, 1);
}

KernelPtr prepare(const Request& request, const ops::SubsamplePad& op) {
  return shiftChannels(request, "subsamplePad", -op.before, op.stride);
}

KernelPtr prepare(const Request& request, const ops::Pad& op) {
  requireFloat(request);
  const TensorSpec &x = request.input(0), &y = request.output(0);
  const auto [xLayout, from] = viewed(x, request.inputLayout(0));
  const auto [yLayout, to] = inFormatOf(from, y);
  auto kernel = std::make_unique<FunctionKernel>(request, "pad");
  kernel->inputs[0] = xLayout;
  kernel->outputs[0] = yLayout;
  const int64_t top = op.padding[0], left = op.padding[1], xHeight = x.shape[2], xWidth = x.shape[3];
  const int64_t begin = std::max<int64_t>(left, 0), end = std::min(left + xWidth, y.shape[3]);
  kernel->body = [=, from = from, to = to, height = y.shape[2], width = y.shape[3],
                  value = static_cast<float>(op.value)](const Pointers& p) {
    const auto* source = static_cast<const float*>(p.inputs[0]);
    auto* target = static_cast<float*>(p.outputs[0]);
    const int64_t lanes = to.lanes;
#pragma omp parallel for collapse(3)
    for (int64_t n = 0; n < to.batch; ++n)
      for (int64_t block = 0; block < to.blocks; ++block)
        for (int64_t h = 0; h < height; ++h) {
          float* row = target + to.row(n, block) + h * width * lanes;
          const int64_t xRow = h - top, used = to.used(block);
          if (xRow < 0 || xRow >= xHeight || begin >= end) {
            fillPixels(row, width, lanes, used, value);
            continue;
          }
          fillPixels(row, begin, lanes, used, value);
          std::memcpy(row + begin * lanes,
                      source + from.row(n, block) + (xRow * xWidth + begin - left) * lanes,
                      (end - begin) * lanes * sizeof(float));
          fillPixels(row + end * lanes, width - end, lanes, used, value);
        }
  };
  return kernel;
}

}  // namespace fovea::cpu

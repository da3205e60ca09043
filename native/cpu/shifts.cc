#include <algorithm>
#include <cstring>

#include "bf16.h"
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
template <class Element>
KernelPtr shiftChannels(const Request& request, const std::string& name, int64_t shift, int64_t stride) {
  const TensorSpec &x = request.input(0), &y = request.output(0);
  const auto [xLayout, from] = viewed(x, request.inputLayout(0));
  const auto [yLayout, to] = inFormatOf(from, y);
  auto kernel = std::make_unique<FunctionKernel>(request, name);
  kernel->inputs[0] = xLayout;
  kernel->outputs[0] = yLayout;
  // Without a stride the whole image is one row.
  kernel->body = [from = from, to = to, stride, blocks = segmentsOf(from, to, shift),
                  xWidth = stride == 1 ? from.spatial : widthOf(x.shape),
                  height = stride == 1 ? 1 : heightOf(y.shape),
                  width = stride == 1 ? to.spatial : widthOf(y.shape)](const Pointers& p) {
    const auto* source = static_cast<const Element*>(p.inputs[0]);
    auto* target = static_cast<Element*>(p.outputs[0]);
    const int64_t image = from.row(1, 0);
#pragma omp parallel for collapse(3)
    for (int64_t n = 0; n < to.batch; ++n)
      for (int64_t block = 0; block < to.blocks; ++block)
        for (int64_t h = 0; h < height; ++h) {
          Element* row = target + to.row(n, block) + h * width * to.lanes;
          const auto& segments = blocks[block];
          const Element* start = source + n * image + h * stride * xWidth * from.lanes;
          const bool whole = segments.size() == 1 && segments[0].length == to.lanes && to.lanes == from.lanes;
          if (whole && stride == 1) {
            std::memcpy(row, start + segments[0].source, width * to.lanes * sizeof(Element));
            continue;
          }
          if (!whole) std::fill_n(row, width * to.lanes, Element{});
          for (const Segment& segment : segments)
            for (int64_t w = 0; w < width; ++w)
              std::copy_n(start + segment.source + w * stride * from.lanes, segment.length,
                          row + w * to.lanes + segment.lane);
        }
  };
  return kernel;
}

// The reverse: x[n, c + shift, h * stride, w * stride] = y[n, c, h, w], zeros elsewhere.
template <class Element>
KernelPtr spreadChannels(const Request& request, const std::string& name, int64_t shift, int64_t stride) {
  const TensorSpec &y = request.input(0), &x = request.output(0);
  const auto [yLayout, from] = viewed(y, request.inputLayout(0));
  const auto [xLayout, to] = inFormatOf(from, x);
  auto kernel = std::make_unique<FunctionKernel>(request, name);
  kernel->inputs[0] = yLayout;
  kernel->outputs[0] = xLayout;
  kernel->body = [from = from, to = to, stride, blocks = segmentsOf(from, to, -shift),
                  yWidth = widthOf(y.shape), height = heightOf(x.shape),
                  width = widthOf(x.shape)](const Pointers& p) {
    const auto* source = static_cast<const Element*>(p.inputs[0]);
    auto* target = static_cast<Element*>(p.outputs[0]);
#pragma omp parallel for collapse(3)
    for (int64_t n = 0; n < to.batch; ++n)
      for (int64_t block = 0; block < to.blocks; ++block)
        for (int64_t h = 0; h < height; ++h) {
          Element* row = target + to.row(n, block) + h * width * to.lanes;
          std::fill_n(row, width * to.lanes, Element{});
          if (h % stride != 0) continue;
          const Element* start = source + from.row(n, 0) + h / stride * yWidth * from.lanes;
          for (const Segment& segment : blocks[block])
            for (int64_t w = 0; w < yWidth; ++w)
              std::copy_n(start + segment.source + w * from.lanes, segment.length,
                          row + w * stride * to.lanes + segment.lane);
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

// The image moved down by `top` and right by `left`, or up and left, into another of the size of y.
KernelPtr moveImage(const Request& request, const std::string& name, int64_t top, int64_t left, float value) {
  requireFloat(request);
  const TensorSpec &x = request.input(0), &y = request.output(0);
  const auto [xLayout, from] = viewed(x, request.inputLayout(0));
  const auto [yLayout, to] = inFormatOf(from, y);
  auto kernel = std::make_unique<FunctionKernel>(request, name);
  kernel->inputs[0] = xLayout;
  kernel->outputs[0] = yLayout;
  const int64_t xHeight = x.shape[2], xWidth = x.shape[3];
  const int64_t begin = std::max<int64_t>(left, 0), end = std::min(left + xWidth, y.shape[3]);
  kernel->body = [=, from = from, to = to, height = y.shape[2], width = y.shape[3]](const Pointers& p) {
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

}  // namespace

KernelPtr prepare(const Request& request, const ops::Slice& op) {
  return withElement(request.input(0).dtype, [&](auto element) {
    return shiftChannels<decltype(element)>(request, "slice", op.start, 1);
  });
}

KernelPtr prepare(const Request& request, const ops::SliceBackward& op) {
  return withElement(request.input(0).dtype, [&](auto element) {
    return shiftChannels<decltype(element)>(request, "sliceBackward", -op.start, 1);
  });
}

KernelPtr prepare(const Request& request, const ops::SubsamplePad& op) {
  return withElement(request.input(0).dtype, [&](auto element) {
    return shiftChannels<decltype(element)>(request, "subsamplePad", -op.before, op.stride);
  });
}

KernelPtr prepare(const Request& request, const ops::SubsamplePadBackward& op) {
  return withElement(request.input(0).dtype, [&](auto element) {
    return spreadChannels<decltype(element)>(request, "subsamplePadBackward", -op.before, op.stride);
  });
}

KernelPtr prepare(const Request& request, const ops::Pad& op) {
  return moveImage(request, "pad", op.padding[0], op.padding[1], static_cast<float>(op.value));
}

KernelPtr prepare(const Request& request, const ops::PadBackward& op) {
  return moveImage(request, "padBackward", -op.padding[0], -op.padding[1], 0);
}

}  // namespace fovea::cpu

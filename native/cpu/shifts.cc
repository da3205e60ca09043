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

// Calls visit(n, block, h, first value) for each of the `height` rows of a tensor, on all threads.
template <class Element, class Visit>
void forEachRow(void* tensor, const ChannelView& view, int64_t height, const Visit& visit) {
  const int64_t values = view.spatial / height * view.lanes;
#pragma omp parallel for collapse(3)
  for (int64_t n = 0; n < view.batch; ++n)
    for (int64_t block = 0; block < view.blocks; ++block)
      for (int64_t h = 0; h < height; ++h)
        visit(n, block, h, static_cast<Element*>(tensor) + view.row(n, block) + h * values);
}

// y[n, c, h, w] = x[n, c + shift, h * stride, w * stride], zeros where x has no such channel.
template <class Element>
KernelPtr shiftChannels(const Request& request, const std::string& name, int64_t shift, int64_t stride) {
  const Shape &x = request.input(0).shape, &y = request.output(0).shape;
  auto [kernel, from, to] = imageKernel(request, name);
  // Without a stride the whole image is one row.
  kernel->body = [from = from, to = to, stride, blocks = segmentsOf(from, to, shift),
                  xWidth = stride == 1 ? from.spatial : widthOf(x), height = stride == 1 ? 1 : heightOf(y),
                  width = stride == 1 ? to.spatial : widthOf(y)](const Pointers& p) {
    forEachRow<Element>(p.outputs[0], to, height, [&](int64_t n, int64_t block, int64_t h, Element* row) {
      const auto& segments = blocks[block];
      const Element* start =
          static_cast<const Element*>(p.inputs[0]) + from.row(n, 0) + h * stride * xWidth * from.lanes;
      const bool whole = segments.size() == 1 && segments[0].length == to.lanes && to.lanes == from.lanes;
      if (whole && stride == 1) {
        std::memcpy(row, start + segments[0].source, width * to.lanes * sizeof(Element));
        return;
      }
      if (!whole) std::fill_n(row, width * to.lanes, Element{});
      for (const Segment& segment : segments)
        for (int64_t w = 0; w < width; ++w)
          std::copy_n(start + segment.source + w * stride * from.lanes, segment.length,
                      row + w * to.lanes + segment.lane);
    });
  };
  return std::move(kernel);
}

// The reverse: x[n, c + shift, h * stride, w * stride] = y[n, c, h, w], zeros elsewhere.
template <class Element>
KernelPtr spreadChannels(const Request& request, const std::string& name, int64_t shift, int64_t stride) {
  const Shape &y = request.input(0).shape, &x = request.output(0).shape;
  auto [kernel, from, to] = imageKernel(request, name);
  kernel->body = [from = from, to = to, stride, blocks = segmentsOf(from, to, -shift), yWidth = widthOf(y),
                  height = heightOf(x), width = widthOf(x)](const Pointers& p) {
    forEachRow<Element>(p.outputs[0], to, height, [&](int64_t n, int64_t block, int64_t h, Element* row) {
      std::fill_n(row, width * to.lanes, Element{});
      if (h % stride != 0) return;
      const Element* start =
          static_cast<const Element*>(p.inputs[0]) + from.row(n, 0) + h / stride * yWidth * from.lanes;
      for (const Segment& segment : blocks[block])
        for (int64_t w = 0; w < yWidth; ++w)
          std::copy_n(start + segment.source + w * from.lanes, segment.length,
                      row + w * stride * to.lanes + segment.lane);
    });
  };
  return std::move(kernel);
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
  const Shape &x = request.input(0).shape, &y = request.output(0).shape;
  auto [kernel, from, to] = imageKernel(request, name);
  const int64_t xHeight = x[2], xWidth = x[3];
  const int64_t begin = std::max<int64_t>(left, 0), end = std::min(left + xWidth, y[3]);
  kernel->body = [=, from = from, to = to, height = y[2], width = y[3]](const Pointers& p) {
    const int64_t lanes = to.lanes;
    forEachRow<float>(p.outputs[0], to, height, [&](int64_t n, int64_t block, int64_t h, float* row) {
      const int64_t xRow = h - top, used = to.used(block);
      if (xRow < 0 || xRow >= xHeight || begin >= end) {
        fillPixels(row, width, lanes, used, value);
        return;
      }
      const float* start = static_cast<const float*>(p.inputs[0]) + from.row(n, block);
      fillPixels(row, begin, lanes, used, value);
      std::memcpy(row + begin * lanes, start + (xRow * xWidth + begin - left) * lanes,
                  (end - begin) * lanes * sizeof(float));
      fillPixels(row + end * lanes, width - end, lanes, used, value);
    });
  };
  return std::move(kernel);
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

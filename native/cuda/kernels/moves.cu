// Moves of whole elements, whatever they are, a unit at a time: the largest of 16, 8, 4, 2 or 1 bytes that
// divides every width and offset. All widths, offsets and shifts are in units.

#ifndef FOVEA_UNIT
#define FOVEA_UNIT uint4
#endif
using Unit = FOVEA_UNIT;

constexpr unsigned threads = 256;

template <class Type>
struct Filled {
  __device__ static Type with(unsigned pattern) { return (Type)pattern; }
};
template <>
struct Filled<uint2> {
  __device__ static uint2 with(unsigned pattern) { return make_uint2(pattern, pattern); }
};
template <>
struct Filled<uint4> {
  __device__ static uint4 with(unsigned pattern) { return make_uint4(pattern, pattern, pattern, pattern); }
};
__device__ inline Unit filled(unsigned pattern) { return Filled<Unit>::with(pattern); }

// Tensors that lie one behind the other in every row of a result.
constexpr unsigned mostParts = 64;
struct Parts {
  const void* from[mostParts];
  unsigned width[mostParts], offset[mostParts];
};

extern "C" __global__ void __launch_bounds__(threads)
    joinRows(const __grid_constant__ Parts parts, Unit* to, unsigned rows, unsigned toWidth) {
  const Unit* from = (const Unit*)parts.from[blockIdx.y];
  const unsigned width = parts.width[blockIdx.y], count = rows * width;
  to += parts.offset[blockIdx.y];
  for (unsigned i = firstIndex(); i < count; i += indexStep()) to[i / width * toWidth + i % width] = from[i];
}

// Images of `from` are sampled, or those of `to` are filled, at every `stride`th pixel in either direction.
struct Sampling {
  unsigned stride, toHeight, toWidth, fromHeight, fromWidth;
};

// to[row, c] = from[its pixel's row, c + shift], zeros where that is no channel
extern "C" __global__ void __launch_bounds__(threads)
    shiftChannels(const Unit* __restrict__ from, Unit* __restrict__ to, unsigned count, unsigned toChannels,
                  unsigned fromChannels, int shift, const __grid_constant__ Sampling s) {
  for (unsigned i = firstIndex(); i < count; i += indexStep()) {
    unsigned row = i / toChannels;
    const unsigned channel = i % toChannels + (unsigned)shift;  // wraps round below zero
    if (s.stride != 1) {
      const unsigned w = row % s.toWidth, h = row / s.toWidth % s.toHeight, n = row / s.toWidth / s.toHeight;
      row = (n * s.fromHeight + h * s.stride) * s.fromWidth + w * s.stride;
    }
    to[i] = channel < fromChannels ? from[row * fromChannels + channel] : filled(0);
  }
}

// The reverse: zeros also at the pixels between.
extern "C" __global__ void __launch_bounds__(threads)
    spreadChannels(const Unit* __restrict__ from, Unit* __restrict__ to, unsigned count, unsigned toChannels,
                   unsigned fromChannels, int shift, const __grid_constant__ Sampling s) {
  for (unsigned i = firstIndex(); i < count; i += indexStep()) {
    const unsigned row = i / toChannels, channel = i % toChannels + (unsigned)shift;
    const unsigned w = row % s.toWidth, h = row / s.toWidth % s.toHeight, n = row / s.toWidth / s.toHeight;
    const unsigned source = (n * s.fromHeight + h / s.stride) * s.fromWidth + w / s.stride;
    const bool there = channel < fromChannels && w % s.stride == 0 && h % s.stride == 0 &&
                       h / s.stride < s.fromHeight && w / s.stride < s.fromWidth;
    to[i] = there ? from[source * fromChannels + channel] : filled(0);
  }
}

// A float as elements side by side.
__device__ inline unsigned patternOf(float value) {
  union {
    Element elements[4 / sizeof(Element)];
    unsigned bits;
  } pattern;
  for (Element& element : pattern.elements) fromFloat(value, element);
  return pattern.bits;
}

// Images moved down by `top` and right by `left`, in another frame; `value` where there is no image.
struct Frame {
  unsigned toHeight, toWidth, fromHeight, fromWidth;
  int top, left;
};
extern "C" __global__ void __launch_bounds__(threads)
    moveImages(const Unit* __restrict__ from, Unit* __restrict__ to, unsigned count, unsigned channels,
               const __grid_constant__ Frame f, float value) {
  const Unit outside = filled(patternOf(value));
  for (unsigned i = firstIndex(); i < count; i += indexStep()) {
    const unsigned row = i / channels, c = i % channels;
    const unsigned n = row / f.toWidth / f.toHeight;
    const unsigned h = row / f.toWidth % f.toHeight - (unsigned)f.top, w = row % f.toWidth - (unsigned)f.left;
    const bool inside = h < f.fromHeight && w < f.fromWidth;
    to[i] = inside ? from[((n * f.fromHeight + h) * f.fromWidth + w) * channels + c] : outside;
  }
}

// to[t] = from[source[t]] for rows, zeros where `source` is negative.
constexpr unsigned mostRows = 512;
struct Rows {
  int source[mostRows];
};
extern "C" __global__ void __launch_bounds__(threads)
    pickRows(const __grid_constant__ Rows rows, const Unit* __restrict__ from, Unit* __restrict__ to,
             unsigned count, unsigned width) {
  for (unsigned i = firstIndex(); i < count; i += indexStep()) {
    const int row = rows.source[i / width];
    to[i] = row >= 0 ? from[(unsigned)row * width + i % width] : filled(0);
  }
}

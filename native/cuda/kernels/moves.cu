// Moves of whole elements, whatever they are, a unit at a time: the largest of 16, 8, 4, 2 or 1 bytes that
// divides every width, offset and address. Widths, offsets and shifts are in units.

constexpr unsigned threads = 256;

template <class Unit>
__device__ inline Unit filled(unsigned pattern) {
  return (Unit)pattern;
}
template <>
__device__ inline uint2 filled<uint2>(unsigned pattern) {
  return make_uint2(pattern, pattern);
}
template <>
__device__ inline uint4 filled<uint4>(unsigned pattern) {
  return make_uint4(pattern, pattern, pattern, pattern);
}

// Tensors that lie one behind the other in every row of a result.
constexpr unsigned mostParts = 64;
struct Parts {
  const void* from[mostParts];
  unsigned width[mostParts], offset[mostParts];
};

template <class Unit>
__device__ inline void joinRows(const Parts& parts, Unit* to, unsigned rows, unsigned toWidth) {
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
template <class Unit>
__device__ inline void shiftChannels(const Unit* __restrict__ from, Unit* __restrict__ to, unsigned count,
                                     unsigned toChannels, unsigned fromChannels, int shift, const Sampling& s) {
  for (unsigned i = firstIndex(); i < count; i += indexStep()) {
    unsigned row = i / toChannels;
    const unsigned channel = i % toChannels + (unsigned)shift;  // wraps round below zero
    if (s.stride != 1) {
      const unsigned w = row % s.toWidth, h = row / s.toWidth % s.toHeight, n = row / s.toWidth / s.toHeight;
      row = (n * s.fromHeight + h * s.stride) * s.fromWidth + w * s.stride;
    }
    to[i] = channel < fromChannels ? from[row * fromChannels + channel] : filled<Unit>(0);
  }
}

// The reverse: zeros also at the pixels between.
template <class Unit>
__device__ inline void spreadChannels(const Unit* __restrict__ from, Unit* __restrict__ to, unsigned count,
                                      unsigned toChannels, unsigned fromChannels, int shift,
                                      const Sampling& s) {
  for (unsigned i = firstIndex(); i < count; i += indexStep()) {
    const unsigned row = i / toChannels, channel = i % toChannels + (unsigned)shift;
    const unsigned w = row % s.toWidth, h = row / s.toWidth % s.toHeight, n = row / s.toWidth / s.toHeight;
    const unsigned source = (n * s.fromHeight + h / s.stride) * s.fromWidth + w / s.stride;
    const bool there = channel < fromChannels && w % s.stride == 0 && h % s.stride == 0 &&
                       h / s.stride < s.fromHeight && w / s.stride < s.fromWidth;
    to[i] = there ? from[source * fromChannels + channel] : filled<Unit>(0);
  }
}

// Images moved down by `top` and right by `left`, in another frame; `pattern` where there is no image.
struct Frame {
  unsigned toHeight, toWidth, fromHeight, fromWidth;
  int top, left;
};
template <class Unit>
__device__ inline void moveImages(const Unit* __restrict__ from, Unit* __restrict__ to, unsigned count,
                                  unsigned channels, const Frame& f, unsigned pattern) {
  for (unsigned i = firstIndex(); i < count; i += indexStep()) {
    const unsigned row = i / channels, c = i % channels;
    const unsigned n = row / f.toWidth / f.toHeight;
    const unsigned h = row / f.toWidth % f.toHeight - (unsigned)f.top, w = row % f.toWidth - (unsigned)f.left;
    const bool inside = h < f.fromHeight && w < f.fromWidth;
    to[i] = inside ? from[((n * f.fromHeight + h) * f.fromWidth + w) * channels + c] : filled<Unit>(pattern);
  }
}

// to[t] = from[source[t]] for rows, zeros where `source` is negative.
constexpr unsigned mostRows = 512;
struct Rows {
  int source[mostRows];
};
template <class Unit>
__device__ inline void pickRows(const Rows& rows, const Unit* __restrict__ from, Unit* __restrict__ to,
                                unsigned count, unsigned width) {
  for (unsigned i = firstIndex(); i < count; i += indexStep()) {
    const int row = rows.source[i / width];
    to[i] = row >= 0 ? from[(unsigned)row * width + i % width] : filled<Unit>(0);
  }
}

#define FOVEA_MOVES(bytes, Unit)                                                                              \
  extern "C" __global__ void __launch_bounds__(threads)                                                       \
      joinRows##bytes(const __grid_constant__ Parts parts, Unit* to, unsigned rows, unsigned toWidth) {       \
    joinRows<Unit>(parts, to, rows, toWidth);                                                                 \
  }                                                                                                           \
  extern "C" __global__ void __launch_bounds__(threads)                                                       \
      shiftChannels##bytes(const Unit* from, Unit* to, unsigned count, unsigned toChannels,                   \
                           unsigned fromChannels, int shift, const __grid_constant__ Sampling sampling) {     \
    shiftChannels<Unit>(from, to, count, toChannels, fromChannels, shift, sampling);                          \
  }                                                                                                           \
  extern "C" __global__ void __launch_bounds__(threads)                                                       \
      spreadChannels##bytes(const Unit* from, Unit* to, unsigned count, unsigned toChannels,                  \
                            unsigned fromChannels, int shift, const __grid_constant__ Sampling sampling) {    \
    spreadChannels<Unit>(from, to, count, toChannels, fromChannels, shift, sampling);                         \
  }                                                                                                           \
  extern "C" __global__ void __launch_bounds__(threads)                                                       \
      moveImages##bytes(const Unit* from, Unit* to, unsigned count, unsigned channels,                        \
                        const __grid_constant__ Frame frame, unsigned pattern) {                              \
    moveImages<Unit>(from, to, count, channels, frame, pattern);                                              \
  }                                                                                                           \
  extern "C" __global__ void __launch_bounds__(threads)                                                       \
      pickRows##bytes(const __grid_constant__ Rows rows, const Unit* from, Unit* to, unsigned count,          \
                      unsigned width) {                                                                       \
    pickRows<Unit>(rows, from, to, count, width);                                                             \
  }

FOVEA_MOVES(16, uint4)
FOVEA_MOVES(8, uint2)
FOVEA_MOVES(4, unsigned)
FOVEA_MOVES(2, unsigned short)
FOVEA_MOVES(1, unsigned char)

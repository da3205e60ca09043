// Moves of whole elements, whatever they are, a unit at a time: the largest of 16, 8, 4, 2 or 1 bytes that
// divides every width, offset and address. Widths, offsets and shifts are in units.

constexpr u32 threads = 256;

template <class Unit>
__device__ inline Unit filled(u32 pattern) {
  return (Unit)pattern;
}
template <>
__device__ inline uint2 filled<uint2>(u32 pattern) {
  return make_uint2(pattern, pattern);
}
template <>
__device__ inline uint4 filled<uint4>(u32 pattern) {
  return make_uint4(pattern, pattern, pattern, pattern);
}

// Tensors that lie one behind the other in every row of a result.
constexpr u32 mostParts = 64;
struct Parts {
  const void* from[mostParts];
  u32 width[mostParts], offset[mostParts];
};

template <class Unit>
__device__ inline void joinRows(const Parts& parts, Unit* to, u32 rows, u32 toWidth) {
  const Unit* from = (const Unit*)parts.from[blockIdx.y];
  const u32 width = parts.width[blockIdx.y], count = rows * width;
  to += parts.offset[blockIdx.y];
  for (u32 i = firstIndex(); i < count; i += indexStep()) to[i / width * toWidth + i % width] = from[i];
}

// Images of `from` are sampled, or those of `to` are filled, at every `stride`th pixel in either direction.
struct Sampling {
  u32 stride, toHeight, toWidth, fromHeight, fromWidth;
};

// to[row, c] = from[its pixel's row, c + shift], zeros where that is no channel
template <class Unit>
__device__ inline void shiftChannels(const Unit* __restrict__ from, Unit* __restrict__ to, u32 count,
                                     u32 toChannels, u32 fromChannels, int shift, const Sampling& s) {
  for (u32 i = firstIndex(); i < count; i += indexStep()) {
    u32 row = i / toChannels;
    const u32 channel = i % toChannels + (u32)shift;  // wraps round below zero
    if (s.stride != 1) {
      const u32 w = row % s.toWidth, h = row / s.toWidth % s.toHeight, n = row / s.toWidth / s.toHeight;
      row = (n * s.fromHeight + h * s.stride) * s.fromWidth + w * s.stride;
    }
    to[i] = channel < fromChannels ? from[row * fromChannels + channel] : filled<Unit>(0);
  }
}

// The reverse: zeros also at the pixels between.
template <class Unit>
__device__ inline void spreadChannels(const Unit* __restrict__ from, Unit* __restrict__ to, u32 count,
                                      u32 toChannels, u32 fromChannels, int shift,
                                      const Sampling& s) {
  for (u32 i = firstIndex(); i < count; i += indexStep()) {
    const u32 row = i / toChannels, channel = i % toChannels + (u32)shift;
    const u32 w = row % s.toWidth, h = row / s.toWidth % s.toHeight, n = row / s.toWidth / s.toHeight;
    const u32 source = (n * s.fromHeight + h / s.stride) * s.fromWidth + w / s.stride;
    const bool there = channel < fromChannels && w % s.stride == 0 && h % s.stride == 0 &&
                       h / s.stride < s.fromHeight && w / s.stride < s.fromWidth;
    to[i] = there ? from[source * fromChannels + channel] : filled<Unit>(0);
  }
}

// Images moved down by `top` and right by `left`, in another frame; `pattern` where there is no image.
struct Frame {
  u32 toHeight, toWidth, fromHeight, fromWidth;
  int top, left;
};
template <class Unit>
__device__ inline void moveImages(const Unit* __restrict__ from, Unit* __restrict__ to, u32 count,
                                  u32 channels, const Frame& f, u32 pattern) {
  for (u32 i = firstIndex(); i < count; i += indexStep()) {
    const u32 row = i / channels, c = i % channels;
    const u32 n = row / f.toWidth / f.toHeight;
    const u32 h = row / f.toWidth % f.toHeight - (u32)f.top, w = row % f.toWidth - (u32)f.left;
    const bool inside = h < f.fromHeight && w < f.fromWidth;
    to[i] = inside ? from[((n * f.fromHeight + h) * f.fromWidth + w) * channels + c] : filled<Unit>(pattern);
  }
}

// to[t] = from[source[t]] for rows, zeros where `source` is negative.
constexpr u32 mostRows = 512;
struct Rows {
  int source[mostRows];
};
template <class Unit>
__device__ inline void pickRows(const Rows& rows, const Unit* __restrict__ from, Unit* __restrict__ to,
                                u32 count, u32 width) {
  for (u32 i = firstIndex(); i < count; i += indexStep()) {
    const int row = rows.source[i / width];
    to[i] = row >= 0 ? from[(u32)row * width + i % width] : filled<Unit>(0);
  }
}

#define FOVEA_MOVES(bytes, Unit)                                                                              \
  extern "C" __global__ void __launch_bounds__(threads)                                                       \
      joinRows##bytes(const __grid_constant__ Parts parts, Unit* to, u32 rows, u32 toWidth) {       \
    joinRows<Unit>(parts, to, rows, toWidth);                                                                 \
  }                                                                                                           \
  extern "C" __global__ void __launch_bounds__(threads)                                                       \
      shiftChannels##bytes(const Unit* from, Unit* to, u32 count, u32 toChannels,                   \
                           u32 fromChannels, int shift, const __grid_constant__ Sampling sampling) {     \
    shiftChannels<Unit>(from, to, count, toChannels, fromChannels, shift, sampling);                          \
  }                                                                                                           \
  extern "C" __global__ void __launch_bounds__(threads)                                                       \
      spreadChannels##bytes(const Unit* from, Unit* to, u32 count, u32 toChannels,                  \
                            u32 fromChannels, int shift, const __grid_constant__ Sampling sampling) {    \
    spreadChannels<Unit>(from, to, count, toChannels, fromChannels, shift, sampling);                         \
  }                                                                                                           \
  extern "C" __global__ void __launch_bounds__(threads)                                                       \
      moveImages##bytes(const Unit* from, Unit* to, u32 count, u32 channels,                        \
                        const __grid_constant__ Frame frame, u32 pattern) {                              \
    moveImages<Unit>(from, to, count, channels, frame, pattern);                                              \
  }                                                                                                           \
  extern "C" __global__ void __launch_bounds__(threads)                                                       \
      pickRows##bytes(const __grid_constant__ Rows rows, const Unit* from, Unit* to, u32 count,          \
                      u32 width) {                                                                       \
    pickRows<Unit>(rows, from, to, count, width);                                                             \
  }

FOVEA_MOVES(16, uint4)
FOVEA_MOVES(8, uint2)
FOVEA_MOVES(4, u32)
FOVEA_MOVES(2, unsigned short)
FOVEA_MOVES(1, unsigned char)

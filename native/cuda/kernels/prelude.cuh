// Put before every source, behind a line that defines FOVEA_ELEMENT: what activations are kept as. Arithmetic
// is in float, sums over many values in double. No includes, so that NVRTC needs no folder.

struct f32 {
  float value;
};
struct f16 {
  unsigned short bits;
};
struct bf16 {
  unsigned short bits;
};
using Element = FOVEA_ELEMENT;

__device__ inline float floatOfBits(unsigned bits) {
  union {
    unsigned bits;
    float value;
  } same;
  same.bits = bits;
  return same.value;
}
__device__ inline float notANumber() { return floatOfBits(0x7fc00000); }
__device__ inline float infinity() { return floatOfBits(0x7f800000); }
__device__ inline bool isFinite(float x) { return fabsf(x) < infinity(); }

__device__ inline float toFloat(f32 x) { return x.value; }
__device__ inline float toFloat(bf16 x) { return floatOfBits((unsigned)x.bits << 16); }

__device__ inline void fromFloat(float x, f32& to) { to.value = x; }

#ifdef __CUDACC_RTC__

__device__ inline float toFloat(f16 x) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
  return value;
}
__device__ inline void fromFloat(float x, f16& to) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(x)); }
__device__ inline void fromFloat(float x, bf16& to) {
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(x));
}

#else  // compiled for the host by a simulation

inline float toFloat(f16 x) {
  const unsigned sign = (unsigned)(x.bits & 0x8000) << 16, exponent = (x.bits >> 10) & 31, rest = x.bits & 1023;
  if (exponent != 0) return floatOfBits(sign | (exponent == 31 ? 255u : exponent + 112) << 23 | rest << 13);
  const float subnormal = (float)rest / 16777216.f;  // units of 2^-24
  return sign ? -subnormal : subnormal;
}
// Rounds what is above `keep` to the nearest, ties to even.
inline unsigned roundBits(unsigned value, unsigned dropped) {
  const unsigned half = 1u << (dropped - 1), odd = (value >> dropped) & 1;
  return (value + half - 1 + odd) >> dropped;
}
inline unsigned bitsOf(float x) {
  union {
    float value;
    unsigned bits;
  } same = {x};
  return same.bits;
}
inline void fromFloat(float x, f16& to) {
  const unsigned sign = (bitsOf(x) >> 16) & 0x8000, magnitude = bitsOf(x) & 0x7fffffff;
  unsigned result;
  if (magnitude > 0x7f800000)
    result = 0x7fff;
  else if (magnitude >= 0x477ff000)  // 65520 and above
    result = 0x7c00;
  else if (magnitude >= 0x38800000)
    result = roundBits(magnitude - 0x38000000, 13);
  else if (magnitude < 0x33000000)
    result = 0;
  else
    result = roundBits((magnitude & 0x7fffff) | 0x800000, 126 - (magnitude >> 23));
  to.bits = (unsigned short)(sign | result);
}
inline void fromFloat(float x, bf16& to) {
  to.bits = (unsigned short)(x != x ? 0x7fff : roundBits(bitsOf(x), 16));
}

#endif

// Four neighbours in one access. `aligned` says whether all of a kernel's pointers allow that.
struct Four {
  float at[4];
};
struct alignas(16) FourF32 {
  f32 at[4];
};
struct alignas(8) FourF16 {
  f16 at[4];
};
struct alignas(8) FourBf16 {
  bf16 at[4];
};
template <class T>
struct Packed;
template <>
struct Packed<f32> {
  using Type = FourF32;
};
template <>
struct Packed<f16> {
  using Type = FourF16;
};
template <>
struct Packed<bf16> {
  using Type = FourBf16;
};

template <class T>
__device__ inline float load(const T* from, unsigned i) {
  return toFloat(from[i]);
}
template <class T>
__device__ inline void store(T* to, unsigned i, float value) {
  fromFloat(value, to[i]);
}
template <class T>
__device__ inline Four load4(const T* from, unsigned i) {
  const typename Packed<T>::Type packed = *(const typename Packed<T>::Type*)(from + i);
  return {toFloat(packed.at[0]), toFloat(packed.at[1]), toFloat(packed.at[2]), toFloat(packed.at[3])};
}
template <class T>
__device__ inline void store4(T* to, unsigned i, const Four& value) {
  typename Packed<T>::Type packed;
  for (int k = 0; k < 4; ++k) fromFloat(value.at[k], packed.at[k]);
  *(typename Packed<T>::Type*)(to + i) = packed;
}

__device__ inline unsigned firstIndex() { return blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline unsigned indexStep() { return gridDim.x * blockDim.x; }

// The sum, or the greatest, of what all threads of a block have, for every one of them. The block has a power
// of two threads, `shared` as many places. Added in the same order at each run.
template <class T>
__device__ inline T blockSum(T value, T* shared) {
  shared[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  const T sum = shared[0];
  __syncthreads();
  return sum;
}
__device__ inline float blockMaximum(float value, float* shared) {
  shared[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] = fmaxf(shared[threadIdx.x], shared[threadIdx.x + half]);
    __syncthreads();
  }
  const float greatest = shared[0];
  __syncthreads();
  return greatest;
}

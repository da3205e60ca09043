// Stands before every other file here; between the two are macros, such as T, the type of the elements: float,
// half_t or bfloat_t. Arithmetic is in float, sums over many values in double. No header is included, so that NVRTC
// needs none of the toolkit's.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

struct half_t {
  u16 bits;
};
struct bfloat_t {
  u16 bits;
};
typedef float f32;
typedef half_t f16;
typedef bfloat_t bf16;

__device__ inline float floatOfBits(u32 bits) {
  union {
    u32 bits;
    float value;
  } same;
  same.bits = bits;
  return same.value;
}
__device__ inline u32 bitsOf(float value) {
  union {
    float value;
    u32 bits;
  } same;
  same.value = value;
  return same.bits;
}
__device__ inline float notANumber() { return floatOfBits(0x7fc00000); }
__device__ inline float infinity() { return floatOfBits(0x7f800000); }
__device__ inline bool isFinite(float x) { return fabsf(x) < infinity(); }

__device__ inline float toFloat(float value) { return value; }
__device__ inline float toFloat(int value) { return (float)value; }
__device__ inline float toFloat(u8 value) { return (float)value; }
__device__ inline float toFloat(bfloat_t value) { return floatOfBits((u32)value.bits << 16); }

// To the nearest, ties to even.
__device__ inline void fromFloat(float value, float& to) { to = value; }
__device__ inline void fromFloat(float value, bfloat_t& to) {
  const u32 bits = bitsOf(value);
  to.bits = (bits & 0x7fffffff) > 0x7f800000 ? (u16)(bits >> 16 | 0x40)
                                             : (u16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#ifdef __CUDA_ARCH__

__device__ inline float toFloat(half_t value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}
__device__ inline void fromFloat(float value, half_t& to) {
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(value));
}

#else  // compiled for the host by a simulation

inline float toFloat(half_t value) {
  const u32 sign = (u32)(value.bits & 0x8000) << 16, exponent = value.bits >> 10 & 31, rest = value.bits & 1023;
  if (exponent != 0) return floatOfBits(sign | (exponent == 31 ? 255u : exponent + 112) << 23 | rest << 13);
  const float subnormal = (float)rest / 16777216.f;  // units of 2^-24
  return sign ? -subnormal : subnormal;
}
inline u32 roundedBits(u32 value, u32 dropped) {
  const u32 half = 1u << (dropped - 1), odd = value >> dropped & 1;
  return (value + half - 1 + odd) >> dropped;
}
inline void fromFloat(float value, half_t& to) {
  const u32 sign = bitsOf(value) >> 16 & 0x8000, magnitude = bitsOf(value) & 0x7fffffff;
  u32 result;
  if (magnitude > 0x7f800000)
    result = 0x7fff;
  else if (magnitude >= 0x477ff000)  // 65520 and above
    result = 0x7c00;
  else if (magnitude >= 0x38800000)
    result = roundedBits(magnitude - 0x38000000, 13);
  else if (magnitude < 0x33000000)
    result = 0;
  else
    result = roundedBits((magnitude & 0x7fffff) | 0x800000, 126 - (magnitude >> 23));
  to.bits = (u16)(sign | result);
}

#endif

template <class To>
__device__ inline To fromFloat(float value) {
  To result;
  fromFloat(value, result);
  return result;
}
template <class To>
__device__ inline void put(To* to, To value) {
  *to = value;
}
template <class To, class From>
__device__ inline void put(To* to, From value) {
  *to = fromFloat<To>(toFloat(value));
}

// Neighbours in memory, read and written at once.
template <class Element, int count>
struct alignas(sizeof(Element) * count) Pack {
  Element at[count];
};

template <class Element>
__device__ inline float load(const Element* from, u32 i) {
  return toFloat(from[i]);
}
template <class Element>
__device__ inline void store(Element* to, u32 i, float value) {
  fromFloat(value, to[i]);
}
struct Four {
  float at[4];
};
template <class Element>
__device__ inline Four load4(const Element* from, u32 i) {
  const Pack<Element, 4> packed = *(const Pack<Element, 4>*)(from + i);
  return {toFloat(packed.at[0]), toFloat(packed.at[1]), toFloat(packed.at[2]), toFloat(packed.at[3])};
}
template <class Element>
__device__ inline void store4(Element* to, u32 i, const Four& value) {
  Pack<Element, 4> packed;
  for (int k = 0; k < 4; ++k) fromFloat(value.at[k], packed.at[k]);
  *(Pack<Element, 4>*)(to + i) = packed;
}

// Blocks and grids of one dimension.
__device__ inline u32 firstIndex() { return blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline u32 indexStep() { return gridDim.x * blockDim.x; }
__device__ inline i64 globalThread() { return (i64)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline i64 globalThreads() { return (i64)gridDim.x * blockDim.x; }

// NaN stays NaN.
__device__ inline float positive(float value) { return value <= 0 ? 0.f : value; }

// The sum, or the greatest, of what all threads of a block have, for every one of them. The block has a power
// of two threads, `shared` as many places. Added in the same order at each run.
template <class Value>
__device__ inline Value blockSum(Value value, Value* shared) {
  shared[threadIdx.x] = value;
  __syncthreads();
  for (u32 half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  const Value sum = shared[0];
  __syncthreads();
  return sum;
}
__device__ inline float blockMaximum(float value, float* shared) {
  shared[threadIdx.x] = value;
  __syncthreads();
  for (u32 half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] = fmaxf(shared[threadIdx.x], shared[threadIdx.x + half]);
    __syncthreads();
  }
  const float greatest = shared[0];
  __syncthreads();
  return greatest;
}

// The t with begin[t] <= index < begin[t + 1].
__device__ inline u32 owner(const u32* begin, u32 count, u32 index) {
  u32 low = 0;
  for (u32 high = count; high - low > 1;) {
    const u32 middle = (low + high) / 2;
    if (begin[middle] <= index)
      low = middle;
    else
      high = middle;
  }
  return low;
}

// The CUDA language for a C++ compiler: comes before the source of every kernel that the simulated NVRTC
// compiles. No header of the standard library, since NVRTC has none either: a kernel that forgets to declare
// what it uses must not compile here.
#pragma once
#include "kernel_abi.h"

#define __device__
#define __host__
#define __global__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __shared__ static __attribute__((section("cudasim_shared")))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) alignas(bytes)
#define __restrict__ __restrict

using size_t = decltype(sizeof 0);
using uint3 = cudasim::Position;
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};

// Written by the simulator before each thread goes on. Not static: the compiler must read them again.
cudasim::Position threadIdx, blockIdx, blockDim, gridDim;
const cudasim::Services* cudasimServices;
constexpr int warpSize = 32;

#define CUDASIM_VECTOR(type, name, bytes)                                       \
  struct alignas(bytes * 2) name##2 { type x, y; };                             \
  struct name##3 { type x, y, z; };                                             \
  struct alignas(bytes * 4 > 16 ? 16 : bytes * 4) name##4 { type x, y, z, w; }; \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }              \
  inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }   \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
#define CUDASIM_VECTORS                     \
  CUDASIM_VECTOR(float, float, 4)           \
  CUDASIM_VECTOR(double, double, 8)         \
  CUDASIM_VECTOR(int, int, 4)               \
  CUDASIM_VECTOR(short, short, 2)           \
  CUDASIM_VECTOR(unsigned short, ushort, 2) \
  CUDASIM_VECTOR(signed char, char, 1)      \
  CUDASIM_VECTOR(unsigned char, uchar, 1)   \
  CUDASIM_VECTOR(long long, longlong, 8)
CUDASIM_VECTORS
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// ---- mathematics

#define CUDASIM_UNARY(name)                 \
  extern "C" float name##f(float) noexcept; \
  extern "C" double name(double) noexcept;  \
  inline float name(float x) { return name##f(x); }
#define CUDASIM_UNARIES                                                                                 \
  CUDASIM_UNARY(sqrt)                                                                                   \
  CUDASIM_UNARY(exp)                                                                                    \
  CUDASIM_UNARY(exp2)                                                                                   \
  CUDASIM_UNARY(expm1) CUDASIM_UNARY(log) CUDASIM_UNARY(log2) CUDASIM_UNARY(log10) CUDASIM_UNARY(log1p) \
      CUDASIM_UNARY(sin) CUDASIM_UNARY(cos) CUDASIM_UNARY(tan) CUDASIM_UNARY(tanh) CUDASIM_UNARY(cosh)  \
          CUDASIM_UNARY(sinh) CUDASIM_UNARY(erf) CUDASIM_UNARY(cbrt) CUDASIM_UNARY(fabs)                \
              CUDASIM_UNARY(floor) CUDASIM_UNARY(ceil) CUDASIM_UNARY(trunc) CUDASIM_UNARY(rint)         \
                  CUDASIM_UNARY(round) CUDASIM_UNARY(nearbyint)
CUDASIM_UNARIES
#define CUDASIM_BINARY(name)                       \
  extern "C" float name##f(float, float) noexcept; \
  extern "C" double name(double, double) noexcept; \
  inline float name(float x, float y) { return name##f(x, y); }
CUDASIM_BINARY(pow)
CUDASIM_BINARY(fmax)
CUDASIM_BINARY(fmin)
CUDASIM_BINARY(fmod)
CUDASIM_BINARY(atan2)
CUDASIM_BINARY(copysign)
extern "C" float fmaf(float, float, float) noexcept;
extern "C" double fma(double, double, double) noexcept;
inline float fma(float x, float y, float z) { return fmaf(x, y, z); }
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
template <class T>
inline bool isnan(T x) {
  return __builtin_isnan(x);
}
template <class T>
inline bool isinf(T x) {
  return __builtin_isinf_sign(x) != 0;
}
template <class T>
inline bool isfinite(T x) {
  return __builtin_isfinite(x);
}
template <class T>
inline bool signbit(T x) {
  return __builtin_signbit(x);
}
#define CUDASIM_ORDER(type)                                 \
  inline type max(type a, type b) { return a < b ? b : a; } \
  inline type min(type a, type b) { return b < a ? b : a; }
CUDASIM_ORDER(int)
CUDASIM_ORDER(unsigned)
CUDASIM_ORDER(long)
CUDASIM_ORDER(unsigned long)
CUDASIM_ORDER(long long)
CUDASIM_ORDER(unsigned long long)
inline float max(float a, float b) { return fmaxf(a, b); }
inline float min(float a, float b) { return fminf(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline int abs(int x) { return x < 0 ? -x : x; }
inline float abs(float x) { return fabsf(x); }
inline double abs(double x) { return fabs(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.f) : 0.f; }

// ---- bits

template <class To, class From>
inline To cudasimCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "");
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}
inline unsigned __float_as_uint(float x) { return cudasimCast<unsigned>(x); }
inline int __float_as_int(float x) { return cudasimCast<int>(x); }
inline float __uint_as_float(unsigned x) { return cudasimCast<float>(x); }
inline float __int_as_float(int x) { return cudasimCast<float>(x); }
inline long long __double_as_longlong(double x) { return cudasimCast<long long>(x); }
inline double __longlong_as_double(long long x) { return cudasimCast<double>(x); }
inline float __double2float_rn(double x) { return (float)x; }
inline float __int2float_rn(int x) { return (float)x; }
inline float __uint2float_rn(unsigned x) { return (float)x; }
inline int __float2int_rn(float x) { return (int)rintf(x); }
inline int __float2int_rz(float x) { return (int)x; }
inline unsigned __float2uint_rz(float x) { return (unsigned)x; }
inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned)((unsigned long long)x * y >> 32); }
inline int __mulhi(int x, int y) { return (int)((long long)x * y >> 32); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
  return (unsigned long long)((unsigned __int128)x * y >> 64);
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
inline int __ffs(int x) { return __builtin_ffs(x); }

// What the conversions of PTX do; the simulated NVRTC puts these in place of the assembly.
inline float cudasim_cvt_f32_f16(unsigned short bits) { return (float)cudasimCast<_Float16>(bits); }
inline unsigned short cudasim_cvt_rn_f16_f32(float x) { return cudasimCast<unsigned short>((_Float16)x); }
inline unsigned short cudasim_cvt_rn_bf16_f32(float x) {
  const unsigned bits = __float_as_uint(x);
  if (isnan(x)) return 0x7fff;
  return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// ---- memory

template <class T>
inline T __ldg(const T* from) {
  return *from;
}
template <class T>
inline T __ldcs(const T* from) {
  return *from;
}
template <class T>
inline void __stcs(T* to, T value) {
  *to = value;
}
template <class T>
inline T cudasimAtomic(T* at, T value) {
  const T before = *at;
  *at = value;
  return before;
}
#define CUDASIM_ATOMIC(type)                                                               \
  inline type atomicAdd(type* at, type x) { return cudasimAtomic(at, (type)(*at + x)); }   \
  inline type atomicExch(type* at, type x) { return cudasimAtomic(at, x); }                \
  inline type atomicMax(type* at, type x) { return cudasimAtomic(at, x > *at ? x : *at); } \
  inline type atomicMin(type* at, type x) { return cudasimAtomic(at, x < *at ? x : *at); } \
  inline type atomicOr(type* at, type x) { return cudasimAtomic(at, (type)(*at | x)); }    \
  inline type atomicAnd(type* at, type x) { return cudasimAtomic(at, (type)(*at & x)); }   \
  inline type atomicCAS(type* at, type compare, type x) {                                  \
    return cudasimAtomic(at, *at == compare ? x : *at);                                    \
  }
CUDASIM_ATOMIC(int)
CUDASIM_ATOMIC(unsigned)
CUDASIM_ATOMIC(unsigned long long)
inline float atomicAdd(float* at, float x) { return cudasimAtomic(at, *at + x); }
inline double atomicAdd(double* at, double x) { return cudasimAtomic(at, *at + x); }
inline float atomicExch(float* at, float x) { return cudasimAtomic(at, x); }
inline void __threadfence() {}
inline void __threadfence_block() {}

// ---- other threads

inline void __syncthreads() { cudasimServices->barrier(); }
inline int __syncthreads_count(int x) { return (int)cudasimServices->count(x != 0); }
inline int __syncthreads_or(int x) { return cudasimServices->count(x != 0) > 0; }
inline int __syncthreads_and(int x) { return cudasimServices->count(x == 0) == 0; }
inline void __trap() { cudasimServices->trap(); }
inline void __syncwarp(unsigned mask = 0xffffffff) { cudasimServices->exchange(mask, 0); }
template <class T>
inline T cudasimShuffle(unsigned mask, T value, unsigned from) {
  static_assert(sizeof(T) <= 8, "");
  unsigned long long word = 0;
  __builtin_memcpy(&word, &value, sizeof value);
  const unsigned long long* words = cudasimServices->exchange(mask, word);
  // What a lane outside the mask has is not known.
  const unsigned long long unknown = ~0ull;
  __builtin_memcpy(&value, (mask >> from & 1) ? &words[from] : &unknown, sizeof value);
  return value;
}
template <class T>
inline T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
  const unsigned lane = cudasimServices->lane(), base = lane / width * width;
  return cudasimShuffle(mask, value, base + (unsigned)from % width);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const unsigned lane = cudasimServices->lane(), base = lane / width * width;
  return cudasimShuffle(mask, value, lane - base >= delta ? lane - delta : lane);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const unsigned lane = cudasimServices->lane(), base = lane / width * width;
  return cudasimShuffle(mask, value, lane - base + delta < (unsigned)width ? lane + delta : lane);
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  const unsigned lane = cudasimServices->lane(), other = lane ^ (unsigned)bits;
  return cudasimShuffle(mask, value, other / width <= lane / width ? other : lane);
}
inline unsigned __ballot_sync(unsigned mask, int value) {
  const unsigned long long* words = cudasimServices->exchange(mask, value != 0);
  unsigned bits = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    if ((mask >> lane & 1) && words[lane] == 1) bits |= 1u << lane;
  return bits;
}
inline int __any_sync(unsigned mask, int value) { return __ballot_sync(mask, value) != 0; }
inline int __all_sync(unsigned mask, int value) { return __ballot_sync(mask, !value) == 0; }

// ---- how the simulator calls kernels

alignas(256) unsigned char cudasimDynamicShared[cudasim::dynamicSharedBytes];
static unsigned char cudasimSomeShared __attribute__((section("cudasim_shared"), used));
extern "C" unsigned char __start_cudasim_shared[] __attribute__((visibility("hidden")));
extern "C" unsigned char __stop_cudasim_shared[] __attribute__((visibility("hidden")));

template <class T>
struct CudasimIsPointer {
  static constexpr bool value = false;
};
template <class T>
struct CudasimIsPointer<T*> {
  static constexpr bool value = true;
};
template <class T>
struct CudasimPlain {
  using Type = T;
};
template <class T>
struct CudasimPlain<const T> {
  using Type = T;
};
template <unsigned... I>
struct CudasimIndices {};
template <unsigned N, unsigned... I>
struct CudasimCount : CudasimCount<N - 1, N - 1, I...> {};
template <unsigned... I>
struct CudasimCount<0, I...> {
  using Type = CudasimIndices<I...>;
};

template <auto kernel>
struct CudasimLaunch;
template <class... A, void (*kernel)(A...)>
struct CudasimLaunch<kernel> {
  static constexpr unsigned count = sizeof...(A);
  static constexpr cudasim::Parameter parameters[count + 1] = {{sizeof(A), CudasimIsPointer<A>::value}...,
                                                               {0, false}};

  template <unsigned... I>
  static void invoke(void** arguments, CudasimIndices<I...>) {
    (void)arguments;
    kernel(*static_cast<typename CudasimPlain<A>::Type*>(arguments[I])...);
  }
  static void call(void** arguments) { invoke(arguments, typename CudasimCount<count>::Type{}); }
  static void callAll(void** arguments, unsigned threads, const unsigned* order) {
    for (unsigned i = 0; i < threads; ++i) {
      const unsigned thread = order ? order[i] : i;
      threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / (blockDim.x * blockDim.y)};
      call(arguments);
    }
  }
};

template <class First, class... Rest>
constexpr unsigned cudasimFirst(First first, Rest...) {
  return (unsigned)first;
}
#define CUDASIM_KERNEL(name, ...)                                                                      \
  {                                                                                                    \
#name, CudasimLaunch < &name> ::call, CudasimLaunch < &name> ::callAll,                            \
        CudasimLaunch < &name> ::parameters, CudasimLaunch < &name> ::count, cudasimFirst(__VA_ARGS__) \
  }

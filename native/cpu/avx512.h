#pragma once
#include <dnnl.hpp>

// What our own kernels for AVX-512 have in common. Their functions stand between FOVEA_AVX512_BEGIN and
// FOVEA_AVX512_END, where the compiler may use these instructions, which it may not in the rest of the addon;
// nothing there may run unless hasAvx512().
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#define FOVEA_AVX512
// GCC 12 takes the intrinsics' own placeholders for variables without a value.
#define FOVEA_AVX512_BEGIN                                                                      \
  _Pragma("GCC push_options") _Pragma("GCC target(\"avx512f,avx512bw,avx512dq,avx512vl,fma\")") \
      _Pragma("GCC diagnostic ignored \"-Wuninitialized\"")                                     \
          _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"")
#define FOVEA_AVX512_END _Pragma("GCC pop_options")
#endif

namespace fovea::cpu {

inline bool hasAvx512() {
#ifdef FOVEA_AVX512
  return dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core;
#else
  return false;
#endif
}

}  // namespace fovea::cpu

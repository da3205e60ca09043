#pragma once

// For our own loops that compute rather than copy: the compiler makes one version an instruction set, and the
// loader takes the best that the processor has. The build itself assumes no more than the architecture does.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOVEA_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOVEA_SIMD
#endif

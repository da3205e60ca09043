#pragma once

namespace bench {

// What the machine can do at most, with all threads.
struct Ceilings {
  double flops;  // a second, in a product of two large f32 matrices by the library
  double bytes;  // a second, in a[i] = b[i] + s * c[i] over arrays that no cache holds
};

// The best of some runs.
Ceilings ceilings();

}  // namespace bench

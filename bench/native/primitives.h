#pragma once
#include <dnnl.hpp>
#include <vector>

#include "problem.h"

namespace bench {

// Every implementation that the library has for a problem, its own first choice first, in the layouts that it
// likes best (convolutions, linear layers) or in the one that the problem names. Empty where the library has
// no such operation.
std::vector<dnnl::primitive_desc_base> implementations(const Problem& problem, const dnnl::engine& engine);

}  // namespace bench

#pragma once
#include "plan.h"

namespace fovea {

// Throws INVALID_ARGUMENT where a plan is not one that can be compiled: numbers out of range, phases that do
// not cover the instructions in order, a buffer that is read before it is written or written twice.
void check(const Plan& plan);

// The same of one tensor's dimensions.
void check(const TensorSpec& spec, const std::string& where);

const char* nameOf(const ops::Any& attributes);

constexpr const char* constantsPhase = "constants";

}  // namespace fovea

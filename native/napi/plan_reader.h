#pragma once
#include <napi.h>

#include "../plan.h"

namespace fovea {

// A checked copy of a plan object. Throws INVALID_ARGUMENT that names the malformed field.
Plan readPlan(Napi::Value plan);
DType readDType(Napi::Value value, const std::string& where);
Shape readShape(Napi::Value value, const std::string& where);

// Every operation with its attributes and their kinds.
Napi::Object schema(Napi::Env env);

}  // namespace fovea

#pragma once
#include <napi.h>

namespace fovea {

// inspectCuda(folders): a promise of what there is of CUDA, for lists of devices and for diagnosis. What is
// not there is no failure: `driverProblem` and `librariesProblem` are the errors that opening a device would
// throw.
Napi::Value inspectCuda(const Napi::CallbackInfo& info);

}  // namespace fovea

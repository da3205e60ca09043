#pragma once
#include <napi.h>

namespace fovea {

// inspectCuda({ cudaFolders, libraries, freeMemory }): a promise of what there is of CUDA, for lists of
// devices and for diagnosis; libraries other than the driver are looked at only if asked for. What is not
// there is no failure: `driverProblem` and `librariesProblem` are the errors that opening a device would
// throw.
Napi::Value inspectCuda(const Napi::CallbackInfo& info);

}  // namespace fovea

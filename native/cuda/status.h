#pragma once
#include <cstddef>
#include <string>

#include "error.h"
#include "libraries.h"

namespace fovea::cuda {

// Throws for every status but success: OUT_OF_MEMORY where that is what the library says, else BACKEND; the
// message has the call, the status by name and number and the library's own words.
void check(const Libraries& libraries, cudaError_t status, const char* call);
void check(const Libraries& libraries, CUresult status, const char* call);
void check(const Libraries& libraries, cudnnStatus_t status, const char* call);
void check(const Libraries& libraries, cublasStatus_t status, const char* call);
void check(const Libraries& libraries, nvrtcResult status, const char* call);

// For a GPU that cannot give `asked` bytes to a device object that holds `live`.
Error outOfMemory(const Libraries& libraries, const char* call, size_t asked, size_t live);

}  // namespace fovea::cuda

// check(libraries, libraries.runtime.cudaFree(p), "cudaFree"), with the call's name written once. Within it
// the table's name stands for itself: FOVEA_CUDA_CALL(libraries, runtime, cudaFree, p).
#define FOVEA_CUDA_CALL(libraries, table, name, ...) \
  ::fovea::cuda::check((libraries), (libraries).table.name(__VA_ARGS__), #name)

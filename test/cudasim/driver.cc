// The driver's calls: devices, modules and launches.
#include <dlfcn.h>

#include <cstring>
#include <set>

#include "block.h"
#include "cubin.h"
#include "device.h"
#include "memory.h"
#include "queue.h"

namespace cudasim {
namespace {

// A module that was loaded on one device.
struct LoadedModule {
  std::unique_ptr<void, int (*)(void*)> library;
  const Module* module;
  int device;
};
struct Function {
  std::shared_ptr<LoadedModule> owner;
  const Kernel* kernel;
};
struct Context {
  int device, uses = 0;
};

Registry<LoadedModule, CUmodule>& modules() {
  static auto& registry = *std::make_unique<Registry<LoadedModule, CUmodule>>(Slot::modules).release();
  return registry;
}

// Functions live as long as their module: they have no gauge of their own.
std::map<CUfunction, std::shared_ptr<Function>>& functions() {
  static auto& map = *std::make_unique<std::map<CUfunction, std::shared_ptr<Function>>>().release();
  return map;
}

std::map<int, Context>& contexts() {
  static auto& map = *std::make_unique<std::map<int, Context>>().release();
  return map;
}

std::vector<int>& contextStack() {
  thread_local std::vector<int> devices;
  return devices;
}

bool& initialized() {
  static bool value = false;
  return value;
}

CUresult refuse(const char* call, CUresult result, const std::string& why) {
  complain(call, why);
  return result;
}

std::string spell(const Position& p) {
  return std::to_string(p.x) + " x " + std::to_string(p.y) + " x " + std::to_string(p.z);
}

// Why a launch is not possible; empty where it is.
std::string wrongShape(const Function& function, const Launch& launch) {
  const auto& [grid, block, shared] = launch;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535)
    return "a grid of " + spell(grid);
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > maxThreads || block.x > 1024 || block.y > 1024 || block.z > 64)
    return "blocks of " + spell(block);
  if (function.kernel->mostThreads && threads > function.kernel->mostThreads)
    return "blocks of " + std::to_string(threads) + " threads, where __launch_bounds__ says " +
           std::to_string(function.kernel->mostThreads);
  if (shared > sharedMemory) return std::to_string(shared) + " bytes of dynamic shared memory";
  return {};
}

// Which parameter is a pointer to what is no device memory; empty where none is.
std::string wrongPointer(const Kernel& kernel, void* const* arguments) {
  for (unsigned i = 0; i < kernel.parameterCount; ++i) {
    if (!kernel.parameters[i].pointer) continue;
    const void* pointer = nullptr;
    std::memcpy(&pointer, arguments[i], sizeof pointer);
    if (pointer && !deviceMemory().covers(pointer))
      return "parameter " + std::to_string(i) + " points to no device memory";
  }
  return {};
}

// The parameters' values, which the caller may change after the call.
struct Arguments {
  std::vector<std::max_align_t> storage;
  std::vector<size_t> places;

  Arguments(const Kernel& kernel, void* const* given) {
    size_t units = 0;
    for (unsigned i = 0; i < kernel.parameterCount; ++i) {
      places.push_back(units);
      units += (kernel.parameters[i].bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t);
    }
    storage.resize(units);
    for (unsigned i = 0; i < kernel.parameterCount; ++i)
      std::memcpy(&storage[places[i]], given[i], kernel.parameters[i].bytes);
  }
  std::vector<void*> pointers() {
    std::vector<void*> result;
    for (const size_t place : places) result.push_back(&storage[place]);
    return result;
  }
};

}  // namespace
}  // namespace cudasim

using namespace cudasim;

extern "C" {

CUresult cuInit(unsigned flags) {
  CUDASIM_ENTER(cuInit, CUDA_ERROR_UNKNOWN);
  if (flags != 0) return refuse("cuInit", CUDA_ERROR_INVALID_VALUE, "flags must be 0");
  if (deviceCount() == 0) return CUDA_ERROR_NO_DEVICE;
  initialized() = true;
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int* version) {
  CUDASIM_ENTER(cuDriverGetVersion, CUDA_ERROR_UNKNOWN);
  *version = driverVersion();
  return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char** name) {
  CUDASIM_ENTER(cuGetErrorName, CUDA_ERROR_INVALID_VALUE);
  switch (error) {
    case CUDA_SUCCESS:
      *name = "CUDA_SUCCESS";
      break;
    case CUDA_ERROR_OUT_OF_MEMORY:
      *name = "CUDA_ERROR_OUT_OF_MEMORY";
      break;
    case CUDA_ERROR_NO_DEVICE:
      *name = "CUDA_ERROR_NO_DEVICE";
      break;
    case CUDA_ERROR_INVALID_VALUE:
      *name = "CUDA_ERROR_INVALID_VALUE";
      break;
    case CUDA_ERROR_NOT_FOUND:
      *name = "CUDA_ERROR_NOT_FOUND";
      break;
    default:
      *name = "CUDA_ERROR_UNKNOWN";
  }
  return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char** text) {
  CUDASIM_ENTER(cuGetErrorString, CUDA_ERROR_INVALID_VALUE);
  *text = error == CUDA_SUCCESS ? "no error" : "an error of the simulated driver";
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int* count) {
  CUDASIM_ENTER(cuDeviceGetCount, CUDA_ERROR_UNKNOWN);
  if (!initialized()) return refuse("cuDeviceGetCount", CUDA_ERROR_NOT_INITIALIZED, "cuInit comes first");
  *count = deviceCount();
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  CUDASIM_ENTER(cuDeviceGet, CUDA_ERROR_UNKNOWN);
  if (!initialized()) return refuse("cuDeviceGet", CUDA_ERROR_NOT_INITIALIZED, "cuInit comes first");
  if (ordinal < 0 || ordinal >= deviceCount())
    return refuse("cuDeviceGet", CUDA_ERROR_INVALID_DEVICE, "no device " + std::to_string(ordinal));
  *device = ordinal;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
  CUDASIM_ENTER(cuDeviceGetName, CUDA_ERROR_UNKNOWN);
  if (device < 0 || device >= deviceCount() || length < 1)
    return refuse("cuDeviceGetName", CUDA_ERROR_INVALID_VALUE, "no such device, or no room for its name");
  std::strncpy(name, nameOf(device).c_str(), static_cast<size_t>(length));
  name[length - 1] = '\0';
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device) {
  CUDASIM_ENTER(cuDeviceGetAttribute, CUDA_ERROR_UNKNOWN);
  if (device < 0 || device >= deviceCount() || !attributeOf(attribute, value))
    return refuse("cuDeviceGetAttribute", CUDA_ERROR_INVALID_VALUE,
                  "no such device, or an attribute that is not simulated");
  return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
  CUDASIM_ENTER(cuDeviceTotalMem_v2, CUDA_ERROR_UNKNOWN);
  if (device < 0 || device >= deviceCount())
    return refuse("cuDeviceTotalMem_v2", CUDA_ERROR_INVALID_DEVICE, "no such device");
  *bytes = memoryOf(device);
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  CUDASIM_ENTER(cuDevicePrimaryCtxRetain, CUDA_ERROR_OUT_OF_MEMORY);
  if (!initialized() || device < 0 || device >= deviceCount())
    return refuse("cuDevicePrimaryCtxRetain", CUDA_ERROR_INVALID_DEVICE, "no such device, or before cuInit");
  Context& primary = contexts()[device];
  primary.device = device;
  ++primary.uses;
  ++State::instance()[Slot::primaryContexts];
  *context = reinterpret_cast<CUcontext>(&primary);
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  CUDASIM_LEAVE(cuDevicePrimaryCtxRelease_v2);
  if (contexts()[device].uses == 0)
    return refuse("cuDevicePrimaryCtxRelease_v2", CUDA_ERROR_INVALID_CONTEXT, "released more than retained");
  --contexts()[device].uses;
  --State::instance()[Slot::primaryContexts];
  return injected ? CUDA_ERROR_UNKNOWN : CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent_v2(CUcontext context) {
  CUDASIM_ENTER(cuCtxPushCurrent_v2, CUDA_ERROR_UNKNOWN);
  for (const auto& [device, primary] : contexts())
    if (reinterpret_cast<CUcontext>(const_cast<Context*>(&primary)) == context && primary.uses > 0) {
      contextStack().push_back(currentDevice());
      currentDevice() = device;
      return CUDA_SUCCESS;
    }
  return refuse("cuCtxPushCurrent_v2", CUDA_ERROR_INVALID_CONTEXT, "unknown context");
}

CUresult cuCtxPopCurrent_v2(CUcontext* context) {
  CUDASIM_LEAVE(cuCtxPopCurrent_v2);
  if (contextStack().empty())
    return refuse("cuCtxPopCurrent_v2", CUDA_ERROR_INVALID_CONTEXT, "nothing was pushed");
  if (context) *context = reinterpret_cast<CUcontext>(&contexts()[currentDevice()]);
  currentDevice() = contextStack().back();
  contextStack().pop_back();
  return injected ? CUDA_ERROR_UNKNOWN : CUDA_SUCCESS;
}

CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
  CUDASIM_ENTER(cuMemGetInfo_v2, CUDA_ERROR_UNKNOWN);
  *total = memoryOf(currentDevice());
  *free = *total - deviceMemory().used(currentDevice());
  return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  CUDASIM_ENTER(cuModuleLoadData, CUDA_ERROR_OUT_OF_MEMORY);
  if (refuseInCapture("cuModuleLoadData") != cudaSuccess) return CUDA_ERROR_UNKNOWN;
  const auto cubin = image ? readCubin(image) : std::nullopt;
  if (!cubin) return refuse("cuModuleLoadData", CUDA_ERROR_INVALID_IMAGE, "no cubin of the simulated NVRTC");
  if (cubin->architecture / 10 != computeCapability / 10 || cubin->architecture > computeCapability)
    return refuse("cuModuleLoadData", CUDA_ERROR_NO_BINARY_FOR_GPU,
                  "compiled for sm_" + std::to_string(cubin->architecture));
  auto loaded = std::make_shared<LoadedModule>(
      LoadedModule{{dlopen(cubin->path.c_str(), RTLD_NOW | RTLD_LOCAL), dlclose}, nullptr, currentDevice()});
  if (!loaded->library) return refuse("cuModuleLoadData", CUDA_ERROR_INVALID_IMAGE, dlerror());
  loaded->module = static_cast<const Module*>(dlsym(loaded->library.get(), "cudasimModule"));
  *module = modules().add(loaded);
  return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule module) {
  CUDASIM_LEAVE(cuModuleUnload);
  const auto loaded = modules().find(module);
  if (!loaded) return refuse("cuModuleUnload", CUDA_ERROR_INVALID_VALUE, "unknown module");
  std::erase_if(functions(), [&](const auto& entry) { return entry.second->owner == loaded; });
  modules().remove(module);
  return injected ? CUDA_ERROR_UNKNOWN : CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  CUDASIM_ENTER(cuModuleGetFunction, CUDA_ERROR_UNKNOWN);
  const auto loaded = modules().find(module);
  if (!loaded) return refuse("cuModuleGetFunction", CUDA_ERROR_INVALID_VALUE, "unknown module");
  for (unsigned i = 0; i < loaded->module->kernelCount; ++i) {
    const Kernel& kernel = loaded->module->kernels[i];
    // Only what is extern "C" has this name.
    if (std::strcmp(kernel.name, name) != 0 || !dlsym(loaded->library.get(), name)) continue;
    const auto found = std::make_shared<Function>(Function{loaded, &kernel});
    *function = reinterpret_cast<CUfunction>(found.get());
    functions()[*function] = found;
    return CUDA_SUCCESS;
  }
  return refuse("cuModuleGetFunction", CUDA_ERROR_NOT_FOUND, std::string("no kernel ") + name);
}

CUresult cuLaunchKernel(CUfunction handle, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                        unsigned blockY, unsigned blockZ, unsigned sharedBytes, CUstream streamHandle,
                        void** parameters, void** extra) {
  CUDASIM_ENTER(cuLaunchKernel, CUDA_ERROR_LAUNCH_FAILED);
  const auto found = functions().find(handle);
  if (found == functions().end())
    return refuse("cuLaunchKernel", CUDA_ERROR_INVALID_VALUE, "unknown function");
  const std::shared_ptr<Function> function = found->second;
  const Kernel& kernel = *function->kernel;
  const auto stream = streamOf(streamHandle);
  if (!stream) return refuse("cuLaunchKernel", CUDA_ERROR_INVALID_VALUE, "unknown stream");
  if (stream->device != function->owner->device)
    return refuse("cuLaunchKernel", CUDA_ERROR_INVALID_VALUE, "stream and module of two devices");
  if (extra || (kernel.parameterCount > 0 && !parameters))
    return refuse("cuLaunchKernel", CUDA_ERROR_INVALID_VALUE, "parameters must be an array of pointers");
  const Launch launch{{gridX, gridY, gridZ}, {blockX, blockY, blockZ}, sharedBytes};
  const std::string name = kernel.name;
  if (const std::string why = wrongShape(*function, launch); !why.empty())
    return refuse("cuLaunchKernel", CUDA_ERROR_INVALID_VALUE, name + ": " + why);
  if (const std::string why = wrongPointer(kernel, parameters); !why.empty())
    return refuse("cuLaunchKernel", CUDA_ERROR_ILLEGAL_ADDRESS, name + ": " + why);
  ++State::instance()[Slot::launches];
  const cudaError_t error = enqueue(*stream, [=, arguments = Arguments(kernel, parameters)]() mutable {
    std::vector<void*> pointers = arguments.pointers();
    std::string why = wrongPointer(*function->kernel, pointers.data());
    const bool permuted = State::instance()[Slot::lazy] != 0;
    if (why.empty())
      why = runGrid(*function->owner->module, *function->kernel, launch, pointers.data(), permuted);
    if (why.empty()) return cudaSuccess;
    complain("cuLaunchKernel", name + ": " + why);
    return cudaErrorLaunchFailure;
  });
  return static_cast<CUresult>(error);
}

}  // extern "C"

#include "cuda.h"

#include "../cuda/discovery.h"
#include "device.h"

namespace fovea {
namespace {

struct Inspection {
  std::shared_ptr<const cuda::Driver> driver;
  std::vector<cuda::Gpu> gpus;
  std::shared_ptr<const cuda::Libraries> libraries;
  std::optional<Failure> driverProblem, librariesProblem;
};

template <class Body>
std::optional<Failure> failureIn(const Body& body) {
  try {
    body();
    return std::nullopt;
  } catch (...) {
    return failureOf(std::current_exception());
  }
}

Napi::Array gpusOf(Napi::Env env, const std::vector<cuda::Gpu>& gpus) {
  const auto list = Napi::Array::New(env);
  for (const cuda::Gpu& gpu : gpus) {
    const auto entry = Napi::Object::New(env);
    entry.Set("index", gpu.index);
    entry.Set("name", gpu.name);
    entry.Set("totalBytes", static_cast<double>(gpu.totalBytes));
    if (gpu.freeBytes) entry.Set("freeBytes", static_cast<double>(*gpu.freeBytes));
    if (!gpu.problem.empty()) entry.Set("problem", gpu.problem);
    entry.Set("computeCapability", std::to_string(gpu.major) + "." + std::to_string(gpu.minor));
    entry.Set("processors", gpu.processors);
    list.Set(list.Length(), entry);
  }
  return list;
}

Napi::Object librariesOf(Napi::Env env, const cuda::Libraries& libraries) {
  const auto result = Napi::Object::New(env);
  const auto versions = Napi::Object::New(env);
  versions.Set("cudnn", cuda::cudnnVersion(libraries.versions.cudnn));
  versions.Set("runtime", cuda::cudaVersion(libraries.versions.runtime));
  versions.Set("nvrtc", cuda::cudaVersion(libraries.versions.nvrtc));
  result.Set("versions", versions);
  const auto files = Napi::Object::New(env);
  for (const cuda::Libraries::File& file : libraries.files) files.Set(file.name, file.path);
  result.Set("files", files);
  return result;
}

Napi::Value resultOf(Napi::Env env, const Inspection& inspection) {
  const auto result = Napi::Object::New(env);
  if (inspection.driver) {
    const auto driver = Napi::Object::New(env);
    driver.Set("version", cuda::cudaVersion(inspection.driver->version));
    driver.Set("path", inspection.driver->path);
    result.Set("driver", driver);
  }
  result.Set("gpus", gpusOf(env, inspection.gpus));
  if (inspection.libraries) result.Set("libraries", librariesOf(env, *inspection.libraries));
  if (inspection.driverProblem) result.Set("driverProblem", errorOf(env, *inspection.driverProblem).Value());
  if (inspection.librariesProblem)
    result.Set("librariesProblem", errorOf(env, *inspection.librariesProblem).Value());
  return result;
}

}  // namespace

Napi::Value inspectCuda(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsObject())
      throw Error("INVALID_ARGUMENT", "options: expected an object", "options", "an object");
    const auto asked = info[0].As<Napi::Object>();
    Environment& environment = Environment::of(info.Env());
    const std::shared_ptr<Executor> executor = environment.ownExecutor();
    const auto inspection = std::make_shared<Inspection>();
    return environment.submit(
        *executor, environment.nextNumber(), 0,
        [inspection, options = cuda::LoadOptions{.folders = readCudaFolders(asked.Get("cudaFolders"))},
         libraries = asked.Get("libraries").ToBoolean().Value(),
         freeMemory = asked.Get("freeMemory").ToBoolean().Value()](const std::atomic<bool>&) mutable {
          inspection->driverProblem = failureIn([&] {
            inspection->driver = cuda::loadDriver(options);
            inspection->gpus = cuda::listGpus(*inspection->driver, freeMemory);
          });
          if (!libraries) return;
          // Without a driver, the libraries are looked at all the same.
          options.withDriver = inspection->driver != nullptr;
          inspection->librariesProblem = failureIn([&] { inspection->libraries = cuda::load(options); });
        },
        [inspection, executor](Napi::Env env) { return resultOf(env, *inspection); });
  });
}

}  // namespace fovea

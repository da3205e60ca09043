#include <napi.h>

#include "cuda.h"
#include "device.h"
#include "plan_reader.h"
#include "program.h"
#include "store.h"

namespace {

Napi::Value schema(const Napi::CallbackInfo& info) { return fovea::schema(info.Env()); }

void shutdown(const Napi::CallbackInfo& info) {
  fovea::guarded(info.Env(), [&] { fovea::Environment::of(info.Env()).shutdown(); });
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  fovea::Environment::create(env);
  fovea::Environment& environment = fovea::Environment::of(env);
  environment.device = Napi::Persistent(fovea::DeviceWrap::define(env));
  environment.store = Napi::Persistent(fovea::StoreWrap::define(env));
  environment.program = Napi::Persistent(fovea::ProgramWrap::define(env));
  environment.token = Napi::Persistent(fovea::TokenWrap::define(env));

  exports.Set("openDevice", Napi::Function::New(env, fovea::DeviceWrap::open, "openDevice"));
  exports.Set("openCudaDevice", Napi::Function::New(env, fovea::DeviceWrap::openCuda, "openCudaDevice"));
  exports.Set("inspectCuda", Napi::Function::New(env, fovea::inspectCuda, "inspectCuda"));
  exports.Set("schema", Napi::Function::New(env, schema, "schema"));
  exports.Set("shutdown", Napi::Function::New(env, shutdown, "shutdown"));
  exports.Set("CancelToken", environment.token.Value());
  return exports;
}

}  // namespace

NODE_API_MODULE(fovea, initialize)

#pragma once
#include "../backend.h"
#include "wrap.h"

namespace fovea {

// What a device's stores and programs need of it. Work must not hold it: it keeps the executor.
struct DeviceContext {
  std::shared_ptr<Backend> backend;
  std::shared_ptr<MemoryMeter> meter;
  std::shared_ptr<Executor> executor;
  uint64_t number;
  bool closed = false;

  // `token` is a CancelToken or nothing.
  Napi::Promise submit(Napi::Env env, const Napi::Value& token, Task::Work work, Task::Result result) const;
};

// A list of { path, origin, driver }; undefined is none.
std::vector<cuda::SearchFolder> readCudaFolders(const Napi::Value& value);

class DeviceWrap final : public Wrap<DeviceWrap> {
 public:
  static constexpr napi_type_tag tag{0x8d0d3a4c5f0b4f61, 0x9a1f0c6e2b7d4301};
  static constexpr const char* name = "Device";
  static Napi::Function define(Napi::Env env);
  // openDevice(name, options)
  static Napi::Value open(const Napi::CallbackInfo& info);
  // openCudaDevice(name, options): a promise, since starting a GPU takes its time
  static Napi::Value openCuda(const Napi::CallbackInfo& info);

  explicit DeviceWrap(const Napi::CallbackInfo& info);

 private:
  Napi::Value description(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value tuned(const Napi::CallbackInfo& info);
  void useTuned(const Napi::CallbackInfo& info);
  Napi::Value createStore(const Napi::CallbackInfo& info);
  Napi::Value compile(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);
  void checkOpen() const;

  std::shared_ptr<DeviceContext> context_;
};

class TokenWrap final : public Wrap<TokenWrap> {
 public:
  static constexpr napi_type_tag tag{0x8d0d3a4c5f0b4f61, 0x9a1f0c6e2b7d4302};
  static constexpr const char* name = "CancelToken";
  static Napi::Function define(Napi::Env env);

  explicit TokenWrap(const Napi::CallbackInfo& info);
  uint64_t number() const { return number_; }
  bool cancelled() const { return cancelled_; }

 private:
  void cancel(const Napi::CallbackInfo& info);

  uint64_t number_;
  bool cancelled_ = false;
};

}  // namespace fovea

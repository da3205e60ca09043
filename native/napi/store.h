#pragma once
#include "../store.h"
#include "device.h"

namespace fovea {

class StoreWrap final : public Wrap<StoreWrap> {
 public:
  static constexpr napi_type_tag tag{0x8d0d3a4c5f0b4f61, 0x9a1f0c6e2b7d4303};
  static constexpr const char* name = "Store";
  struct Init {
    std::shared_ptr<DeviceContext> device;
  };
  static Napi::Function define(Napi::Env env);

  explicit StoreWrap(const Napi::CallbackInfo& info);
  // Throws DISPOSED after the end.
  const std::shared_ptr<Store>& store() const;

 private:
  void defineTensor(const Napi::CallbackInfo& info);
  void defineFromFile(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<DeviceContext> device_;
  std::shared_ptr<Store> store_;
};

}  // namespace fovea

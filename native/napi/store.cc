#include "store.h"

#include "../plan_check.h"
#include "plan_reader.h"

namespace fovea {
namespace {

// A typed array's own memory. The reference that keeps it goes back to the environment's thread.
class ArrayMemory final : public Memory {
 public:
  ArrayMemory(const Napi::Value& array, const HostView& view, std::shared_ptr<Mailbox> mailbox,
              std::shared_ptr<MemoryMeter> meter)
      : view_(view), mailbox_(std::move(mailbox)), meter_(std::move(meter)) {
    if (napi_create_reference(array.Env(), array, 1, &reference_) != napi_ok)
      throw Napi::Error::New(array.Env());
    meter_->add(view_.bytes);
  }
  ~ArrayMemory() override {
    meter_->remove(view_.bytes);
    mailbox_->release(reference_);
  }
  ArrayMemory(const ArrayMemory&) = delete;
  ArrayMemory& operator=(const ArrayMemory&) = delete;

  void* data() const override { return const_cast<void*>(view_.data); }
  size_t bytes() const override { return view_.bytes; }

 private:
  HostView view_;
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<MemoryMeter> meter_;
  napi_ref reference_ = nullptr;
};

// Memory that scripts can take away under the store's feet is not for keeping.
void checkFixed(const Napi::Value& data, const std::string& where) {
  const Napi::Value resizable = data.As<Napi::TypedArray>().ArrayBuffer().Get("resizable");
  if (resizable.IsBoolean() && resizable.As<Napi::Boolean>())
    throw Error("INVALID_ARGUMENT", where + ": expected an array over a buffer of fixed length", where,
                "a buffer of fixed length", "a resizable buffer");
}

}  // namespace

Napi::Function StoreWrap::define(Napi::Env env) {
  return DefineClass(
      env, name,
      {InstanceMethod<&StoreWrap::defineTensor>("define"), InstanceMethod<&StoreWrap::write>("write"),
       InstanceMethod<&StoreWrap::read>("read"), InstanceMethod<&StoreWrap::dispose>("dispose")});
}

StoreWrap::StoreWrap(const Napi::CallbackInfo& info)
    : Wrap(info), device_(initOf<Init>(info).device), store_(std::make_shared<Store>(device_->backend)) {}

const std::shared_ptr<Store>& StoreWrap::store() const {
  if (!store_) throw Error("DISPOSED", "the store is disposed", "store");
  return store_;
}

void StoreWrap::defineTensor(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const std::shared_ptr<Store>& store = this->store();
    const std::string tensor = readName(info[0], "name");
    TensorSpec spec{readDType(info[1], tensor + ".dtype"), readShape(info[2], tensor + ".shape")};
    check(spec, tensor);
    if (spec.dtype == DType::opaque)
      throw Error("INVALID_ARGUMENT", tensor + ".dtype: expected a number type, got opaque", tensor);
    const HostView view = viewOf(info[3], tensor);
    checkFixed(info[3], tensor);
    const auto memory =
        std::make_shared<ArrayMemory>(info[3], view, Environment::of(info.Env()).mailbox(), device_->meter);
    store->define(tensor, std::move(spec), memory);
  });
}

Napi::Value StoreWrap::write(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    std::string tensor = readName(info[0], "name");
    const HostView view = viewOf(info[1], tensor);
    const std::shared_ptr<std::byte[]> copy = allocateHost(view.bytes);
    if (view.bytes > 0) std::memcpy(copy.get(), view.data, view.bytes);
    return device_->submit(
        info.Env(), info.Env().Undefined(),
        [store = store(), tensor = std::move(tensor), copy, bytes = view.bytes](const std::atomic<bool>&) {
          store->write(tensor, copy.get(), bytes);
        },
        [](Napi::Env env) { return env.Undefined(); });
  });
}

Napi::Value StoreWrap::read(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    struct Copy {
      HostBuffer data;
      size_t bytes = 0;
    };
    const auto copy = std::make_shared<Copy>();
    return device_->submit(
        info.Env(), info.Env().Undefined(),
        [store = store(), tensor = readName(info[0], "name"), copy](const std::atomic<bool>&) {
          copy->bytes = store->bytes(tensor);
          copy->data = allocateHost(copy->bytes);
          store->read(tensor, copy->data.get(), copy->bytes);
        },
        [copy](Napi::Env env) -> Napi::Value { return copyOf(env, copy->data.get(), copy->bytes); });
  });
}

void StoreWrap::dispose(const Napi::CallbackInfo&) { store_.reset(); }

}  // namespace fovea

#include "store.h"

#include <cmath>

#include "../file_memory.h"
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
  return DefineClass(env, name,
                     {InstanceMethod<&StoreWrap::defineTensor>("define"),
                      InstanceMethod<&StoreWrap::defineFromFile>("defineFromFile"),
                      InstanceMethod<&StoreWrap::write>("write"), InstanceMethod<&StoreWrap::read>("read"),
                      InstanceMethod<&StoreWrap::dispose>("dispose")});
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

void StoreWrap::defineFromFile(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const std::shared_ptr<Store>& store = this->store();
    if (!info[0].IsNumber())
      throw Error("INVALID_ARGUMENT", "descriptor: expected a number", "descriptor", "a number");
    if (!info[2].IsArray())
      throw Error("INVALID_ARGUMENT", "tensors: expected an array", "tensors", "an array");
    const auto file = std::make_shared<const SourceFile>(info[0].As<Napi::Number>().Int32Value(),
                                                         readName(info[1], "path"));
    const Napi::Array tensors = info[2].As<Napi::Array>();
    for (uint32_t i = 0; i < tensors.Length(); ++i) {
      const Napi::Value item = tensors.Get(i);
      if (!item.IsObject())
        throw Error("INVALID_ARGUMENT", "tensors: expected objects", "tensors", "objects");
      const Napi::Object tensor = item.As<Napi::Object>();
      const std::string name = readName(tensor.Get("name"), "name");
      TensorSpec spec{DType::f32, readShape(tensor.Get("shape"), name + ".shape")};
      check(spec, name);
      const Napi::Value position = tensor.Get("position");
      const double offset = position.IsNumber() ? position.As<Napi::Number>().DoubleValue() : -1;
      if (!(offset >= 0 && offset <= 0x1p53 - 1 && offset == std::floor(offset)))
        throw Error("INVALID_ARGUMENT", name + ".position: expected a number of bytes", name + ".position",
                    "a number of bytes");
      const size_t bytes = static_cast<size_t>(elementCount(spec.shape)) * sizeOf(spec.dtype);
      store->define(name, std::move(spec),
                    memoryOfFile(file, static_cast<size_t>(offset), bytes, device_->meter));
    }
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

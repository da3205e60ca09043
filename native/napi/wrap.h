#pragma once
#include <napi.h>

#include <cstring>
#include <string>

#include "environment.h"

namespace fovea {

// Gives a class's objects a mark, so that no other object is ever taken for one.
template <class T>
class Wrap : public Napi::ObjectWrap<T> {
 public:
  explicit Wrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<T>(info) {
    napi_type_tag_object(info.Env(), info.This(), &T::tag);
  }

  static T& from(const Napi::Value& value, const char* where) {
    bool tagged = false;
    if (value.IsObject()) napi_check_object_type_tag(value.Env(), value, &T::tag, &tagged);
    if (!tagged)
      throw Error("INVALID_ARGUMENT", std::string(where) + ": expected " + T::name + " of this addon", where,
                  T::name);
    return *T::Unwrap(value.As<Napi::Object>());
  }
};

// Scripts get these objects from calls; only the addon itself makes them, from an External.
template <class Init>
Init& initOf(const Napi::CallbackInfo& info) {
  if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "Illegal constructor");
  return *info[0].As<Napi::External<Init>>().Data();
}

template <class Init>
Napi::Object construct(const Napi::FunctionReference& type, Init init) {
  return type.New({Napi::External<Init>::New(type.Env(), &init)});
}

inline std::string readName(const Napi::Value& value, const char* where) {
  if (!value.IsString())
    throw Error("INVALID_ARGUMENT", std::string(where) + ": expected a string", where, "a string");
  return value.As<Napi::String>();
}

// The bytes of a typed array, as long as the call lasts.
struct HostView {
  const void* data;
  size_t bytes;
};
HostView viewOf(const Napi::Value& value, const std::string& where);

// Memory of the host, not cleared; OUT_OF_MEMORY names the size.
using HostBuffer = std::unique_ptr<std::byte[]>;
HostBuffer allocateHost(size_t bytes);

Napi::ArrayBuffer copyOf(Napi::Env env, const void* data, size_t bytes);

}  // namespace fovea

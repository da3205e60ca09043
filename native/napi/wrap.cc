#include "wrap.h"

#include <new>

namespace fovea {

HostView viewOf(const Napi::Value& value, const std::string& where) {
  if (!value.IsTypedArray())
    throw Error("INVALID_ARGUMENT", where + ": expected a typed array", where, "a typed array");
  const auto array = value.As<Napi::TypedArray>();
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, nullptr, nullptr, &data, nullptr, nullptr) != napi_ok)
    throw Napi::Error::New(value.Env());
  return {data, array.ByteLength()};
}

HostBuffer allocateHost(size_t bytes) {
  try {
    return std::make_unique_for_overwrite<std::byte[]>(bytes);
  } catch (const std::bad_alloc&) {
    const std::string size = std::to_string(bytes) + " bytes";
    throw Error("OUT_OF_MEMORY", "no memory for a copy of " + size, "memory", {}, size);
  }
}

Napi::ArrayBuffer copyOf(Napi::Env env, const void* data, size_t bytes) {
  auto buffer = Napi::ArrayBuffer::New(env, bytes);
  if (bytes > 0) std::memcpy(buffer.Data(), data, bytes);
  return buffer;
}

}  // namespace fovea

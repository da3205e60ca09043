#include "errors.h"

#include <new>

#include "../cuda/unavailable.h"

namespace fovea {

Failure failureOf(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const cuda::Unavailable& error) {
    return {error.code, error.what(),         error.subject, error.expected,
            error.got,  nameOf(error.reason), error.searched};
  } catch (const Error& error) {
    return {error.code, error.what(), error.subject, error.expected, error.got, {}, {}};
  } catch (const std::bad_alloc&) {
    return {"OUT_OF_MEMORY", "out of memory", {}, {}, {}, {}, {}};
  } catch (const std::exception& error) {
    return {"BACKEND", error.what(), {}, {}, {}, {}, {}};
  } catch (...) {
    return {"BACKEND", "unknown failure", {}, {}, {}, {}, {}};
  }
}

Napi::Error errorOf(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.message);
  const auto set = [&](const char* name, const std::string& value) {
    if (!value.empty()) error.Set(name, Napi::String::New(env, value));
  };
  set("code", failure.code);
  set("subject", failure.subject);
  set("expected", failure.expected);
  set("got", failure.got);
  if (!failure.reason.empty()) {
    set("reason", failure.reason);
    const auto searched = Napi::Array::New(env, failure.searched.size());
    for (uint32_t i = 0; i < failure.searched.size(); ++i) searched.Set(i, failure.searched[i]);
    error.Set("searched", searched);
  }
  return error;
}

}  // namespace fovea

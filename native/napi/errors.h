#pragma once
#include <napi.h>

#include <exception>
#include <string>
#include <vector>

#include "../error.h"

namespace fovea {

// An exception as plain data: it may be caught on one thread and thrown in JavaScript on another.
struct Failure {
  std::string code, message, subject, expected, got;
  // Of CUDA_UNAVAILABLE: why, and where was searched.
  std::string reason;
  std::vector<std::string> searched;
};

Failure failureOf(const std::exception_ptr& exception);
// A JavaScript Error with these as its properties; `subject` and the like only where there is one.
Napi::Error errorOf(Napi::Env env, const Failure& failure);

// Runs what may throw C++ exceptions inside a call from JavaScript.
template <class Body>
auto guarded(Napi::Env env, const Body& body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw errorOf(env, failureOf(std::current_exception()));
  }
}

// The same where the call returns a promise: everything that goes wrong rejects it.
template <class Body>
Napi::Value promised(Napi::Env env, const Body& body) {
  try {
    return guarded(env, body);
  } catch (const Napi::Error& error) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    deferred.Reject(error.Value());
    return deferred.Promise();
  }
}

}  // namespace fovea

#pragma once

// What the simulator exports is what these headers declare.
#pragma GCC visibility push(default)
#include "native/cuda/api/cublas.h"
#include "native/cuda/api/cudnn.h"
#include "native/cuda/api/driver.h"
#include "native/cuda/api/nvrtc.h"
#include "native/cuda/api/runtime.h"
#pragma GCC visibility pop

#include "state.h"

// First in every exported function: counts the call, and fails it where the test asked for that.
#define CUDASIM_ENTER(symbol, failure)                 \
  const std::lock_guard lock(::cudasim::everything()); \
  if (::cudasim::State::instance().enter(#symbol)) return failure

// In functions that give something back: they do, and then report the failure.
#define CUDASIM_LEAVE(symbol)                          \
  const std::lock_guard lock(::cudasim::everything()); \
  const bool injected = ::cudasim::State::instance().enter(#symbol)

// In functions that cannot fail.
#define CUDASIM_TELL(symbol)                           \
  const std::lock_guard lock(::cudasim::everything()); \
  ::cudasim::State::instance().enter(#symbol)

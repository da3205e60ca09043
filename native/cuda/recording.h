#pragma once
#include <functional>
#include <memory>

#include "backend.h"
#include "context.h"

namespace fovea::cuda {

// Captures what `enqueue` enqueues on the context's stream in a CUDA graph, without running it; nothing where
// the libraries cannot capture it, or where it enqueues nothing.
std::unique_ptr<Recording> record(const std::shared_ptr<const Context>& context,
                                  const std::function<void()>& enqueue);

}  // namespace fovea::cuda

#pragma once
#include <memory>
#include <unordered_map>

#include "state.h"

namespace cudasim {

// Owns what callers know by opaque handles, so that a stale or made-up handle is recognised, and what is left
// alive is counted.
template <class T, class Handle>
class Registry {
 public:
  explicit Registry(Slot gauge) : gauge_(gauge) {}

  Handle add(std::shared_ptr<T> object) {
    const auto handle = reinterpret_cast<Handle>(object.get());
    objects_[handle] = std::move(object);
    ++State::instance()[gauge_];
    return handle;
  }
  std::shared_ptr<T> find(Handle handle) const {
    const auto found = objects_.find(handle);
    return found == objects_.end() ? nullptr : found->second;
  }
  bool remove(Handle handle) {
    if (objects_.erase(handle) == 0) return false;
    --State::instance()[gauge_];
    return true;
  }
  template <class F>
  void each(F&& f) {
    for (auto& [handle, object] : objects_) f(*object);
  }

 private:
  Slot gauge_;
  std::unordered_map<Handle, std::shared_ptr<T>> objects_;
};

}  // namespace cudasim

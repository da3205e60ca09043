#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "backend.h"

namespace fovea {

// Named tensors that outlive programs: parameters, running statistics, optimizer state. Programs bind them by
// name and so share them. Used from the device's thread, except `define`, which replaces what no program has
// bound, and the unbinding by a program's end, which may come from any thread.
class Store {
 public:
  struct Entry {
    TensorSpec spec;
    LayoutPtr layout;
    std::shared_ptr<Memory> memory;
    std::atomic<int> programs{0};  // how many have bound the address and layout
  };
  struct Unbind {
    void operator()(Entry* entry) const { --entry->programs; }
  };
  using Bound = std::unique_ptr<Entry, Unbind>;

  explicit Store(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) {}

  void define(const std::string& name, TensorSpec spec, std::shared_ptr<Memory> host);
  // Keeps the entry as it is, but for contents and `relayout`, until the result goes; the store must live on.
  Bound bind(const std::string& name);
  // Of the row-major contents. From any thread.
  size_t bytes(const std::string& name);
  // Row-major contents; `bytes` must be those of the plain layout.
  void write(const std::string& name, const void* from, size_t bytes);
  void read(const std::string& name, void* to, size_t bytes);
  // Keeps an entry in another layout from now on. Only while no program but the one that is being compiled
  // has bound it.
  void relayout(const std::string& name, const LayoutPtr& layout);

  // Grows with every change of contents; programs derive constants anew when it has.
  uint64_t version() const { return version_; }
  void touch() { ++version_; }

  Backend& backend() { return *backend_; }

 private:
  Entry& entry(const std::string& name);

  std::shared_ptr<Backend> backend_;
  std::mutex mutex_;  // guards everything below but the version
  std::map<std::string, Entry> entries_;
  std::atomic<uint64_t> version_{1};
};

}  // namespace fovea

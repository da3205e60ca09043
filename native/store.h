#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "backend.h"

namespace fovea {

// Named tensors that outlive programs: parameters, running statistics, optimizer state. Programs bind them by
// name and so share them. Used from the device's thread only, except `define`, which comes before any bind.
class Store {
 public:
  struct Entry {
    TensorSpec spec;
    LayoutPtr layout;
    std::shared_ptr<Memory> memory;
    int programs = 0;  // how many have bound the address and layout
  };

  explicit Store(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) {}

  void define(const std::string& name, TensorSpec spec, std::shared_ptr<Memory> host);
  Entry& entry(const std::string& name);
  // Row-major contents; `bytes` must be those of the plain layout.
  void write(const std::string& name, const void* from, size_t bytes);
  void read(const std::string& name, void* to, size_t bytes);
  // Keeps an entry in another layout from now on. Only while no program has bound it.
  void relayout(const std::string& name, const LayoutPtr& layout);

  // Grows with every change of contents; programs derive constants anew when it has.
  uint64_t version() const { return version_; }
  void touch() { ++version_; }

  Backend& backend() { return *backend_; }

 private:
  std::shared_ptr<Backend> backend_;
  std::map<std::string, Entry> entries_;
  uint64_t version_ = 1;
};

}  // namespace fovea

#pragma once
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "tensor.h"

namespace cudasim {

struct Descriptor;
using DescriptorPtr = std::shared_ptr<Descriptor>;

// What an attribute was set to.
struct Attribute {
  cudnnBackendAttributeType_t type;
  std::vector<std::byte> bytes;
  std::vector<DescriptorPtr> descriptors;
  int64_t count;
};

// What a descriptor comes to when it is finalized; each kind has its own (graph_operations.h,
// graph_engines.h).
struct Finalized {
  virtual ~Finalized() = default;
};

struct Descriptor {
  cudnnBackendDescriptorType_t type;
  bool finalized = false;
  std::map<int, Attribute> attributes;
  std::shared_ptr<const Finalized> meaning;

  template <class T>
  std::vector<T> values(cudnnBackendAttributeName_t name) const {
    const auto found = attributes.find(name);
    if (found == attributes.end()) return {};
    std::vector<T> result(found->second.bytes.size() / sizeof(T));
    std::memcpy(result.data(), found->second.bytes.data(), result.size() * sizeof(T));
    return result;
  }
  template <class T>
  T value(cudnnBackendAttributeName_t name, T otherwise) const {
    const auto found = attributes.find(name);
    if (found == attributes.end() || found->second.bytes.size() < sizeof(T)) return otherwise;
    T first;
    std::memcpy(&first, found->second.bytes.data(), sizeof first);
    return first;
  }
  // A float or a double.
  double number(cudnnBackendAttributeName_t name, double otherwise) const;
  const std::vector<DescriptorPtr>& children(cudnnBackendAttributeName_t name) const;
  DescriptorPtr child(cudnnBackendAttributeName_t name) const;
  template <class T>
  const T& as() const {
    return static_cast<const T&>(*meaning);
  }
};

// How many bytes an element of an attribute's type has.
size_t sizeOf(cudnnBackendAttributeType_t type);

// What an attribute may be.
struct Rule {
  cudnnBackendDescriptorType_t descriptor;
  cudnnBackendAttributeName_t name;
  std::vector<cudnnBackendAttributeType_t> types;
  int64_t most;  // elements
  enum { optional, required, output } need;
  std::optional<cudnnBackendDescriptorType_t> child;
};
// nullptr where this descriptor has no such attribute.
const Rule* ruleFor(cudnnBackendDescriptorType_t descriptor, int name);
// Throws a Refusal where a required attribute is missing.
void requireComplete(const Descriptor& descriptor);

}  // namespace cudasim

#include "store.h"

#include "checks.h"

namespace fovea {
namespace {

void copy(Backend& backend, const TensorSpec& spec, const LayoutPtr& from, void* source, const LayoutPtr& to,
          void* target) {
  const std::unique_ptr<Kernel> kernel = backend.reorder(spec, from, to);
  std::shared_ptr<Memory> scratch;
  if (kernel->scratchBytes > 0) scratch = backend.allocate(kernel->scratchBytes);
  kernel->bind({{source}, {target}, scratch ? scratch->data() : nullptr});
  kernel->enqueue();
  backend.synchronize();
}

}  // namespace

void Store::define(const std::string& name, TensorSpec spec, std::shared_ptr<Memory> host) {
  LayoutPtr layout = backend_->plain(spec);
  checkBytes(name, layout->bytes(), host->bytes());
  std::shared_ptr<Memory> memory = backend_->adopt(std::move(host));
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[name];
  if (entry.programs > 0)
    throw Error(
        "BUSY", name + " cannot be defined anew: a compiled program uses it", name,
        "a tensor that no program uses",
        "a tensor of " + std::to_string(entry.programs) + (entry.programs == 1 ? " program" : " programs"));
  entry.spec = std::move(spec);
  entry.layout = std::move(layout);
  entry.memory.swap(memory);
  touch();
}

Store::Entry& Store::entry(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end())
    throw Error("INVALID_ARGUMENT", "the store has no tensor " + name, name, "a tensor that was defined",
                "none");
  return found->second;
}

Store::Bound Store::bind(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Entry& found = entry(name);
  ++found.programs;
  return Bound(&found);
}

void Store::write(const std::string& name, const void* from, size_t bytes) {
  const std::lock_guard lock(mutex_);
  Entry& found = entry(name);
  const LayoutPtr layout = backend_->plain(found.spec);
  checkBytes(name, layout->bytes(), bytes);
  found.memory->keep();
  if (layout->equals(*found.layout)) {
    backend_->upload(found.memory->data(), from, bytes);
  } else {
    const std::shared_ptr<Memory> staging = backend_->allocate(bytes);
    backend_->upload(staging->data(), from, bytes);
    copy(*backend_, found.spec, layout, staging->data(), found.layout, found.memory->data());
  }
  touch();
}

void Store::read(const std::string& name, void* to, size_t bytes) {
  const std::lock_guard lock(mutex_);
  const Entry& found = entry(name);
  const LayoutPtr layout = backend_->plain(found.spec);
  checkBytes(name, layout->bytes(), bytes);
  const Fetched contents(found.memory);
  std::shared_ptr<Memory> memory = found.memory;
  if (!layout->equals(*found.layout)) {
    memory = backend_->allocate(bytes);
    copy(*backend_, found.spec, found.layout, found.memory->data(), layout, memory->data());
  }
  backend_->download(to, memory->data(), bytes);
}

size_t Store::bytes(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const TensorSpec& spec = entry(name).spec;
  return static_cast<size_t>(elementCount(spec.shape)) * sizeOf(spec.dtype);
}

void Store::relayout(const std::string& name, const LayoutPtr& layout) {
  const std::lock_guard lock(mutex_);
  Entry& found = entry(name);
  if (found.programs > 1)
    throw Error("BUSY", name + " cannot change its layout: other programs use it", name, found.layout->name(),
                layout->name());
  const std::shared_ptr<Memory> memory = backend_->allocate(layout->bytes());
  const Fetched contents(found.memory);
  copy(*backend_, found.spec, found.layout, found.memory->data(), layout, memory->data());
  found.memory = memory;
  found.layout = layout;
}

}  // namespace fovea

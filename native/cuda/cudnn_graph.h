#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libraries.h"
#include "types.h"

namespace fovea::cuda {

cudnnDataType_t cudnnType(DType dtype);

// An object of cuDNN's graph interface.
class Descriptor {
 public:
  Descriptor(const Libraries& libraries, cudnnBackendDescriptorType_t type);
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept
      : libraries_(other.libraries_), descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(libraries_, other.libraries_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  using Name = cudnnBackendAttributeName_t;
  void set(Name name, cudnnBackendAttributeType_t type, int64_t count, const void* elements);
  void set(Name name, int64_t value) { set(name, CUDNN_TYPE_INT64, 1, &value); }
  void set(Name name, const std::vector<int64_t>& values) {
    set(name, CUDNN_TYPE_INT64, static_cast<int64_t>(values.size()), values.data());
  }
  void set(Name name, float value) { set(name, CUDNN_TYPE_FLOAT, 1, &value); }
  void set(Name name, bool value) { set(name, CUDNN_TYPE_BOOLEAN, 1, &value); }
  void set(Name name, cudnnDataType_t value) { set(name, CUDNN_TYPE_DATA_TYPE, 1, &value); }
  void set(Name name, cudnnHandle_t value) { set(name, CUDNN_TYPE_HANDLE, 1, &value); }
  void set(Name name, const Descriptor& value) {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.descriptor_);
  }
  void finalize();
  // Whether cuDNN can do what was described.
  bool tryFinalize();

  int64_t number(Name name) const;
  // At most `most` values of an enumeration.
  template <class E>
  std::vector<E> list(Name name, cudnnBackendAttributeType_t type, int64_t most) const {
    std::vector<E> values(static_cast<size_t>(most));
    values.resize(static_cast<size_t>(get(name, type, most, values.data())));
    return values;
  }
  // Fills a descriptor that was made for it.
  void fill(Name name, Descriptor& value) const;

  cudnnBackendDescriptor_t raw() const { return descriptor_; }

  int64_t get(Name name, cudnnBackendAttributeType_t type, int64_t most, void* elements) const;

 private:
  const Libraries* libraries_;
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

// Operations on numbered tensors; tensors that only pass between two of them are not in memory. Numbers are
// the caller's, and data is bound to them.
class OperationGraph {
 public:
  enum class Convolution { forward, data, filter };
  struct Geometry {
    std::vector<int64_t> stride, before, after, dilation;
  };

  // Without a handle the graph can be described, and checked, but not run.
  OperationGraph(std::shared_ptr<const Libraries> libraries, cudnnHandle_t handle)
      : libraries_(std::move(libraries)), handle_(handle) {}

  // In the order N, C, H, W, channels last in memory.
  void tensor(int64_t number, cudnnDataType_t type, const std::vector<int64_t>& dims, bool inMemory = true);
  // `x`, `weight` and `y` are the gradients where the operation gives them.
  void convolution(Convolution kind, const Geometry& geometry, int64_t x, int64_t weight, int64_t y);
  // y = x + b
  void add(int64_t x, int64_t b, int64_t y);
  void relu(int64_t x, int64_t y);
  // Throws where cuDNN cannot take it.
  void finalize();

  const Descriptor& graph() const { return *graph_; }
  const Libraries& libraries() const { return *libraries_; }
  cudnnHandle_t handle() const { return handle_; }
  // Tensors in memory, and their bytes.
  const std::vector<std::pair<int64_t, size_t>>& memory() const { return memory_; }

 private:
  Descriptor& add(cudnnBackendDescriptorType_t type);
  const Descriptor& tensorOf(int64_t number) const;
  void pointwise(cudnnPointwiseMode_t mode, int64_t x, const int64_t* b, int64_t y);

  std::shared_ptr<const Libraries> libraries_;
  cudnnHandle_t handle_;
  std::vector<Descriptor> kept_;  // what others refer to
  std::vector<std::pair<int64_t, Descriptor>> tensors_;
  std::vector<Descriptor> operations_;
  std::unique_ptr<Descriptor> graph_;
  std::vector<std::pair<int64_t, size_t>> memory_;
};

// An engine's way to run a graph. The handle must outlive it.
class ExecutionPlan {
 public:
  // Nothing where the engine turns out not to take the graph.
  static std::unique_ptr<ExecutionPlan> build(std::shared_ptr<const OperationGraph> graph, Descriptor config);
  // Of a finalized plan.
  ExecutionPlan(std::shared_ptr<const OperationGraph> graph, Descriptor config, Descriptor plan);

  size_t workspaceBytes() const { return workspaceBytes_; }
  int64_t engine() const { return engine_; }

  // Addresses that stay, by number of tensor.
  void bind(const std::vector<std::pair<int64_t, void*>>& data, void* workspace);
  void enqueue() const;

 private:
  std::shared_ptr<const OperationGraph> graph_;
  Descriptor config_, plan_;
  std::unique_ptr<Descriptor> pack_;
  size_t workspaceBytes_;
  int64_t engine_;
};

// What cuDNN tells of an engine.
struct EngineNotes {
  int64_t index = 0;
  std::vector<cudnnBackendNumericalNote_t> numerical;
  std::vector<cudnnBackendBehaviorNote_t> behavior;
};
EngineNotes notesOf(const Libraries& libraries, const Descriptor& config);

// Configurations of engines for a graph, those that cuDNN thinks fastest first; those of its fallback last.
std::vector<Descriptor> engineConfigs(const OperationGraph& graph);

}  // namespace fovea::cuda

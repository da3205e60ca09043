#pragma once
#include "cudnn_handle.h"
#include "memory.h"

namespace cudasim {

// What cuDNN's older calls share.

// The tensor that a descriptor describes. Throws a Refusal for one that is unknown or was not set.
const TensorSpan& spanOf(cudnnTensorDescriptor_t descriptor, const char* name);

// Throws a Refusal where no tensor can be like that.
void setSpan(cudnnTensorDescriptor_t descriptor, TensorSpan span);

// alpha or beta, which lie on the host: floats, but doubles for tensors of doubles.
double scalarOf(const void* pointer, const TensorSpan& span, const char* name);

// A tensor that a call reads or writes.
struct Operand {
  TensorSpan span;
  void* data;
  std::string name;

  Operand(cudnnTensorDescriptor_t descriptor, const void* pointer, const char* name)
      : span(spanOf(descriptor, name)), data(const_cast<void*>(pointer)), name(name) {
    check();
  }
  Operand(TensorSpan span, const void* pointer, const char* name)
      : span(std::move(span)), data(const_cast<void*>(pointer)), name(name) {
    check();
  }
  void check() const { requireOnDevice(span, data, name); }
  std::vector<double> read() const { return gather(span, data); }
  void write(std::vector<double> values, double alpha = 1, double beta = 0) const {
    blend(span, data, std::move(values), alpha, beta);
  }
};

inline void requireSameShape(const Operand& a, const Operand& b) {
  require(a.span.dims == b.span.dims && a.span.type == b.span.type, CUDNN_STATUS_BAD_PARAM,
          a.name + " " + spell(a.span) + " and " + b.name + " " + spell(b.span));
}

// Descriptors other than tensors'.
template <class T, class Handle>
Registry<T, Handle>& described() {
  static auto& registry = *std::make_unique<Registry<T, Handle>>(Slot::cudnnDescriptors).release();
  return registry;
}
template <class T, class Handle>
T& descriptionOf(Handle handle, const char* name) {
  const auto found = described<T, Handle>().find(handle);
  require(found != nullptr, CUDNN_STATUS_BAD_PARAM, std::string("unknown ") + name + " descriptor");
  require(found->set, CUDNN_STATUS_BAD_PARAM, std::string(name) + " descriptor was not set");
  return *found;
}
template <class T, class Handle>
cudnnStatus_t makeDescriptor(const char* call, Handle* handle) {
  return guarded(call, [&] {
    require(handle != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no place for the descriptor");
    *handle = described<T, Handle>().add(std::make_shared<T>());
  });
}
template <class T, class Handle>
cudnnStatus_t dropDescriptor(const char* call, Handle handle, bool injected) {
  const cudnnStatus_t status = guarded(call, [&] {
    const bool known = described<T, Handle>().remove(handle);
    require(known, CUDNN_STATUS_BAD_PARAM, "unknown descriptor");
  });
  return injected ? CUDNN_STATUS_INTERNAL_ERROR : status;
}

struct Activation {
  bool set = false;
  cudnnActivationMode_t mode = CUDNN_ACTIVATION_IDENTITY;
  double coefficient = 0;
};

}  // namespace cudasim

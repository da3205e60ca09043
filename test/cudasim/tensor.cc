#include "tensor.h"

#include "memory.h"

namespace cudasim {
namespace {

// Calls `f` with the offset of every element, in row-major order.
template <class F>
void eachOffset(const Dims& dims, const Dims& strides, F&& f) {
  Dims at(dims.size(), 0);
  int64_t offset = 0;
  for (;;) {
    f(offset);
    size_t axis = dims.size();
    for (;;) {
      if (axis == 0) return;
      --axis;
      offset += strides[axis];
      if (++at[axis] < dims[axis]) break;
      offset -= strides[axis] * dims[axis];
      at[axis] = 0;
    }
  }
}

}  // namespace

int64_t TensorSpan::count() const {
  int64_t product = 1;
  for (const int64_t dim : dims) product *= dim;
  return product;
}

size_t TensorSpan::bytes() const {
  int64_t last = 0;
  for (size_t i = 0; i < dims.size(); ++i) last += (dims[i] - 1) * strides[i];
  return static_cast<size_t>(last + 1) * sizeOf(type);
}

std::string spell(const Dims& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

std::string spell(const TensorSpan& span) {
  return spell(span.dims) + " with strides " + spell(span.strides) + ", type " + std::to_string(span.type);
}

bool stretches(const Dims& from, const Dims& to) {
  if (from.size() != to.size()) return false;
  for (size_t i = 0; i < from.size(); ++i)
    if (from[i] != to[i] && from[i] != 1) return false;
  return true;
}

Dims stridesOf(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

std::vector<double> gather(const TensorSpan& span, const void* data) {
  std::vector<double> values;
  values.reserve(static_cast<size_t>(span.count()));
  withType(span.type, [&]<class T>(T) {
    const T* from = static_cast<const T*>(data);
    eachOffset(span.dims, span.strides,
               [&](int64_t offset) { values.push_back(static_cast<double>(from[offset])); });
  });
  return values;
}

void scatter(const TensorSpan& span, void* data, const std::vector<double>& values) {
  withType(span.type, [&]<class T>(T) {
    T* to = static_cast<T*>(data);
    const double* value = values.data();
    eachOffset(span.dims, span.strides, [&](int64_t offset) { to[offset] = convertTo<T>(*value++); });
  });
}

void blend(const TensorSpan& span, void* data, std::vector<double> values, double alpha, double beta) {
  for (double& value : values) value *= alpha;
  if (beta != 0) {
    const std::vector<double> before = gather(span, data);
    for (size_t i = 0; i < values.size(); ++i) values[i] += beta * before[i];
  }
  scatter(span, data, values);
}

std::vector<double> stretch(const std::vector<double>& values, const Dims& from, const Dims& to) {
  if (from == to) return values;
  Dims strides = stridesOf(from);
  for (size_t i = 0; i < from.size(); ++i)
    if (from[i] == 1) strides[i] = 0;
  std::vector<double> result;
  eachOffset(to, strides, [&](int64_t offset) { result.push_back(values[static_cast<size_t>(offset)]); });
  return result;
}

void requireOnDevice(const TensorSpan& span, const void* data, const std::string& name) {
  require(data != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, name + " is null");
  require(reinterpret_cast<uintptr_t>(data) % sizeOf(span.type) == 0,
          CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, name + " is not aligned to its elements");
  require(deviceMemory().covers(data, span.bytes()), CUDNN_STATUS_BAD_PARAM,
          name + " " + spell(span) + " does not lie inside device memory");
}

}  // namespace cudasim

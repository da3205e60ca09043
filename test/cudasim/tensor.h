#pragma once
#include <stdexcept>
#include <string>
#include <vector>

#include "numbers.h"

namespace cudasim {

using Dims = std::vector<int64_t>;

// Where a tensor's elements lie.
struct TensorSpan {
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  Dims dims, strides;

  int64_t count() const;
  // From the first element to behind the last.
  size_t bytes() const;
  bool operator==(const TensorSpan&) const = default;
};

std::string spell(const Dims& dims);
std::string spell(const TensorSpan& span);
// Whether one can be stretched to the other: every extent is the same, or 1.
bool stretches(const Dims& from, const Dims& to);
Dims stridesOf(const Dims& dims);

// All elements in row-major order.
std::vector<double> gather(const TensorSpan& span, const void* data);
void scatter(const TensorSpan& span, void* data, const std::vector<double>& values);
// alpha * values + beta * what is there; with beta 0, what is there is not read.
void blend(const TensorSpan& span, void* data, std::vector<double> values, double alpha, double beta);
std::vector<double> stretch(const std::vector<double>& values, const Dims& from, const Dims& to);

// A call that breaks a library's rules.
struct Refusal : std::runtime_error {
  cudnnStatus_t status;
  Refusal(cudnnStatus_t status, const std::string& why) : std::runtime_error(why), status(status) {}
};

template <class F>
cudnnStatus_t guarded(const char* call, F&& body) {
  try {
    body();
    return CUDNN_STATUS_SUCCESS;
  } catch (const Refusal& refusal) {
    complain(call, refusal.what());
    return refusal.status;
  }
}

inline void require(bool condition, cudnnStatus_t status, const std::string& why) {
  if (!condition) throw Refusal(status, why);
}

// Throws a Refusal unless the tensor lies in device memory, aligned to its elements.
void requireOnDevice(const TensorSpan& span, const void* data, const std::string& name);

}  // namespace cudasim

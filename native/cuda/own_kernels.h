#pragma once
#include <limits>
#include <numeric>

#include "request.h"

// What the families whose kernels are all ours share.
namespace fovea::cuda {

// Our kernels count elements in 32 bits, in which they divide much faster.
inline unsigned narrow(int64_t count) {
  if (count > std::numeric_limits<int32_t>::max())
    throw unsupported("takes tensors of less than 2^31 elements, not of " + std::to_string(count));
  return static_cast<unsigned>(count);
}
inline unsigned elementsOf(const TensorSpec& spec) { return narrow(elementCount(spec.shape)); }

inline LayoutPtr layoutAs(const TensorSpec& spec, bool channelsLast) {
  return channelsLast ? channelsLastLayout(spec) : plainLayout(spec);
}

// For what an instruction's operands must all be.
inline void requireF32(const Request& request) {
  for (const auto* operands : {&request.operands.inputs, &request.operands.outputs})
    for (const auto& operand : *operands)
      if (operand) requireF32(operand->spec, "every operand");
}
inline void requireSameType(const TensorSpec& a, const TensorSpec& b) {
  if (a.dtype != b.dtype)
    throw unsupported(std::string("takes operands of one type, not ") + nameOf(a.dtype) + " and " +
                      nameOf(b.dtype));
}

// What a move copies at a time: the most bytes that divide all `widths`.
struct Unit {
  explicit Unit(std::initializer_list<int64_t> widths) {
    for (const int64_t width : widths) bytes = std::gcd(bytes, width);
  }
  void divide(int64_t width) { bytes = std::gcd(bytes, width); }
  // The kernels' name of it.
  const char* name() const {
    switch (bytes) {
      case 16:
        return "uint4";
      case 8:
        return "uint2";
      case 4:
        return "unsigned";
      case 2:
        return "unsigned short";
      default:
        return "unsigned char";
    }
  }
  unsigned count(int64_t of) const { return narrow(of / bytes); }

  int64_t bytes = 16;
};

}  // namespace fovea::cuda

#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "api.h"

namespace cudasim {

// The formats of numbers on a device.

inline size_t sizeOf(cudnnDataType_t type) {
  switch (type) {
    case CUDNN_DATA_DOUBLE:
    case CUDNN_DATA_INT64:
      return 8;
    case CUDNN_DATA_HALF:
    case CUDNN_DATA_BFLOAT16:
      return 2;
    case CUDNN_DATA_INT8:
    case CUDNN_DATA_UINT8:
    case CUDNN_DATA_BOOLEAN:
      return 1;
    default:
      return 4;
  }
}

inline bool isKnown(cudnnDataType_t type) {
  switch (type) {
    case CUDNN_DATA_FLOAT:
    case CUDNN_DATA_DOUBLE:
    case CUDNN_DATA_HALF:
    case CUDNN_DATA_INT8:
    case CUDNN_DATA_INT32:
    case CUDNN_DATA_UINT8:
    case CUDNN_DATA_BFLOAT16:
    case CUDNN_DATA_INT64:
    case CUDNN_DATA_BOOLEAN:
      return true;
  }
  return false;
}

inline bool isFloating(cudnnDataType_t type) {
  return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_DOUBLE || type == CUDNN_DATA_HALF ||
         type == CUDNN_DATA_BFLOAT16;
}

struct Half {
  uint16_t bits;
  operator double() const {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double value = 0;
    if (exponent == 31)
      value = fraction ? NAN : INFINITY;
    else if (exponent == 0)
      value = std::ldexp(fraction, -24);
    else
      value = std::ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -value : value;
  }
  static Half from(double x) {
    const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    if (std::isnan(x)) return {static_cast<uint16_t>(sign | 0x7e00)};
    x = std::fabs(x);
    if (x >= 65520) return {static_cast<uint16_t>(sign | 0x7c00)};
    if (x < std::ldexp(1, -14)) return {static_cast<uint16_t>(sign | std::lrint(std::ldexp(x, 24)))};
    int exponent = 0;
    const double fraction = std::frexp(x, &exponent);  // from a half to 1
    // Rounding up to 2048 carries into the exponent by itself.
    const auto rounded = std::lrint(std::ldexp(fraction, 11)) - 1024;
    return {static_cast<uint16_t>(sign | (((exponent + 14) << 10) + rounded))};
  }
};

struct Bfloat {
  uint16_t bits;
  operator double() const {
    const uint32_t wide = uint32_t{bits} << 16;
    float value = 0;
    std::memcpy(&value, &wide, 4);
    return value;
  }
  static Bfloat from(double x) {
    if (std::isnan(x)) return {0x7fc0};
    if (x == 0 || std::isinf(x))
      return {static_cast<uint16_t>((std::signbit(x) ? 0x8000 : 0) | (x == 0 ? 0 : 0x7f80))};
    int exponent = 0;
    const double fraction = std::frexp(x, &exponent);
    const int digits = exponent < -125 ? 8 - (-125 - exponent) : 8;  // subnormal numbers have fewer
    const auto value =
        static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(fraction, digits)), exponent - digits));
    uint32_t wide = 0;
    std::memcpy(&wide, &value, 4);
    return {static_cast<uint16_t>(wide >> 16)};
  }
};

template <class T>
T convertTo(double x) {
  if constexpr (requires { T::from(x); })
    return T::from(x);
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(std::lrint(x));
  else
    return static_cast<T>(x);
}

// Calls `f` with a value of the C++ type that a format has.
template <class F>
void withType(cudnnDataType_t type, F&& f) {
  switch (type) {
    case CUDNN_DATA_FLOAT:
      return f(float{});
    case CUDNN_DATA_DOUBLE:
      return f(double{});
    case CUDNN_DATA_HALF:
      return f(Half{});
    case CUDNN_DATA_BFLOAT16:
      return f(Bfloat{});
    case CUDNN_DATA_INT8:
      return f(int8_t{});
    case CUDNN_DATA_INT32:
      return f(int32_t{});
    case CUDNN_DATA_INT64:
      return f(int64_t{});
    default:
      return f(uint8_t{});
  }
}

inline double rounded(double x, cudnnDataType_t type) {
  double result = 0;
  withType(type, [&](auto sample) { result = static_cast<double>(convertTo<decltype(sample)>(x)); });
  return result;
}

// To the 10 bits of fraction that tensor cores read of a float (TF32).
inline double roundedToTf32(double x) {
  if (!std::isfinite(x) || x == 0) return x;
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 11)), exponent - 11);
}

}  // namespace cudasim

#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

namespace fovea::cpu {

// The matrices of a one-dimensional convolution F(outer, taps): `outer` neighbouring results of a kernel of
// `taps` from `outer + taps - 1` values and as many products, y = A [(G g) * (B d)] (Cook and Toom; Lavin and
// Gray 2015, section 4). All is interpolated at 0, at pairs of points p and -p, and at infinity, in this
// order.
template <size_t outer, size_t taps>
struct CookToom {
  static constexpr size_t inner = outer + taps - 1, pairs = inner / 2 - 1;
  static_assert(inner % 2 == 0);

  std::array<std::array<double, inner>, outer> a{};
  std::array<std::array<double, taps>, inner> g{};
  std::array<std::array<double, inner>, inner> b{};

  explicit constexpr CookToom(const std::array<double, pairs>& positive) {
    std::array<double, inner - 1> points{};
    for (size_t i = 0; i < pairs; ++i) {
      points[1 + 2 * i] = positive[i];
      points[2 + 2 * i] = -positive[i];
    }
    for (size_t i = 0; i < points.size(); ++i) {
      double norm = 1, power = 1;
      for (size_t j = 0; j < points.size(); ++j)
        if (j != i) norm *= points[i] - points[j];
      b[i] = polynomial(points, i);
      for (size_t k = 0; k < std::max(outer, taps); ++k, power *= points[i]) {
        if (k < outer) a[k][i] = power;
        if (k < taps) g[i][k] = power / norm;
      }
    }
    b.back() = polynomial(points, points.size());
    a.back().back() = g.back().back() = 1;
  }

 private:
  // Coefficients of the product of x - p over all points but one.
  static constexpr std::array<double, inner> polynomial(const std::array<double, inner - 1>& points,
                                                        size_t without) {
    std::array<double, inner> c{1};
    for (size_t i = 0; i < points.size(); ++i) {
      if (i == without) continue;
      for (size_t k = inner - 1; k > 0; --k) c[k] = c[k - 1] - points[i] * c[k];
      c[0] *= -points[i];
    }
    return c;
  }
};

}  // namespace fovea::cpu

#pragma once
#include "families.h"

namespace fovea::cpu {

// How a convolution's weights lie for Winograd's method: the 36 positions of each kernel of 3 x 3, by group of
// vectors of output channels, position and input channel, zeros where channels do not fill a vector.
class WinogradWeights final : public Layout {
 public:
  WinogradWeights(int64_t outputs, int64_t channels) : outputs_(outputs), channels_(channels) {}

  size_t bytes() const override;
  bool equals(const Layout& other) const override;
  bool elementwise() const override { return false; }
  std::string name() const override { return "winograd"; }

 private:
  int64_t outputs_, channels_;
};

// Who works on a block of tiles.
enum class WinogradBlocks {
  shared,  // all threads, on one large block after the other: each weight is read once a block
  own,     // each thread on small blocks of its own, which stay in its cache
};

// nullptr where the processor or the convolution is not one for it. Weights must be constant.
KernelPtr winogradConvolution(const Request& request, const ops::Convolution& op, WinogradBlocks blocks);

// From row-major weights.
KernelPtr packWinogradWeights(const Request& request, const LayoutPtr& to);

}  // namespace fovea::cpu

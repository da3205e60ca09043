#pragma once
#include "families.h"
#include "winograd_tiles.h"

namespace fovea::cpu {

// How a convolution's weights lie for Winograd's method where they are constant: the positions of each
// kernel, by group of vectors of output channels, position, vector and input channel, zeros where channels do
// not fill a vector.
class WinogradWeights final : public Layout {
 public:
  WinogradWeights(const winograd::Transforms& transforms, int64_t outputs, int64_t channels)
      : transforms_(transforms), outputs_(outputs), channels_(channels) {}

  size_t bytes() const override;
  bool equals(const Layout& other) const override;
  bool elementwise() const override { return false; }
  std::string name() const override { return "winograd"; }

  // From row-major weights to this layout, which is `to`.
  KernelPtr pack(const Request& request, const LayoutPtr& to) const;

 private:
  const winograd::Transforms& transforms_;
  int64_t outputs_, channels_;
};

// Ways to do it; which is the fastest depends on the numbers of channels and tiles.
enum class WinogradMethod {
  // Each thread takes small blocks of tiles through all steps in its own cache. Constant weights.
  ownTiles,
  // All threads share each step of one large block of tiles after the other, so that each weight is read once
  // a block. Constant weights.
  sharedTiles,
  // Each thread transforms the weights of some output channels and uses them for all tiles at once: a
  // fraction
  // of the memory to read, and no transformed weights to keep.
  ownWeights,
};

constexpr WinogradMethod winogradMethods[] = {WinogradMethod::ownTiles, WinogradMethod::sharedTiles,
                                              WinogradMethod::ownWeights};
const char* nameOf(WinogradMethod method);

// Whether there are transforms for such a convolution.
bool winogradFits(const ops::ConvolutionGeometry& op, const Shape& weight);

// Of a convolution that fits; nullptr where the processor, the types, the channels or the method are not ones
// for it.
KernelPtr winogradConvolution(const Request& request, const ops::Convolution& op, WinogradMethod method);

}  // namespace fovea::cpu

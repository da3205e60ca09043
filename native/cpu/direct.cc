#include "direct.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "blocked_convolution.h"
#include "products.h"
#include "queue.h"

namespace fovea::cpu {
namespace {

using namespace products;

// Bytes of weights that stay in a second-level cache while pixels pass by, and of x while weights do.
constexpr int64_t weightBytes = 256 << 10, imageBytes = 256 << 10;
// Units of work for each thread, so that none waits long for the last one.
constexpr int64_t unitsEach = 4;

struct Problem {
  int64_t batch, channels, outputs;
  int64_t height, width;      // of x, with padding
  int64_t toHeight, toWidth;  // of y
  int64_t kernelHeight, kernelWidth, stride, dilationHeight, dilationWidth;
  int64_t vectors;  // at once
  bool relu;

  int64_t blocks() const { return partsOf(channels, lanes); }
  int64_t taps() const { return kernelHeight * kernelWidth; }
};

// Copies x into a frame of zeros.
class Padding {
 public:
  Padding(const ops::ConvolutionGeometry& op, const Shape& x) : height_(x[2]), width_(x[3]) {
    const auto [top, left, bottom, right] = op.padding;
    top_ = top;
    left_ = left;
    paddedHeight_ = height_ + top + bottom;
    paddedWidth_ = width_ + left + right;
    planes_ = x[0] * partsOf(x[1], lanes);
  }

  bool needed() const { return height_ != paddedHeight_ || width_ != paddedWidth_; }
  int64_t height() const { return paddedHeight_; }
  int64_t width() const { return paddedWidth_; }
  int64_t planes() const { return planes_; }
  size_t bytes() const { return needed() ? planes_ * plane() * sizeof(float) : 0; }

  void copy(const float* x, float* padded, int64_t index) const {
    const float* from = x + index * height_ * width_ * lanes;
    float* to = padded + index * plane();
    const auto clear = [](float* begin, int64_t pixels) {
      std::memset(begin, 0, pixels * lanes * sizeof(float));
    };
    clear(to, top_ * paddedWidth_);
    for (int64_t row = 0; row < height_; ++row) {
      float* line = to + (top_ + row) * paddedWidth_ * lanes;
      clear(line, left_);
      std::memcpy(line + left_ * lanes, from + row * width_ * lanes, width_ * lanes * sizeof(float));
      clear(line + (left_ + width_) * lanes, paddedWidth_ - left_ - width_);
    }
    clear(to + (top_ + height_) * paddedWidth_ * lanes, (paddedHeight_ - top_ - height_) * paddedWidth_);
  }

 private:
  int64_t plane() const { return paddedHeight_ * paddedWidth_ * lanes; }

  int64_t height_, width_, top_, left_, paddedHeight_, paddedWidth_, planes_;
};

class DirectConvolution {
 public:
  DirectConvolution(const Problem& problem, const Padding& padding, int threads)
      : p_(problem), padding_(padding), groups_(partsOf(problem.outputs, lanes), problem.vectors) {
    for (int64_t row = 0; row < p_.kernelHeight; ++row)
      for (int64_t column = 0; column < p_.kernelWidth; ++column)
        offsets_.push_back((row * p_.dilationHeight * p_.width + column * p_.dilationWidth) * lanes);
    const int64_t blockBytes = p_.taps() * p_.vectors * lanes * lanes * sizeof(float);
    chunk_ = std::clamp<int64_t>(weightBytes / blockBytes, 1, p_.blocks());
    // Each thread reads the larger of both, weights and x, in part only.
    const int64_t rows = p_.batch * p_.toHeight;
    const int64_t xBytes = p_.batch * p_.blocks() * p_.height * p_.width * lanes * sizeof(float);
    const int64_t allWeights = groups_.count * p_.blocks() * blockBytes;
    if (allWeights < xBytes || groups_.count < threads) {
      const int64_t wanted = std::max(partsOf(xBytes, imageBytes), unitsEach * threads);
      rowsEach_ = partsOf(rows, std::min(rows, wanted));
      parts_ = partsOf(rows, rowsEach_);
      groupsEach_ = groups_.count;
    } else {
      rowsEach_ = rows;
    }
  }

  size_t scratchBytes() const { return padding_.bytes(); }

  void run(const Pointers& p) {
    queue_.reset();
    paddingQueue_.reset();
    const auto* x = static_cast<const float*>(p.inputs[0]);
#pragma omp parallel
    {
      if (padding_.needed()) {
        auto* padded = static_cast<float*>(p.scratch);
        paddingQueue_.work(padding_.planes(), [&](int64_t plane) { padding_.copy(x, padded, plane); });
#pragma omp barrier
      }
      const float* from = padding_.needed() ? static_cast<const float*>(p.scratch) : x;
      const int64_t unitsOfPart = partsOf(groups_.count, groupsEach_);
      queue_.work(parts_ * unitsOfPart, [&](int64_t unit) {
        const int64_t first = unit % unitsOfPart * groupsEach_;
        for (int64_t group = first; group < std::min(first + groupsEach_, groups_.count); ++group)
          take(p, from, unit / unitsOfPart, group);
      });
    }
  }

 private:
  // Some rows of some output channels.
  void take(const Pointers& p, const float* x, int64_t part, int64_t group) const {
    const int64_t vectors = groups_.size(group), first = groups_.begin(group);
    const int64_t xBlock = p_.height * p_.width * lanes, yVector = p_.toHeight * p_.toWidth * lanes;
    const int64_t tapFloats = p_.taps() * lanes * lanes;
    const auto* weights = static_cast<const float*>(p.inputs[1]) + first * p_.blocks() * tapFloats;
    const float *bias = optionalFloats(p, 2), *residual = optionalFloats(p, 3);
    auto* y = static_cast<float*>(p.outputs[0]);
    const int64_t begin = part * rowsEach_, end = std::min(begin + rowsEach_, p_.batch * p_.toHeight);
    for (int64_t block = 0; block < p_.blocks(); block += chunk_) {
      const int64_t blocks = std::min(chunk_, p_.blocks() - block);
      const Terms terms{blocks, p_.taps(), offsets_.data(), xBlock, p_.blocks() * tapFloats};
      const bool last = block + blocks == p_.blocks();
      // The residual comes first: y may lie in its memory.
      const float* add = block > 0 ? y : residual;
      Finish finish{yVector, nullptr, last && bias ? bias + first * lanes : nullptr, last && p_.relu,
                    p_.outputs - first * lanes};
      for (int64_t line = begin; line < end; ++line) {
        const int64_t image = line / p_.toHeight, row = line % p_.toHeight;
        const float* from = x + (image * p_.blocks() + block) * xBlock + row * p_.stride * p_.width * lanes;
        const int64_t to = (image * groups_.vectors + first) * yVector + row * p_.toWidth * lanes;
        if (add) finish.add = add + to;
        accumulate(from, weights + block * tapFloats, y + to, p_.toWidth, vectors, p_.stride, terms, finish);
      }
    }
  }

  const Problem p_;
  const Padding padding_;
  const Groups groups_;
  std::vector<int64_t> offsets_;
  int64_t chunk_;     // blocks of channels that are summed at once
  int64_t rowsEach_;  // of the batch's output rows that are a part
  int64_t parts_ = 1, groupsEach_ = 1;
  Queue queue_, paddingQueue_;
};

// Where one pixel is read for one, rows need not end.
void joinRows(Problem& p) {
  if (p.taps() > 1 || p.stride > 1) return;
  // A row of as many pixels as are summed at once leaves enough rows to share out.
  const int64_t pixels = p.height * p.width, most = mostPixels[p.vectors - 1];
  int64_t columns = pixels;
  for (int64_t runs = 1; runs <= 8; ++runs)
    if (pixels % (most * runs) == 0) columns = most * runs;
  if (columns == pixels) {
    for (int64_t width = std::min(pixels, 4 * most); width > most / 2; --width)
      if (pixels % width == 0) {
        columns = width;
        break;
      }
  }
  p.height = p.toHeight = pixels / columns;
  p.width = p.toWidth = columns;
}

}  // namespace

KernelPtr directConvolution(const Request& request, const ops::Convolution& op, int64_t vectors) {
  const TensorSpec &x = request.input(0), &weight = request.input(1), &y = request.output(0);
  if (op.groups != 1 || op.stride[0] != op.stride[1] || op.stride[1] > 2 ||
      partsOf(y.shape[1], lanes) < vectors)
    return nullptr;
  auto kernel = blockedConvolution(request, "direct by " + std::to_string(vectors));
  if (!kernel) return nullptr;

  const Padding padding(op, x.shape);
  Problem problem{x.shape[0],      x.shape[1],
                  y.shape[1],      padding.height(),
                  padding.width(), y.shape[2],
                  y.shape[3],      weight.shape[2],
                  weight.shape[3], op.stride[0],
                  op.dilation[0],  op.dilation[1],
                  vectors,         op.activation == ops::Activation::relu};
  if (!padding.needed()) joinRows(problem);
  kernel->inputs[1] = layoutOf(weight, blockedWeights(weight), Role::weights);
  const auto work = std::make_shared<DirectConvolution>(problem, padding, omp_get_max_threads());
  kernel->scratchBytes = work->scratchBytes();
  kernel->body = [work](const Pointers& p) { work->run(p); };
  return kernel;
}

}  // namespace fovea::cpu

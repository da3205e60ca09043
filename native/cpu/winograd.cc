#include "winograd.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "winograd_tiles.h"

namespace fovea::cpu {
namespace {

using namespace winograd;

constexpr int64_t partTiles = 16;  // that a thread transforms at once
// Bytes of tiles before and after the product: half of a usual second-level cache, and of a third-level one's
// share.
constexpr int64_t ownBytes = 640 << 10, sharedBytes = 8 << 20;

int64_t partsOf(int64_t count, int64_t size) { return (count + size - 1) / size; }

// Vectors of output channels, in groups of nearly the same size, as many as a product takes at once.
struct Groups {
  explicit Groups(int64_t vectors) : vectors(vectors), count(partsOf(vectors, mostVectors)) {}
  int64_t begin(int64_t group) const { return group * vectors / count; }
  int64_t size(int64_t group) const { return begin(group + 1) - begin(group); }

  int64_t vectors, count;
};

struct Problem {
  int64_t batch, channels, outputs;        // channels of x and y
  int64_t height, width, toHeight, toWidth;  // of x and y
  int64_t top, left;                       // padding
  bool relu;

  int64_t blocks() const { return partsOf(channels, lanes); }
  Groups groups() const { return Groups(partsOf(outputs, lanes)); }
  int64_t rows() const { return partsOf(toHeight, outer); }
  int64_t columns() const { return partsOf(toWidth, outer); }
  int64_t tiles() const { return batch * rows() * columns(); }
};

// Of a tile in the batch.
struct Position {
  int64_t image, row, column;
};

// Spreads units of work over threads that take the next one when they are ready, so that a slow processor does
// less.
class Queue {
 public:
  void reset() { next_ = 0; }
  template <class Work>
  void work(int64_t count, const Work& work) {
    for (int64_t unit = next_++; unit < count; unit = next_++) work(unit);
  }

 private:
  alignas(64) std::atomic<int64_t> next_{0};
};

class Convolution {
 public:
  Convolution(const Problem& problem, int64_t capacity)
      : p_(problem),
        groups_(problem.groups()),
        capacity_(capacity),
        tileStride_(oddLines(problem.blocks() * capacity)),
        productStride_(oddLines(mostVectors * capacity)) {}

  int64_t blocks() const { return partsOf(p_.tiles(), capacity_); }
  int64_t tileFloats() const { return positions * tileStride_; }
  int64_t productFloats() const { return positions * productStride_; }
  int64_t groups() const { return groups_.count; }
  int64_t used(int64_t block) const { return std::min(capacity_, p_.tiles() - block * capacity_); }

  // Tiles [begin, end) of a block, of one block of channels.
  void before(const float* x, float* tiles, int64_t block, int64_t channels, int64_t begin, int64_t end) const {
    for (int64_t t = begin; t < end; ++t) {
      const auto [image, row, column] = at(block * capacity_ + t);
      const float* plane = x + (image * p_.blocks() + channels) * p_.height * p_.width * lanes;
      transformInput(plane, {p_.height, p_.width, row * outer - p_.top, column * outer - p_.left},
                     tiles + (channels * capacity_ + t) * lanes, tileStride_);
    }
  }

  void multiplyAt(int64_t position, const float* tiles, const float* weights, float* product, int64_t group,
                  int64_t count) const {
    const int64_t size = groups_.size(group), channels = p_.blocks() * lanes;
    const float* ofGroup = weights + groups_.begin(group) * lanes * channels * positions;
    multiply(tiles + position * tileStride_, ofGroup + position * channels * size * lanes,
             product + position * productStride_, p_.blocks(), size, count, capacity_);
  }

  // Tiles [begin, end) of a block, of one vector of a group.
  void after(const float* product, const Pointers& p, int64_t block, int64_t group, int64_t vector,
             int64_t begin, int64_t end) const {
    const int64_t v = groups_.begin(group) + vector;
    const auto* bias = p.inputs.size() > 2 ? static_cast<const float*>(p.inputs[2]) : nullptr;
    const auto* residual = p.inputs.size() > 3 ? static_cast<const float*>(p.inputs[3]) : nullptr;
    for (int64_t t = begin; t < end; ++t) {
      const auto [image, row, column] = at(block * capacity_ + t);
      const int64_t plane = (image * groups_.vectors + v) * p_.toHeight * p_.toWidth * lanes;
      const Finish finish{bias ? bias + v * lanes : nullptr, residual ? residual + plane : nullptr, p_.relu,
                          static_cast<int>(std::min(lanes, p_.outputs - v * lanes))};
      transformOutput(product + (vector * capacity_ + t) * lanes, productStride_,
                      {p_.toHeight, p_.toWidth, row * outer, column * outer}, finish,
                      static_cast<float*>(p.outputs[0]) + plane);
    }
  }

  const Groups& grouping() const { return groups_; }

 private:
  // Positions lie an odd number of cache lines apart, or all would fall into the same few sets of a cache.
  static int64_t oddLines(int64_t lines) { return (lines | 1) * lanes; }

  Position at(int64_t tile) const {
    const int64_t columns = p_.columns(), rows = p_.rows();
    return {tile / columns / rows, tile / columns % rows, tile % columns};
  }

  const Problem p_;
  const Groups groups_;
  const int64_t capacity_, tileStride_, productStride_;
};

// Each thread takes block after block through all three steps.
class OwnBlocks {
 public:
  OwnBlocks(const Problem& problem, int threads)
      : convolution_(problem, capacityOf(problem, threads)), channels_(problem.blocks()), threads_(threads) {}

  size_t scratchBytes() const { return threads_ * floats() * sizeof(float); }

  void run(const Pointers& p) {
    queue_.reset();
#pragma omp parallel
    {
      auto* tiles = static_cast<float*>(p.scratch) + omp_get_thread_num() * floats();
      float* product = tiles + convolution_.tileFloats();
      queue_.work(convolution_.blocks(), [&](int64_t block) { take(p, block, tiles, product); });
    }
  }

 private:
  static int64_t capacityOf(const Problem& problem, int threads) {
    const int64_t bytes = positions * (problem.blocks() + mostVectors) * lanes * sizeof(float);
    const int64_t most = std::max<int64_t>(ownBytes / bytes, 1);
    const int64_t blocks = partsOf(partsOf(problem.tiles(), most), threads) * threads;
    return partsOf(problem.tiles(), blocks);
  }

  int64_t floats() const { return convolution_.tileFloats() + convolution_.productFloats(); }

  void take(const Pointers& p, int64_t block, float* tiles, float* product) const {
    const auto* x = static_cast<const float*>(p.inputs[0]);
    const auto* weights = static_cast<const float*>(p.inputs[1]);
    const int64_t used = convolution_.used(block);
    for (int64_t channels = 0; channels < channels_; ++channels)
      convolution_.before(x, tiles, block, channels, 0, used);
    for (int64_t group = 0; group < convolution_.groups(); ++group) {
      for (int64_t position = 0; position < positions; ++position)
        convolution_.multiplyAt(position, tiles, weights, product, group, used);
      for (int64_t vector = 0; vector < convolution_.grouping().size(group); ++vector)
        convolution_.after(product, p, block, group, vector, 0, used);
    }
  }

  const Convolution convolution_;
  const int64_t channels_;
  const int threads_;
  Queue queue_;
};

// All threads share the work of each step.
class SharedBlocks {
 public:
  explicit SharedBlocks(const Problem& problem)
      : convolution_(problem, capacityOf(problem)), channels_(problem.blocks()), vectors_(problem.groups().vectors) {}

  size_t scratchBytes() const {
    return (convolution_.tileFloats() + convolution_.groups() * convolution_.productFloats()) * sizeof(float);
  }

  void run(const Pointers& p) {
    for (int64_t block = 0; block < convolution_.blocks(); ++block) runBlock(p, block);
  }

 private:
  static int64_t capacityOf(const Problem& problem) {
    const int64_t bytes =
        positions * (problem.blocks() + problem.groups().count * mostVectors) * lanes * sizeof(float);
    const int64_t blocks = partsOf(problem.tiles(), std::max<int64_t>(sharedBytes / bytes, 1));
    return partsOf(problem.tiles(), blocks);
  }

  void runBlock(const Pointers& p, int64_t block) {
    const auto* x = static_cast<const float*>(p.inputs[0]);
    const auto* weights = static_cast<const float*>(p.inputs[1]);
    auto* tiles = static_cast<float*>(p.scratch);
    float* products = tiles + convolution_.tileFloats();
    const int64_t used = convolution_.used(block), parts = partsOf(used, partTiles);
    const auto productOf = [&](int64_t group) { return products + group * convolution_.productFloats(); };
    const Groups& grouping = convolution_.grouping();
    for (Queue& queue : queues_) queue.reset();
#pragma omp parallel
    {
      queues_[0].work(channels_ * parts, [&](int64_t unit) {
        const int64_t begin = unit % parts * partTiles;
        convolution_.before(x, tiles, block, unit / parts, begin, std::min(begin + partTiles, used));
      });
#pragma omp barrier
      queues_[1].work(convolution_.groups() * positions, [&](int64_t unit) {
        const int64_t group = unit / positions;
        convolution_.multiplyAt(unit % positions, tiles, weights, productOf(group), group, used);
      });
#pragma omp barrier
      queues_[2].work(vectors_ * parts, [&](int64_t unit) {
        const int64_t begin = unit % parts * partTiles, vector = unit / parts;
        int64_t group = 0;
        while (grouping.begin(group + 1) <= vector) ++group;
        convolution_.after(productOf(group), p, block, group, vector - grouping.begin(group), begin,
                           std::min(begin + partTiles, used));
      });
    }
  }

  const Convolution convolution_;
  const int64_t channels_, vectors_;
  Queue queues_[3];
};

// G g G', with the sums in double precision.
void transformWeight(const float* weight, double (&u)[inner][inner]) {
  static constexpr double g[inner][3] = {{1. / 4, 0, 0},
                                         {-1. / 6, -1. / 6, -1. / 6},
                                         {-1. / 6, 1. / 6, -1. / 6},
                                         {1. / 24, 1. / 12, 1. / 6},
                                         {1. / 24, -1. / 12, 1. / 6},
                                         {0, 0, 1}};
  double half[inner][3];
  for (int i = 0; i < inner; ++i)
    for (int k = 0; k < 3; ++k)
      half[i][k] = g[i][0] * weight[k] + g[i][1] * weight[3 + k] + g[i][2] * weight[6 + k];
  for (int i = 0; i < inner; ++i)
    for (int j = 0; j < inner; ++j)
      u[i][j] = g[j][0] * half[i][0] + g[j][1] * half[i][1] + g[j][2] * half[i][2];
}

}  // namespace

size_t WinogradWeights::bytes() const {
  return positions * partsOf(outputs_, lanes) * lanes * partsOf(channels_, lanes) * lanes * sizeof(float);
}

bool WinogradWeights::equals(const Layout& other) const {
  const auto* that = dynamic_cast<const WinogradWeights*>(&other);
  return that && outputs_ == that->outputs_ && channels_ == that->channels_;
}

KernelPtr packWinogradWeights(const Request& request, const LayoutPtr& to) {
  const Shape& shape = request.input(0).shape;
  auto kernel = std::make_unique<FunctionKernel>(request, "winograd weights");
  kernel->outputs[0] = to;
  kernel->body = [outputs = shape[0], channels = shape[1], bytes = to->bytes()](const Pointers& p) {
    const auto* from = static_cast<const float*>(p.inputs[0]);
    auto* packed = static_cast<float*>(p.outputs[0]);
    std::memset(packed, 0, bytes);
    const Groups groups(partsOf(outputs, lanes));
    const int64_t rows = partsOf(channels, lanes) * lanes;
#pragma omp parallel for
    for (int64_t group = 0; group < groups.count; ++group) {
      const int64_t first = groups.begin(group) * lanes, width = groups.size(group) * lanes;
      float* ofGroup = packed + first * rows * positions;
      for (int64_t o = 0; o < std::min(width, outputs - first); ++o)
        for (int64_t i = 0; i < channels; ++i) {
          double u[inner][inner];
          transformWeight(from + ((first + o) * channels + i) * 9, u);
          for (int64_t position = 0; position < positions; ++position)
            ofGroup[(position * rows + i) * width + o] =
                static_cast<float>(u[position / inner][position % inner]);
        }
    }
  };
  return kernel;
}

KernelPtr winogradConvolution(const Request& request, const ops::Convolution& op, WinogradBlocks blocks) {
  const TensorSpec &x = request.input(0), &y = request.output(0);
  // A vector that is mostly padding is work for nothing.
  if (!supported() || !request.operands.inputs[1]->constant || x.shape[1] < lanes || y.shape[1] < lanes)
    return nullptr;
  const auto from = blockedDesc(x, lanes), to = blockedDesc(y, lanes);
  const LayoutPtr fromLayout = layoutOf(x, *from), toLayout = layoutOf(y, *to);
  if (const LayoutPtr forced = request.forcedLayout(0); forced && !forced->equals(*toLayout)) return nullptr;

  const auto& [top, left, bottom, right] = op.padding;
  const Problem problem{x.shape[0], x.shape[1], y.shape[1], x.shape[2], x.shape[3], y.shape[2], y.shape[3],
                        top, left, op.activation == ops::Activation::relu};
  auto kernel = std::make_unique<FunctionKernel>(request, "winograd_4x3");
  kernel->inputs[0] = fromLayout;
  kernel->inputs[1] = std::make_shared<WinogradWeights>(problem.outputs, problem.channels);
  kernel->outputs[0] = toLayout;
  if (request.hasInput(3)) {
    kernel->inputs[3] = toLayout;
    kernel->aliases = {{0, 3, false}};
  }
  const auto use = [&](auto method) {
    kernel->scratchBytes = method->scratchBytes();
    kernel->body = [method](const Pointers& p) { method->run(p); };
  };
  if (blocks == WinogradBlocks::own)
    use(std::make_shared<OwnBlocks>(problem, omp_get_max_threads()));
  else
    use(std::make_shared<SharedBlocks>(problem));
  return kernel;
}

}  // namespace fovea::cpu

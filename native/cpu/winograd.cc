#include "winograd.h"

#include <omp.h>

#include <algorithm>
#include <cstring>

#include "blocked_convolution.h"
#include "products.h"
#include "queue.h"
#include "winograd_tiles.h"

namespace fovea::cpu {
namespace {

using namespace winograd;
using products::mostVectors;

constexpr int64_t partTiles = 16;  // that a thread transforms at once
// Sums of more would not stay in a second-level cache while weights pass by.
constexpr int64_t mostOwnWeightTiles = 64;
// Bytes of tiles before and after the product: half of a usual second-level cache, and of a third-level one's
// share.
constexpr int64_t ownBytes = 640 << 10, sharedBytes = 8 << 20;

struct Problem {
  int64_t batch, channels, outputs;          // channels of x and y
  int64_t height, width, toHeight, toWidth;  // of x and y
  int64_t top, left;                         // padding
  bool relu;
  const Transforms& transforms;

  int64_t blocks() const { return partsOf(channels, lanes); }
  Groups groups() const { return {partsOf(outputs, lanes), mostVectors}; }
  int64_t rows() const { return partsOf(toHeight, transforms.outer.height); }
  int64_t columns() const { return partsOf(toWidth, transforms.outer.width); }
  int64_t tiles() const { return batch * rows() * columns(); }
  int64_t positions() const { return transforms.positions(); }
};

void prefetch(const float* from, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i += lanes) __builtin_prefetch(from + i);
}

// Of a tile in the batch.
struct Position {
  int64_t image, row, column;
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
  int64_t positions() const { return p_.positions(); }
  int64_t tileFloats() const { return positions() * tileStride_; }
  int64_t productFloats() const { return positions() * productStride_; }
  int64_t used(int64_t block) const { return std::min(capacity_, p_.tiles() - block * capacity_); }

  // Tiles [begin, end) of a block, of one block of channels.
  void before(const float* x, float* tiles, int64_t block, int64_t channels, int64_t begin,
              int64_t end) const {
    for (int64_t t = begin; t < end; ++t) {
      const auto [image, row, column] = at(block * capacity_ + t);
      const float* plane = x + (image * p_.blocks() + channels) * p_.height * p_.width * lanes;
      const Size& outer = p_.transforms.outer;
      p_.transforms.input(plane,
                          {p_.height, p_.width, row * outer.height - p_.top, column * outer.width - p_.left},
                          tiles + (channels * capacity_ + t) * lanes, tileStride_);
    }
  }

  void multiplyAt(int64_t position, const float* tiles, const float* weights, float* product, int64_t group,
                  int64_t count) const {
    const int64_t channels = p_.blocks() * lanes, vectorFloats = channels * lanes;
    const float* ofGroup = weights + groups_.begin(group) * vectorFloats * positions();
    static constexpr int64_t itself = 0;
    products::accumulate(tiles + position * tileStride_,
                         ofGroup + position * groups_.size(group) * vectorFloats,
                         product + position * productStride_, count, groups_.size(group), 1,
                         {p_.blocks(), 1, &itself, capacity_ * lanes, vectorFloats},
                         {capacity_ * lanes, nullptr, nullptr, false, 0});
  }

  // Of one block of channels, added to what the ones before it gave.
  void addAt(int64_t position, const float* tiles, const float* weights, float* product, int64_t group,
             int64_t channels) const {
    products::add(tiles + position * tileStride_ + channels * capacity_ * lanes, weights,
                  product + position * productStride_, used(0), groups_.size(group), capacity_ * lanes,
                  channels == 0);
  }

  // Tiles [begin, end) of a block, of one vector of a group.
  void after(const float* product, const Pointers& p, int64_t block, int64_t group, int64_t vector,
             int64_t begin, int64_t end) const {
    const int64_t v = groups_.begin(group) + vector;
    const float *bias = optionalFloats(p, 2), *residual = optionalFloats(p, 3);
    for (int64_t t = begin; t < end; ++t) {
      const auto [image, row, column] = at(block * capacity_ + t);
      const int64_t plane = (image * groups_.vectors + v) * p_.toHeight * p_.toWidth * lanes;
      const Finish finish{bias ? bias + v * lanes : nullptr, residual ? residual + plane : nullptr, p_.relu,
                          static_cast<int>(std::min(lanes, p_.outputs - v * lanes))};
      const Size& outer = p_.transforms.outer;
      p_.transforms.output(product + (vector * capacity_ + t) * lanes, productStride_,
                           {p_.toHeight, p_.toWidth, row * outer.height, column * outer.width}, finish,
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
class OwnTiles {
 public:
  OwnTiles(const Problem& problem, int threads)
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
    const int64_t bytes = problem.positions() * (problem.blocks() + mostVectors) * lanes * sizeof(float);
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
    for (int64_t group = 0; group < convolution_.grouping().count; ++group) {
      for (int64_t position = 0; position < convolution_.positions(); ++position)
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
class SharedTiles {
 public:
  explicit SharedTiles(const Problem& problem)
      : convolution_(problem, capacityOf(problem)),
        channels_(problem.blocks()),
        vectors_(problem.groups().vectors) {}

  size_t scratchBytes() const {
    return (convolution_.tileFloats() + convolution_.grouping().count * convolution_.productFloats()) *
           sizeof(float);
  }

  void run(const Pointers& p) {
    for (int64_t block = 0; block < convolution_.blocks(); ++block) runBlock(p, block);
  }

 private:
  static int64_t capacityOf(const Problem& problem) {
    const int64_t bytes = problem.positions() * (problem.blocks() + problem.groups().count * mostVectors) *
                          lanes * sizeof(float);
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
      const int64_t positions = convolution_.positions();
      queues_[1].work(grouping.count * positions, [&](int64_t unit) {
        const int64_t group = unit / positions;
        convolution_.multiplyAt(unit % positions, tiles, weights, productOf(group), group, used);
      });
#pragma omp barrier
      queues_[2].work(vectors_ * parts, [&](int64_t unit) {
        const int64_t begin = unit % parts * partTiles, vector = unit / parts, group = grouping.of(vector);
        convolution_.after(productOf(group), p, block, group, vector - grouping.begin(group), begin,
                           std::min(begin + partTiles, used));
      });
    }
  }

  const Convolution convolution_;
  const int64_t channels_, vectors_;
  Queue queues_[3];
};

// Each thread takes group after group of output channels through all steps but the first.
class OwnWeights {
 public:
  OwnWeights(const Problem& problem, int threads)
      : convolution_(problem, problem.tiles()),
        channels_(problem.blocks()),
        tiles_(problem.tiles()),
        transforms_(problem.transforms),
        threads_(threads) {}

  size_t scratchBytes() const {
    return (convolution_.tileFloats() + threads_ * threadFloats()) * sizeof(float);
  }

  void run(const Pointers& p) {
    const auto* x = static_cast<const float*>(p.inputs[0]);
    auto* tiles = static_cast<float*>(p.scratch);
    const int64_t parts = partsOf(tiles_, partTiles);
    for (Queue& queue : queues_) queue.reset();
#pragma omp parallel
    {
      queues_[0].work(channels_ * parts, [&](int64_t unit) {
        const int64_t begin = unit % parts * partTiles;
        convolution_.before(x, tiles, 0, unit / parts, begin, std::min(begin + partTiles, tiles_));
      });
#pragma omp barrier
      float* weights = tiles + convolution_.tileFloats() + omp_get_thread_num() * threadFloats();
      queues_[1].work(convolution_.grouping().count,
                      [&](int64_t group) { take(p, group, tiles, weights, weights + weightFloats()); });
    }
  }

 private:
  // Of one block of channels and a group of output channels.
  static constexpr int64_t weightStride = (lanes * mostVectors + 1) * lanes;
  int64_t weightFloats() const { return transforms_.positions() * weightStride; }
  int64_t threadFloats() const { return weightFloats() + convolution_.productFloats(); }

  void take(const Pointers& p, int64_t group, const float* tiles, float* weights, float* product) const {
    const auto* from = static_cast<const float*>(p.inputs[1]);
    const Groups& grouping = convolution_.grouping();
    const int64_t size = grouping.size(group);
    const int64_t kernelFloats = transforms_.kernel.area() * lanes * lanes,
                  positions = transforms_.positions();
    const auto kernelsOf = [&](int64_t vector, int64_t channels) {
      return from + ((grouping.begin(group) + vector) * channels_ + channels) * kernelFloats;
    };
    for (int64_t channels = 0; channels < channels_; ++channels) {
      for (int64_t vector = 0; vector < size; ++vector)
        transforms_.weights(kernelsOf(vector, channels), weights + vector * lanes * lanes, weightStride);
      for (int64_t position = 0; position < positions; ++position) {
        // The next kernels come out of memory meanwhile: the processor itself would not see what is next.
        if (channels + 1 < channels_)
          for (int64_t vector = 0; vector < size; ++vector)
            prefetch(kernelsOf(vector, channels + 1), position * kernelFloats / positions,
                     (position + 1) * kernelFloats / positions);
        convolution_.addAt(position, tiles, weights + position * weightStride, product, group, channels);
      }
    }
    for (int64_t vector = 0; vector < size; ++vector)
      convolution_.after(product, p, 0, group, vector, 0, tiles_);
  }

  const Convolution convolution_;
  const int64_t channels_, tiles_;
  const Transforms& transforms_;
  const int threads_;
  Queue queues_[2];
};

}  // namespace

size_t WinogradWeights::bytes() const {
  return transforms_.positions() * partsOf(outputs_, lanes) * lanes * partsOf(channels_, lanes) * lanes *
         sizeof(float);
}

bool WinogradWeights::equals(const Layout& other) const {
  const auto* that = dynamic_cast<const WinogradWeights*>(&other);
  return that && &transforms_ == &that->transforms_ && outputs_ == that->outputs_ &&
         channels_ == that->channels_;
}

KernelPtr WinogradWeights::pack(const Request& request, const LayoutPtr& to) const {
  auto kernel = std::make_unique<FunctionKernel>(request, "winograd weights");
  kernel->outputs[0] = to;
  kernel->body = [outputs = outputs_, channels = channels_, &transforms = transforms_,
                  bytes = bytes()](const Pointers& p) {
    const auto* from = static_cast<const float*>(p.inputs[0]);
    auto* packed = static_cast<float*>(p.outputs[0]);
    std::memset(packed, 0, bytes);
    const Groups groups(partsOf(outputs, lanes), mostVectors);
    const int64_t rows = partsOf(channels, lanes) * lanes, positions = transforms.positions();
#pragma omp parallel
    {
      std::vector<float> u(positions);
#pragma omp for
      for (int64_t group = 0; group < groups.count; ++group) {
        const int64_t first = groups.begin(group) * lanes, vectors = groups.size(group);
        float* ofGroup = packed + first * rows * positions;
        for (int64_t o = 0; o < std::min(vectors * lanes, outputs - first); ++o)
          for (int64_t i = 0; i < channels; ++i) {
            transforms.exactWeight(from + ((first + o) * channels + i) * transforms.kernel.area(), u.data());
            for (int64_t position = 0; position < positions; ++position)
              ofGroup[((position * vectors + o / lanes) * rows + i) * lanes + o % lanes] = u[position];
          }
      }
    }
  };
  return kernel;
}

const char* nameOf(WinogradMethod method) {
  switch (method) {
    case WinogradMethod::ownTiles:
      return "winograd own tiles";
    case WinogradMethod::sharedTiles:
      return "winograd shared tiles";
    default:
      return "winograd own weights";
  }
}

bool winogradFits(const ops::ConvolutionGeometry& op, const Shape& weight) {
  return op.groups == 1 && op.stride == ops::Pair{1, 1} && op.dilation == ops::Pair{1, 1} &&
         transformsFor({weight[2], weight[3]});
}

KernelPtr winogradConvolution(const Request& request, const ops::Convolution& op, WinogradMethod method) {
  const TensorSpec &x = request.input(0), &weight = request.input(1), &y = request.output(0);
  const bool packed = method != WinogradMethod::ownWeights;
  const Transforms& transforms = *transformsFor({weight.shape[2], weight.shape[3]});
  if (packed && !request.operands.inputs[1]->constant) return nullptr;
  const auto& [top, left, bottom, right] = op.padding;
  const Problem problem{
      x.shape[0], x.shape[1], y.shape[1], x.shape[2], x.shape[3],
      y.shape[2], y.shape[3], top,        left,       op.activation == ops::Activation::relu,
      transforms};
  if (!packed && problem.tiles() > mostOwnWeightTiles) return nullptr;
  auto kernel = blockedConvolution(request, nameOf(method));
  if (!kernel) return nullptr;
  if (packed)
    kernel->inputs[1] = std::make_shared<WinogradWeights>(transforms, problem.outputs, problem.channels);
  else
    kernel->inputs[1] = layoutOf(weight, blockedWeights(weight), Role::weights);
  const auto use = [&](auto work) {
    kernel->scratchBytes = work->scratchBytes();
    kernel->body = [work](const Pointers& p) { work->run(p); };
  };
  const int threads = omp_get_max_threads();
  switch (method) {
    case WinogradMethod::ownTiles:
      use(std::make_shared<OwnTiles>(problem, threads));
      break;
    case WinogradMethod::sharedTiles:
      use(std::make_shared<SharedTiles>(problem));
      break;
    case WinogradMethod::ownWeights:
      use(std::make_shared<OwnWeights>(problem, threads));
  }
  return kernel;
}

}  // namespace fovea::cpu

#include <omp.h>

#include <cmath>

#include "bf16.h"
#include "families.h"
#include "statistics.h"

// Our own: oneDNN 2.6.3's threads wait for each other within a kernel and spin at it, which costs a time
// slice wherever another process has a core (a factor of 100 was seen), and it has nothing fast for nchw.
namespace fovea::cpu {
namespace {

// Memory of one kind behind another in the scratch that a kernel gets.
class Scratch {
 public:
  // Where `count` values of type T will begin, in bytes.
  template <class T>
  size_t add(int64_t count) {
    const size_t offset = bytes_;
    bytes_ += (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return offset;
  }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_ = 0;
};

template <class T>
T* in(void* scratch, size_t offset) {
  return reinterpret_cast<T*>(static_cast<char*>(scratch) + offset);
}

// Activations as the passes see them: chunks of floats. Those of other types are converted, a chunk at a
// time, in memory that each thread has for itself and that stays in its cache.
class Floats {
 public:
  Floats() = default;
  Floats(DType dtype, const Division& division, Scratch& scratch) : dtype_(dtype) {
    if (dtype == DType::f32) return;
    for (const Chunk& chunk : division.chunks) most_ = std::max(most_, chunk.pixels * division.lanes);
    most_ = (most_ + 15) / 16 * 16;
    buffers_ = scratch.add<float>(most_ * omp_get_max_threads());
  }

  const float* read(const void* data, const Chunk& chunk, int64_t lanes, void* scratch) const {
    if (dtype_ == DType::f32) return static_cast<const float*>(data) + chunk.offset;
    widen(static_cast<const Bf16*>(data) + chunk.offset, buffer(scratch), chunk.pixels * lanes);
    return buffer(scratch);
  }
  // Where a pass writes what `finish` puts in its place.
  float* begin(void* data, const Chunk& chunk, void* scratch) const {
    return dtype_ == DType::f32 ? static_cast<float*>(data) + chunk.offset : buffer(scratch);
  }
  void finish(void* data, const Chunk& chunk, int64_t lanes, void* scratch) const {
    if (dtype_ != DType::f32)
      narrow(buffer(scratch), static_cast<Bf16*>(data) + chunk.offset, chunk.pixels * lanes);
  }

 private:
  float* buffer(void* scratch) const { return in<float>(scratch, buffers_) + most_ * omp_get_thread_num(); }

  DType dtype_ = DType::f32;
  int64_t most_ = 0;
  size_t buffers_ = 0;
};

// The layout that a norm runs in: any that our loops can walk through, and which lanes of it are channels.
struct Tensor {
  explicit Tensor(const Request& request)
      : seen(viewed(request.input(0), request.inputLayout(0))),
        division(divide(seen.view)),
        channels(seen.view.channels),
        count(seen.view.batch * seen.view.spatial) {
    scale = scratch.add<float>(division.channels);
    mean = scratch.add<float>(division.channels);
    shift = scratch.add<float>(division.channels);
    partSums = scratch.add<double>(partCount());
    partProducts = scratch.add<double>(partCount());
    x = Floats(request.input(0).dtype, division, scratch);
    dy = Floats(request.input(0).dtype, division, scratch);
  }

  int64_t partCount() const { return static_cast<int64_t>(division.chunks.size()) * division.lanes; }

  // Passes over all chunks on all threads: pass(chunk, where its part of sums begins).
  template <class Pass>
  void overChunks(const Pass& pass) const {
    const auto count = static_cast<int64_t>(division.chunks.size());
#pragma omp parallel for
    for (int64_t i = 0; i < count; ++i) pass(division.chunks[i], i * division.lanes);
  }

  // Calls add(channel, part, chunk) for every channel and each of its parts.
  template <class Add>
  void overParts(const Add& add) const {
    int64_t part = 0;
    for (const Chunk& chunk : division.chunks)
      for (int64_t lane = 0; lane < division.lanes; ++lane) add(chunk.channel + lane, part++, chunk);
  }

  ViewedLayout seen;
  Division division;
  int64_t channels, count;  // count: values of a channel
  Scratch scratch;
  size_t scale, mean, shift, partSums, partProducts;  // where they lie in it
  Floats x, dy;
};

double inverseDeviation(double variance, double eps) { return 1 / std::sqrt(variance + eps); }

// Both halves of the norm must come to the same, or they would disagree about what ReLU lets through.
void scaleOf(const Tensor& tensor, const float* gamma, const float* variance, double eps, float* scale) {
  for (int64_t c = 0; c < tensor.division.channels; ++c)
    scale[c] = c < tensor.channels ? static_cast<float>(gamma[c] * inverseDeviation(variance[c], eps)) : 0.f;
}

// Lanes that are no channels get zeros.
void copyOf(const Tensor& tensor, const float* from, float* to) {
  for (int64_t c = 0; c < tensor.division.channels; ++c) to[c] = c < tensor.channels ? from[c] : 0;
}

const float* operand(const Pointers& p, size_t index) { return static_cast<const float*>(p.inputs[index]); }

float* result(const Pointers& p, size_t index) {
  return index < p.outputs.size() ? static_cast<float*>(p.outputs[index]) : nullptr;
}

struct Training {
  Tensor tensor;
  double eps, momentum;
  bool relu;
  size_t centers, totals, squares;  // in the scratch

  Training(const Request& request, const ops::BatchNormTraining& op)
      : tensor(request),
        eps(op.eps),
        momentum(op.momentum),
        relu(op.activation == ops::Activation::relu),
        centers(tensor.scratch.add<float>(tensor.partCount())),
        totals(tensor.scratch.add<double>(tensor.division.channels)),
        squares(tensor.scratch.add<double>(tensor.division.channels)) {}

  // Every chunk's sums and, about its own mean, squares, while it is in the cache: x is read once for both.
  void measure(const Pointers& p, float* mean, float* variance) const {
    const int64_t lanes = tensor.division.lanes;
    auto* sums = in<double>(p.scratch, tensor.partSums);
    auto* squaresOfParts = in<double>(p.scratch, tensor.partProducts);
    auto* center = in<float>(p.scratch, centers);
    tensor.overChunks([&](const Chunk& chunk, int64_t part) {
      const float* x = tensor.x.read(p.inputs[0], chunk, lanes, p.scratch);
      sumOf(chunk, lanes, x, sums + part);
      for (int64_t i = part; i < part + lanes; ++i)
        center[i] = static_cast<float>(sums[i] / static_cast<double>(chunk.pixels));
      squaresOf(chunk, lanes, x, center + part, squaresOfParts + part);
    });
    auto* total = in<double>(p.scratch, totals);
    auto* square = in<double>(p.scratch, squares);
    for (int64_t c = 0; c < tensor.division.channels; ++c) total[c] = square[c] = 0;
    tensor.overParts([&](int64_t c, int64_t part, const Chunk&) { total[c] += sums[part]; });
    const auto count = static_cast<double>(tensor.count);
    // Chan et al. 1979: squares about parts' means become squares about the whole's.
    tensor.overParts([&](int64_t c, int64_t part, const Chunk& chunk) {
      const auto pixels = static_cast<double>(chunk.pixels);
      const double rest = sums[part] / pixels - center[part];
      const double distance = sums[part] / pixels - total[c] / count;
      square[c] += squaresOfParts[part] + pixels * (distance * distance - rest * rest);
    });
    for (int64_t c = 0; c < tensor.channels; ++c) {
      mean[c] = static_cast<float>(total[c] / count);
      variance[c] = static_cast<float>(std::max(square[c], 0.) / count);
    }
  }

  void update(const float* batch, float* running, double factor) const {
    if (!running) return;
    const auto keep = static_cast<float>(1 - momentum), share = static_cast<float>(momentum * factor);
    for (int64_t c = 0; c < tensor.channels; ++c) running[c] = keep * running[c] + share * batch[c];
  }

  void operator()(const Pointers& p) const {
    float *mean = result(p, 1), *variance = result(p, 2);
    auto* scale = in<float>(p.scratch, tensor.scale);
    const Coefficients c{in<float>(p.scratch, tensor.mean), scale, in<float>(p.scratch, tensor.shift)};
    measure(p, mean, variance);
    scaleOf(tensor, operand(p, 1), variance, eps, scale);
    copyOf(tensor, mean, in<float>(p.scratch, tensor.mean));
    copyOf(tensor, operand(p, 2), in<float>(p.scratch, tensor.shift));
    tensor.overChunks([&](const Chunk& chunk, int64_t) {
      const Coefficients own{c.mean + chunk.channel, c.scale + chunk.channel, c.shift + chunk.channel};
      const int64_t lanes = tensor.division.lanes;
      normalize(chunk, lanes, own, relu, tensor.x.read(p.inputs[0], chunk, lanes, p.scratch),
                tensor.x.begin(p.outputs[0], chunk, p.scratch));
      tensor.x.finish(p.outputs[0], chunk, lanes, p.scratch);
    });
    const auto count = static_cast<double>(tensor.count);
    update(mean, result(p, 3), 1);
    update(variance, result(p, 4), count > 1 ? count / (count - 1) : 1);
  }
};

struct Backward {
  Tensor tensor;
  double eps;
  bool relu, constant;  // constant: mean and variance were
  size_t totals, products, offset, slope;

  Backward(const Request& request, const ops::BatchNormBackward& op)
      : tensor(request),
        eps(op.eps),
        relu(op.activation == ops::Activation::relu),
        constant(op.runningStatistics),
        totals(tensor.scratch.add<double>(tensor.division.channels)),
        products(tensor.scratch.add<double>(tensor.division.channels)),
        offset(tensor.scratch.add<float>(tensor.division.channels)),
        slope(tensor.scratch.add<float>(tensor.division.channels)) {}

  // The parameters' gradients, and from them what x's depends on.
  void conclude(const Pointers& p, bool summed) const {
    const auto* sums = in<double>(p.scratch, tensor.partSums);
    const auto* productsOfParts = in<double>(p.scratch, tensor.partProducts);
    auto *sum = in<double>(p.scratch, totals), *product = in<double>(p.scratch, products);
    for (int64_t c = 0; c < tensor.division.channels; ++c) sum[c] = product[c] = 0;
    if (summed)
      tensor.overParts([&](int64_t c, int64_t part, const Chunk&) {
        sum[c] += sums[part];
        product[c] += productsOfParts[part];
      });
    float *dgamma = result(p, 1), *dbeta = result(p, 2);
    auto *offsets = in<float>(p.scratch, offset), *slopes = in<float>(p.scratch, slope);
    const auto count = static_cast<double>(tensor.count);
    for (int64_t c = 0; c < tensor.division.channels; ++c) {
      offsets[c] = slopes[c] = 0;
      if (c >= tensor.channels) continue;
      const double inverse = inverseDeviation(operand(p, 5)[c], eps);
      if (dgamma) dgamma[c] = static_cast<float>(product[c] * inverse);
      if (dbeta) dbeta[c] = static_cast<float>(sum[c]);
      if (constant) continue;
      offsets[c] = static_cast<float>(sum[c] / count);
      slopes[c] = static_cast<float>(product[c] * inverse * inverse / count);
    }
  }

  void operator()(const Pointers& p) const {
    const int64_t lanes = tensor.division.lanes;
    auto* scale = in<float>(p.scratch, tensor.scale);
    auto* mean = in<float>(p.scratch, tensor.mean);
    auto* shift = in<float>(p.scratch, tensor.shift);
    const bool sums = !constant || result(p, 1) || result(p, 2);
    scaleOf(tensor, operand(p, 2), operand(p, 5), eps, scale);
    copyOf(tensor, operand(p, 3), shift);
    copyOf(tensor, operand(p, 4), mean);
    const auto own = [&](const Chunk& chunk) {
      return Coefficients{mean + chunk.channel, scale + chunk.channel, shift + chunk.channel};
    };
    if (sums)
      tensor.overChunks([&](const Chunk& chunk, int64_t part) {
        gradientSumsOf(chunk, lanes, own(chunk), relu, tensor.x.read(p.inputs[0], chunk, lanes, p.scratch),
                       tensor.dy.read(p.inputs[1], chunk, lanes, p.scratch),
                       in<double>(p.scratch, tensor.partSums) + part,
                       in<double>(p.scratch, tensor.partProducts) + part);
      });
    conclude(p, sums);
    const auto *offsets = in<float>(p.scratch, offset), *slopes = in<float>(p.scratch, slope);
    tensor.overChunks([&](const Chunk& chunk, int64_t) {
      gradientOf(chunk, lanes, own(chunk), {offsets + chunk.channel, slopes + chunk.channel}, relu,
                 tensor.x.read(p.inputs[0], chunk, lanes, p.scratch),
                 tensor.dy.read(p.inputs[1], chunk, lanes, p.scratch),
                 tensor.x.begin(p.outputs[0], chunk, p.scratch));
      tensor.x.finish(p.outputs[0], chunk, lanes, p.scratch);
    });
  }
};

}  // namespace

KernelPtr prepare(const Request& request, const ops::BatchNormTraining& op) {
  auto kernel = std::make_unique<FunctionKernel>(request, "batchNormTraining");
  Training training(request, op);
  kernel->inputs[0] = kernel->outputs[0] = training.tensor.seen.layout;
  kernel->aliases = {{0, 0, false}};
  for (const int running : {3, 4})
    if (request.hasInput(running) && request.hasOutput(running))
      kernel->aliases.push_back({running, running, true});
  kernel->scratchBytes = training.tensor.scratch.bytes();
  kernel->body = std::move(training);
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::BatchNormBackward& op) {
  auto kernel = std::make_unique<FunctionKernel>(request, "batchNormBackward");
  Backward backward(request, op);
  kernel->inputs[0] = kernel->inputs[1] = kernel->outputs[0] = backward.tensor.seen.layout;
  kernel->aliases = {{0, 1, false}};
  kernel->scratchBytes = backward.tensor.scratch.bytes();
  kernel->body = std::move(backward);
  return kernel;
}

}  // namespace fovea::cpu

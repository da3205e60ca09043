// A block works out one row: its loss, and its gradient where that is wanted. The rows' losses are added by
// `sumOfRows` (sums.cu). A label that names no class gives NaN.

constexpr unsigned mostThreads = 256;

struct RowSums {
  float highest, sum;  // of e^(x - highest)
};

__device__ inline RowSums rowSums(const Element* x, unsigned classes, float sign, float least,
                                  float* shared) {
  float highest = least;
  for (unsigned k = threadIdx.x; k < classes; k += blockDim.x) highest = fmaxf(highest, sign * load(x, k));
  highest = blockMaximum(highest, shared);
  float sum = 0;
  for (unsigned k = threadIdx.x; k < classes; k += blockDim.x) sum += expf(sign * load(x, k) - highest);
  return {highest, blockSum(sum, shared)};
}

__device__ inline void invalidRow(unsigned classes, Element* gradient, double* loss) {
  if (gradient)
    for (unsigned k = threadIdx.x; k < classes; k += blockDim.x) store(gradient, k, notANumber());
  if (threadIdx.x == 0) *loss = notANumber();
}

extern "C" __global__ void __launch_bounds__(mostThreads)
    crossEntropyOfClasses(const Element* __restrict__ logits, const int* __restrict__ labels,
                          double* __restrict__ losses, Element* __restrict__ gradients, unsigned classes,
                          float smoothing, float weight) {
  __shared__ float shared[mostThreads];
  const unsigned n = blockIdx.x;
  const Element* row = logits + (size_t)n * classes;
  Element* gradient = gradients ? gradients + (size_t)n * classes : nullptr;
  const int label = labels[n];
  if (label < 0 || (unsigned)label >= classes) {
    invalidRow(classes, gradient, losses + n);
    return;
  }
  const RowSums sums = rowSums(row, classes, 1, -infinity(), shared);
  const float logSum = logf(sums.sum), share = smoothing / classes, scale = 1 / sums.sum;
  float spread = 0;
  for (unsigned k = threadIdx.x; k < classes; k += blockDim.x) {
    const float shifted = load(row, k) - sums.highest;
    spread += logSum - shifted;
    const float target = share + (k == (unsigned)label ? 1 - smoothing : 0.f);
    if (gradient) store(gradient, k, (expf(shifted) * scale - target) * weight);
  }
  // A class that is impossible (a logit of minus infinity) costs nothing where no target is on it.
  const float smooth = smoothing != 0 ? share * blockSum(spread, shared) : 0.f;
  if (threadIdx.x == 0)
    losses[n] = (1 - smoothing) * (logSum - (load(row, (unsigned)label) - sums.highest)) + smooth;
}

extern "C" __global__ void __launch_bounds__(mostThreads)
    crossEntropyOfDistributions(const Element* __restrict__ logits, const float* __restrict__ labels,
                                double* __restrict__ losses, Element* __restrict__ gradients,
                                unsigned classes, float smoothing, float weight) {
  __shared__ float shared[mostThreads];
  const unsigned n = blockIdx.x;
  const Element* row = logits + (size_t)n * classes;
  const float* label = labels + (size_t)n * classes;
  Element* gradient = gradients ? gradients + (size_t)n * classes : nullptr;
  const RowSums sums = rowSums(row, classes, 1, -infinity(), shared);
  const float logSum = logf(sums.sum), share = smoothing / classes, scale = 1 / sums.sum;
  float loss = 0, total = 0;
  for (unsigned k = threadIdx.x; k < classes; k += blockDim.x) {
    const float target = (1 - smoothing) * label[k] + share;
    if (target != 0) loss += target * (logSum - (load(row, k) - sums.highest));
    total += target;
  }
  loss = blockSum(loss, shared);
  total = blockSum(total, shared);
  if (threadIdx.x == 0) losses[n] = loss;
  if (!gradient) return;
  for (unsigned k = threadIdx.x; k < classes; k += blockDim.x) {
    const float target = (1 - smoothing) * label[k] + share;
    store(gradient, k, (expf(load(row, k) - sums.highest) * scale * total - target) * weight);
  }
}

extern "C" __global__ void __launch_bounds__(mostThreads)
    radialBasisLoss(const Element* __restrict__ distances, const int* __restrict__ labels,
                    double* __restrict__ losses, Element* __restrict__ gradients, unsigned classes, float j,
                    float weight) {
  __shared__ float shared[mostThreads];
  const unsigned n = blockIdx.x;
  const Element* row = distances + (size_t)n * classes;
  Element* gradient = gradients ? gradients + (size_t)n * classes : nullptr;
  const int label = labels[n];
  if (label < 0 || (unsigned)label >= classes) {
    invalidRow(classes, gradient, losses + n);
    return;
  }
  const RowSums sums = rowSums(row, classes, -1, -j, shared);
  const float sum = sums.sum + expf(-j - sums.highest), scale = 1 / sum;
  if (gradient)
    for (unsigned k = threadIdx.x; k < classes; k += blockDim.x) {
      const float share = expf(-load(row, k) - sums.highest) * scale;
      store(gradient, k, ((k == (unsigned)label ? 1.f : 0.f) - share) * weight);
    }
  if (threadIdx.x == 0) losses[n] = (load(row, (unsigned)label) + sums.highest) + logf(sum);
}

// A block works out `part` elements; dy = slope * (y - target).
extern "C" __global__ void __launch_bounds__(mostThreads)
    squaredErrors(const Element* __restrict__ y, const float* __restrict__ target,
                  double* __restrict__ losses, Element* __restrict__ dy, unsigned count, unsigned part,
                  float slope) {
  __shared__ double shared[mostThreads];
  const unsigned begin = blockIdx.x * part, end = count - begin < part ? count : begin + part;
  double sum = 0;
  for (unsigned i = begin + threadIdx.x; i < end; i += blockDim.x) {
    const float difference = load(y, i) - target[i];
    sum += (double)difference * difference;
    if (dy) store(dy, i, slope * difference);
  }
  sum = blockSum(sum, shared);
  if (threadIdx.x == 0) losses[blockIdx.x] = sum;
}

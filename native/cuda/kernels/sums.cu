// Sums in two passes, each in a fixed order, so that every run gives the same bits.

constexpr unsigned threads = 256;

__device__ inline double sumOfParts(const double* parts, unsigned count, double* shared) {
  double sum = 0;
  for (unsigned i = threadIdx.x; i < count; i += blockDim.x) sum += parts[i];
  return blockSum(sum, shared);
}

extern "C" __global__ void __launch_bounds__(threads)
    scaledSum(const double* __restrict__ parts, float* __restrict__ to, unsigned count, double scale) {
  __shared__ double shared[threads];
  const double sum = sumOfParts(parts, count, shared);
  if (threadIdx.x == 0) *to = (float)(sum * scale);
}

extern "C" __global__ void __launch_bounds__(threads)
    rootOfSum(const double* __restrict__ parts, float* __restrict__ to, unsigned count) {
  __shared__ double shared[threads];
  const double sum = sumOfParts(parts, count, shared);
  if (threadIdx.x == 0) *to = (float)sqrt(sum);
}

// Of some tensors: tensor t has the parts from first[t] to first[t + 1], of `part` elements but for its last.
constexpr unsigned mostTensors = 128;
struct Tensors {
  const Element* data[mostTensors];
  unsigned elements[mostTensors], first[mostTensors + 1];
};

// In double precision, where no float's square overflows: the norm is finite where all elements are.
extern "C" __global__ void __launch_bounds__(threads)
    squaresOfTensors(const __grid_constant__ Tensors tensors, double* __restrict__ parts, unsigned count,
                     unsigned part) {
  __shared__ double shared[threads];
  const unsigned t = owner(tensors.first, count, blockIdx.x);
  const Element* data = tensors.data[t];
  const unsigned elements = tensors.elements[t], begin = (blockIdx.x - tensors.first[t]) * part;
  const unsigned end = elements - begin < part ? elements : begin + part;
  double sum = 0;
  const unsigned whole = begin + (end - begin) / 4 * 4;
  for (unsigned i = begin + 4 * threadIdx.x; i < whole; i += 4 * blockDim.x) {
    const Four x = load4(data, i);
    for (int k = 0; k < 4; ++k) sum += (double)x.at[k] * x.at[k];
  }
  for (unsigned i = whole + threadIdx.x; i < end; i += blockDim.x) {
    const double x = load(data, i);
    sum += x * x;
  }
  sum = blockSum(sum, shared);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

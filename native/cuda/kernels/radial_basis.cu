// Squared distances between rows and centres, and their gradients.

constexpr unsigned threads = 128;

// A block for one row and one centre.
extern "C" __global__ void __launch_bounds__(threads)
    radialBasis(const float* __restrict__ x, const float* __restrict__ centres, float* __restrict__ y,
                unsigned inputs, unsigned outputs) {
  __shared__ float shared[threads];
  const unsigned n = blockIdx.x / outputs, o = blockIdx.x % outputs;
  const float *row = x + n * inputs, *centre = centres + o * inputs;
  float sum = 0;
  for (unsigned i = threadIdx.x; i < inputs; i += blockDim.x) {
    const float difference = row[i] - centre[i];
    sum += difference * difference;
  }
  sum = blockSum(sum, shared);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

// dx[n, i] = 2 * sum over o of dy[n, o] * (x[n, i] - centres[o, i])
extern "C" __global__ void __launch_bounds__(threads)
    radialBasisInputs(const float* __restrict__ x, const float* __restrict__ centres,
                      const float* __restrict__ dy, float* __restrict__ dx, unsigned batch, unsigned inputs,
                      unsigned outputs) {
  for (unsigned t = firstIndex(); t < batch * inputs; t += indexStep()) {
    const unsigned n = t / inputs, i = t % inputs;
    float sum = 0;
    for (unsigned o = 0; o < outputs; ++o) sum += dy[n * outputs + o] * (x[t] - centres[o * inputs + i]);
    dx[t] = 2 * sum;
  }
}

// dcentres[o, i] = -2 * sum over n of dy[n, o] * (x[n, i] - centres[o, i])
extern "C" __global__ void __launch_bounds__(threads)
    radialBasisCentres(const float* __restrict__ x, const float* __restrict__ centres,
                       const float* __restrict__ dy, float* __restrict__ dcentres, unsigned batch,
                       unsigned inputs, unsigned outputs) {
  for (unsigned t = firstIndex(); t < outputs * inputs; t += indexStep()) {
    const unsigned o = t / inputs, i = t % inputs;
    float sum = 0;
    for (unsigned n = 0; n < batch; ++n) sum += dy[n * outputs + o] * (x[n * inputs + i] - centres[t]);
    dcentres[t] = -2 * sum;
  }
}

// Work on rows of channels that lie next to each other. V: channels a thread reads at once,
// a divisor of their number. Threads (x, y) of a block: V channels each, and rows. B: type of a bias.

typedef Pack<T, V> Wide;

__device__ inline i64 firstChannel() {
  return (static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x) * V;
}

extern "C" {

// y = activation(x + bias + residual); either may be null. y may lie in the memory of x.
__global__ void epilogue(const T* x, const B* bias, const T* residual, T* y, i64 rows, i64 channels, int relu) {
  const i64 channel = firstChannel();
  if (channel >= channels) return;
  float shift[V];
#pragma unroll
  for (int k = 0; k < V; ++k) shift[k] = bias ? toFloat(bias[channel + k]) : 0;
  for (i64 row = static_cast<i64>(blockIdx.y) * blockDim.y + threadIdx.y; row < rows;
       row += static_cast<i64>(gridDim.y) * blockDim.y) {
    const i64 at = row * channels + channel;
    const Wide from = *reinterpret_cast<const Wide*>(x + at);
    Wide rest = {};
    if (residual) rest = *reinterpret_cast<const Wide*>(residual + at);
    Wide result;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      float value = toFloat(from.at[k]) + shift[k];
      if (residual) value += toFloat(rest.at[k]);
      result.at[k] = fromFloat<T>(relu ? positive(value) : value);
    }
    *reinterpret_cast<Wide*>(y + at) = result;
  }
}

// Sums over rows: a part for each blockIdx.y, [gridDim.y, channels].
__global__ void sumParts(const T* x, float* parts, i64 rows, i64 channels) {
  __shared__ float shared[256 * V];
  const i64 channel = firstChannel();
  float sum[V] = {};
  if (channel < channels)
    for (i64 row = static_cast<i64>(blockIdx.y) * blockDim.y + threadIdx.y; row < rows;
         row += static_cast<i64>(gridDim.y) * blockDim.y) {
      const Wide from = *reinterpret_cast<const Wide*>(x + row * channels + channel);
#pragma unroll
      for (int k = 0; k < V; ++k) sum[k] += toFloat(from.at[k]);
    }
  const int own = (threadIdx.y * blockDim.x + threadIdx.x) * V;
  for (int k = 0; k < V; ++k) shared[own + k] = sum[k];
  for (int half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half)
      for (int k = 0; k < V; ++k) shared[own + k] += shared[own + half * blockDim.x * V + k];
  }
  if (threadIdx.y == 0 && channel < channels)
    for (int k = 0; k < V; ++k) parts[blockIdx.y * channels + channel + k] = shared[own + k];
}

// One thread a channel.
__global__ void sumTotals(const float* parts, B* sums, int partCount, i64 channels) {
  const i64 channel = globalThread();
  if (channel >= channels) return;
  double sum = 0;
  for (int part = 0; part < partCount; ++part) sum += parts[part * channels + channel];
  sums[channel] = fromFloat<B>(static_cast<float>(sum));
}

}  // extern "C"

// Batch norm over rows of channels that lie next to each other. V: channels a thread reads
// at once. Threads (x, y) of a block: V channels each, and rows; blockDim.y is a power of two. Parameters,
// statistics and sums are f32 and lie by channel.

typedef Pack<T, V> Wide;

__device__ inline i64 firstChannel() {
  return (static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x) * V;
}
__device__ inline i64 firstRow() { return static_cast<i64>(blockIdx.y) * blockDim.y + threadIdx.y; }
__device__ inline i64 rowStep() { return static_cast<i64>(gridDim.y) * blockDim.y; }

// Both halves must come to the same, or they would disagree about what the ReLU lets through.
__device__ inline float scaleOf(float gamma, float variance, double eps) {
  return static_cast<float>(gamma / sqrt(static_cast<double>(variance) + eps));
}
__device__ inline float normalized(float x, float mean, float scale, float shift) {
  return fmaf(x - mean, scale, shift);
}

struct Moments {
  float count, mean, squares;  // squares: of the distances from the mean
};

// Chan et al. 1979
__device__ inline Moments joined(const Moments& a, const Moments& b) {
  if (b.count == 0) return a;
  if (a.count == 0) return b;
  const float count = a.count + b.count, distance = b.mean - a.mean, share = b.count / count;
  return {count, fmaf(distance, share, a.mean), a.squares + b.squares + distance * distance * a.count * share};
}

extern "C" {

// Moments of the rows that a block sees, [gridDim.y, channels].
__global__ void momentParts(const T* x, Moments* parts, i64 rows, i64 channels) {
  __shared__ Moments shared[256 * V];
  const i64 channel = firstChannel();
  Moments own[V] = {};
  if (channel < channels && firstRow() < rows) {
    // About the first value, so that numbers far from zero lose nothing.
    float origin[V], sum[V] = {}, squares[V] = {};
    const Wide first = *reinterpret_cast<const Wide*>(x + firstRow() * channels + channel);
#pragma unroll
    for (int k = 0; k < V; ++k) origin[k] = toFloat(first.at[k]);
    float count = 0;
    for (i64 row = firstRow(); row < rows; row += rowStep()) {
      const Wide from = *reinterpret_cast<const Wide*>(x + row * channels + channel);
#pragma unroll
      for (int k = 0; k < V; ++k) {
        const float distance = toFloat(from.at[k]) - origin[k];
        sum[k] += distance;
        squares[k] = fmaf(distance, distance, squares[k]);
      }
      count += 1;
    }
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const float mean = sum[k] / count, rest = squares[k] - sum[k] * mean;
      own[k] = {count, origin[k] + mean, rest < 0 ? 0 : rest};
    }
  }
  const int at = (threadIdx.y * blockDim.x + threadIdx.x) * V;
  for (int k = 0; k < V; ++k) shared[at + k] = own[k];
  for (int half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half)
      for (int k = 0; k < V; ++k) shared[at + k] = joined(shared[at + k], shared[at + half * blockDim.x * V + k]);
  }
  if (threadIdx.y == 0 && channel < channels)
    for (int k = 0; k < V; ++k) parts[blockIdx.y * channels + channel + k] = shared[at + k];
}

// One thread a channel. The running statistics may be null.
__global__ void moments(const Moments* parts, int partCount, i64 channels, double momentum, float* mean,
                        float* variance, const float* runningMean, const float* runningVariance, float* nextMean,
                        float* nextVariance) {
  const i64 channel = globalThread();
  if (channel >= channels) return;
  double count = 0, center = 0, squares = 0;
  for (int part = 0; part < partCount; ++part) {
    const Moments own = parts[part * channels + channel];
    if (own.count == 0) continue;
    const double total = count + own.count, distance = own.mean - center;
    center += distance * own.count / total;
    squares += own.squares + distance * distance * count * own.count / total;
    count = total;
  }
  mean[channel] = static_cast<float>(center);
  variance[channel] = static_cast<float>(squares / count);
  if (nextMean)
    nextMean[channel] = static_cast<float>((1 - momentum) * runningMean[channel] + momentum * center);
  if (nextVariance) {
    const double unbiased = squares / (count > 1 ? count - 1 : 1);
    nextVariance[channel] =
        static_cast<float>((1 - momentum) * runningVariance[channel] + momentum * unbiased);
  }
}

// y = activation((x - mean) * scale + beta); y may lie in the memory of x.
__global__ void normalize(const T* x, const float* gamma, const float* beta, const float* mean,
                          const float* variance, T* y, i64 rows, i64 channels, double eps, int relu) {
  const i64 channel = firstChannel();
  if (channel >= channels) return;
  float scale[V], shift[V], center[V];
#pragma unroll
  for (int k = 0; k < V; ++k) {
    scale[k] = scaleOf(gamma[channel + k], variance[channel + k], eps);
    shift[k] = beta[channel + k];
    center[k] = mean[channel + k];
  }
  for (i64 row = firstRow(); row < rows; row += rowStep()) {
    const Wide from = *reinterpret_cast<const Wide*>(x + row * channels + channel);
    Wide result;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const float value = normalized(toFloat(from.at[k]), center[k], scale[k], shift[k]);
      result.at[k] = fromFloat<T>(relu ? positive(value) : value);
    }
    *reinterpret_cast<Wide*>(y + row * channels + channel) = result;
  }
}

// Sums of dy and of dy * (x - mean), where the ReLU lets through: [2, gridDim.y, channels].
__global__ void gradientParts(const T* x, const T* dy, const float* gamma, const float* beta, const float* mean,
                              const float* variance, float* parts, i64 rows, i64 channels, double eps, int relu) {
  __shared__ float shared[2 * 256 * V];
  const i64 channel = firstChannel();
  float sum[V] = {}, product[V] = {};
  if (channel < channels) {
    float scale[V], shift[V], center[V];
#pragma unroll
    for (int k = 0; k < V; ++k) {
      scale[k] = scaleOf(gamma[channel + k], variance[channel + k], eps);
      shift[k] = beta[channel + k];
      center[k] = mean[channel + k];
    }
    for (i64 row = firstRow(); row < rows; row += rowStep()) {
      const Wide from = *reinterpret_cast<const Wide*>(x + row * channels + channel);
      const Wide slopes = *reinterpret_cast<const Wide*>(dy + row * channels + channel);
#pragma unroll
      for (int k = 0; k < V; ++k) {
        const float value = toFloat(from.at[k]);
        const bool passes = !relu || !(normalized(value, center[k], scale[k], shift[k]) <= 0);
        const float slope = passes ? toFloat(slopes.at[k]) : 0;
        sum[k] += slope;
        product[k] = fmaf(slope, value - center[k], product[k]);
      }
    }
  }
  const int size = blockDim.x * blockDim.y * V, at = (threadIdx.y * blockDim.x + threadIdx.x) * V;
  for (int k = 0; k < V; ++k) {
    shared[at + k] = sum[k];
    shared[size + at + k] = product[k];
  }
  for (int half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half)
      for (int k = 0; k < V; ++k) {
        shared[at + k] += shared[at + half * blockDim.x * V + k];
        shared[size + at + k] += shared[size + at + half * blockDim.x * V + k];
      }
  }
  if (threadIdx.y == 0 && channel < channels)
    for (int k = 0; k < V; ++k) {
      parts[blockIdx.y * channels + channel + k] = shared[at + k];
      parts[(gridDim.y + blockIdx.y) * channels + channel + k] = shared[size + at + k];
    }
}

// One thread a channel: the parameters' gradients (may be null), and what x's depends on: [2, channels]. With
// `constant`, the statistics were constants.
__global__ void gradientTotals(const float* parts, int partCount, i64 channels, i64 rows, const float* variance,
                               double eps, int constant, float* dgamma, float* dbeta, float* slopes) {
  const i64 channel = globalThread();
  if (channel >= channels) return;
  double sum = 0, product = 0;
  for (int part = 0; part < partCount; ++part) {
    sum += parts[part * channels + channel];
    product += parts[(partCount + part) * channels + channel];
  }
  const double inverse = 1 / sqrt(static_cast<double>(variance[channel]) + eps);
  if (dgamma) dgamma[channel] = static_cast<float>(product * inverse);
  if (dbeta) dbeta[channel] = static_cast<float>(sum);
  slopes[channel] = constant ? 0 : static_cast<float>(sum / rows);
  slopes[channels + channel] = constant ? 0 : static_cast<float>(product * inverse * inverse / rows);
}

// dx = scale * (dy - offset - (x - mean) * slope); dx may lie in the memory of dy.
__global__ void gradient(const T* x, const T* dy, const float* gamma, const float* beta, const float* mean,
                         const float* variance, const float* slopes, T* dx, i64 rows, i64 channels, double eps,
                         int relu) {
  const i64 channel = firstChannel();
  if (channel >= channels) return;
  float scale[V], shift[V], center[V], offset[V], slope[V];
#pragma unroll
  for (int k = 0; k < V; ++k) {
    scale[k] = scaleOf(gamma[channel + k], variance[channel + k], eps);
    shift[k] = beta[channel + k];
    center[k] = mean[channel + k];
    offset[k] = slopes[channel + k];
    slope[k] = slopes[channels + channel + k];
  }
  for (i64 row = firstRow(); row < rows; row += rowStep()) {
    const Wide from = *reinterpret_cast<const Wide*>(x + row * channels + channel);
    const Wide given = *reinterpret_cast<const Wide*>(dy + row * channels + channel);
    Wide result;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const float value = toFloat(from.at[k]), distance = value - center[k];
      const bool passes = !relu || !(normalized(value, center[k], scale[k], shift[k]) <= 0);
      const float own = passes ? toFloat(given.at[k]) : 0;
      result.at[k] = fromFloat<T>(scale[k] * (own - offset[k] - distance * slope[k]));
    }
    *reinterpret_cast<Wide*>(dx + row * channels + channel) = result;
  }
}

// A row of weights is one output channel's. bias may be null. One block a row.
__global__ void fold(const T* weight, const float* bias, const float* gamma, const float* beta, const float* mean,
                     const float* variance, T* toWeight, float* toBias, i64 size, double eps) {
  const i64 row = blockIdx.x;
  const double scale = gamma[row] / sqrt(static_cast<double>(variance[row]) + eps);
  for (i64 i = row * size + threadIdx.x; i < (row + 1) * size; i += blockDim.x)
    toWeight[i] = fromFloat<T>(static_cast<float>(toFloat(weight[i]) * scale));
  if (threadIdx.x == 0)
    toBias[row] = static_cast<float>(((bias ? bias[row] : 0.0) - mean[row]) * scale + beta[row]);
}

}  // extern "C"

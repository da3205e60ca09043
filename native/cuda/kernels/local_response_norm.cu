// Local response norm over channels that lie next to each other: y = x * s^-beta, s = k + alpha / size * (the sum
// of the squares of `size` neighbours). The neighbours of c are c - before to c - before + size - 1.

extern "C" {

// `sums` gets s; it may be null.
__global__ void forward(const T* x, T* y, float* sums, i64 count, int channels, int size, int before,
                        float scale, float beta, float k) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const int channel = i % channels, first = channel - before;
    float squares = 0;
    for (int c = first < 0 ? 0 : first; c < first + size && c < channels; ++c) {
      const float value = toFloat(x[i - channel + c]);
      squares = fmaf(value, value, squares);
    }
    const float sum = fmaf(scale, squares, k);
    y[i] = fromFloat<T>(toFloat(x[i]) * powf(sum, -beta));
    if (sums) sums[i] = sum;
  }
}

// dx = dy * s^-beta - 2 * scale * beta * x * (the sum over those whose neighbour this is of dy * x * s^(-beta - 1))
__global__ void backward(const T* x, const T* dy, const float* sums, T* dx, i64 count,
                         int channels, int size, int before, float scale, float beta) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const int channel = i % channels, last = channel + before;
    float total = 0;
    for (int c = last < channels ? last : channels - 1; c > last - size && c >= 0; --c) {
      const i64 at = i - channel + c;
      total += toFloat(dy[at]) * toFloat(x[at]) * powf(sums[at], -beta - 1);
    }
    dx[i] = fromFloat<T>(toFloat(dy[i]) * powf(sums[i], -beta) - 2 * scale * beta * toFloat(x[i]) * total);
  }
}

}  // extern "C"

// Results may lie in the memory of an operand.

constexpr int width = 16 / sizeof(T);
typedef Pack<T, width> Wide;

template <class Function>
__device__ inline void over(const T* a, const T* b, T* y, i64 count, Function function) {
  const i64 packs = count / width;
  for (i64 i = globalThread(); i < packs; i += globalThreads()) {
    const Wide left = reinterpret_cast<const Wide*>(a)[i], right = reinterpret_cast<const Wide*>(b)[i];
    Wide result;
#pragma unroll
    for (int k = 0; k < width; ++k)
      result.at[k] = fromFloat<T>(function(toFloat(left.at[k]), toFloat(right.at[k])));
    reinterpret_cast<Wide*>(y)[i] = result;
  }
  for (i64 i = packs * width + globalThread(); i < count; i += globalThreads())
    y[i] = fromFloat<T>(function(toFloat(a[i]), toFloat(b[i])));
}

template <class Function>
__device__ inline void over(const T* x, T* y, i64 count, Function function) {
  const i64 packs = count / width;
  for (i64 i = globalThread(); i < packs; i += globalThreads()) {
    const Wide from = reinterpret_cast<const Wide*>(x)[i];
    Wide result;
#pragma unroll
    for (int k = 0; k < width; ++k) result.at[k] = fromFloat<T>(function(toFloat(from.at[k])));
    reinterpret_cast<Wide*>(y)[i] = result;
  }
  for (i64 i = packs * width + globalThread(); i < count; i += globalThreads())
    y[i] = fromFloat<T>(function(toFloat(x[i])));
}

extern "C" {

__global__ void reluForward(const T* x, T* y, i64 count, float, float) {
  over(x, y, count, [](float v) { return positive(v); });
}
__global__ void sigmoidForward(const T* x, T* y, i64 count, float, float) {
  over(x, y, count, [](float v) { return 1 / (1 + expf(-v)); });
}
__global__ void tanhForward(const T* x, T* y, i64 count, float alpha, float beta) {
  over(x, y, count, [=](float v) { return alpha * tanhf(beta * v); });
}
__global__ void linearForward(const T* x, T* y, i64 count, float alpha, float beta) {
  over(x, y, count, [=](float v) { return fmaf(alpha, v, beta); });
}

__global__ void reluBackward(const T* dy, const T* y, T* dx, i64 count, float, float) {
  over(dy, y, dx, count, [](float d, float v) { return v <= 0 ? 0.f : d; });
}
__global__ void sigmoidBackward(const T* dy, const T* y, T* dx, i64 count, float, float) {
  over(dy, y, dx, count, [](float d, float v) { return d * v * (1 - v); });
}
// slope = alpha * beta, square = beta / alpha
__global__ void tanhBackward(const T* dy, const T* y, T* dx, i64 count, float slope, float square) {
  over(dy, y, dx, count, [=](float d, float v) { return d * (slope - square * v * v); });
}
__global__ void linearBackward(const T* dy, const T*, T* dx, i64 count, float alpha, float) {
  over(dy, dx, count, [=](float d) { return alpha * d; });
}

__global__ void add(const T* a, const T* b, T* y, i64 count) {
  over(a, b, y, count, [](float l, float r) { return l + r; });
}
__global__ void addRelu(const T* a, const T* b, T* y, i64 count) {
  over(a, b, y, count, [](float l, float r) { return positive(l + r); });
}

}  // extern "C"

// A coefficient, and a bias, for every channel. Value i belongs to channel i / inner % channels: `inner` is 1
// where channels lie last.

constexpr u32 threads = 256;

extern "C" __global__ void __launch_bounds__(threads)
    scaleChannels(const T* x, const float* __restrict__ coefficient, const float* __restrict__ bias,
                  T* y, u32 count, u32 channels, u32 inner) {
  for (u32 i = firstIndex(); i < count; i += indexStep()) {
    const u32 c = i / inner % channels;
    store(y, i, load(x, i) * coefficient[c] + (bias ? bias[c] : 0.f));
  }
}

// The same for channels last and a whole number of fours of them, all pointers aligned.
extern "C" __global__ void __launch_bounds__(threads)
    scaleChannelsByFours(const T* x, const float* __restrict__ coefficient, const float* __restrict__ bias,
                         T* y, u32 count, u32 channels) {
  for (u32 v = firstIndex(); v < count / 4; v += indexStep()) {
    const u32 i = 4 * v, c = i % channels;
    Four four = load4(x, i);
    const Four scale = load4((const float*)coefficient, c), shift = bias ? load4((const float*)bias, c) : Four{};
    for (int k = 0; k < 4; ++k) four.at[k] = four.at[k] * scale.at[k] + shift.at[k];
    store4(y, i, four);
  }
}

// Block (32 channels wide, 8 rows high): dx of `part` rows, and the sums over them of dy * x and of dy, into
// two tables [gridDim.y][channels]. A row is one pixel of one image.
constexpr u32 width = 32, height = 8;
extern "C" __global__ void __launch_bounds__(width* height)
    scaleChannelsBackward(const T* __restrict__ x, const float* __restrict__ coefficient, const T* dy,
                          T* dx, float* __restrict__ products, float* __restrict__ sums, u32 rows,
                          u32 part, u32 channels, u32 inner) {
  __shared__ float product[height][width], sum[height][width];
  const u32 lane = threadIdx.x % width, line = threadIdx.x / width, c = blockIdx.x * width + lane;
  const u32 begin = blockIdx.y * part, end = rows - begin < part ? rows : begin + part;
  float p = 0, s = 0;
  if (c < channels) {
    const float scale = coefficient[c];
    for (u32 row = begin + line; row < end; row += height) {
      const u32 i = (row / inner * channels + c) * inner + row % inner;
      const float d = load(dy, i);
      p += d * load(x, i);
      s += d;
      store(dx, i, d * scale);
    }
  }
  product[line][lane] = p;
  sum[line][lane] = s;
  __syncthreads();
  if (line != 0 || c >= channels) return;
  for (u32 k = 1; k < height; ++k) {
    p += product[k][lane];
    s += sum[k][lane];
  }
  products[blockIdx.y * channels + c] = p;
  sums[blockIdx.y * channels + c] = s;
}

extern "C" __global__ void __launch_bounds__(threads)
    addParts(const float* __restrict__ products, const float* __restrict__ sums, float* __restrict__ dcoefficient,
             float* __restrict__ dbias, u32 parts, u32 channels) {
  for (u32 c = firstIndex(); c < channels; c += indexStep()) {
    double product = 0, sum = 0;
    for (u32 k = 0; k < parts; ++k) {
      product += products[k * channels + c];
      sum += sums[k * channels + c];
    }
    dcoefficient[c] = (float)product;
    if (dbias) dbias[c] = (float)sum;
  }
}

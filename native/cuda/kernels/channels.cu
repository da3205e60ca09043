// A coefficient, and a bias, for every channel. Value i belongs to channel i / inner % channels: `inner` is 1
// where channels lie last.

constexpr unsigned threads = 256;

extern "C" __global__ void __launch_bounds__(threads)
    scaleChannels(const Element* x, const float* __restrict__ coefficient, const float* __restrict__ bias,
                  Element* y, unsigned count, unsigned channels, unsigned inner) {
  for (unsigned i = firstIndex(); i < count; i += indexStep()) {
    const unsigned c = i / inner % channels;
    store(y, i, load(x, i) * coefficient[c] + (bias ? bias[c] : 0.f));
  }
}

// The same for channels last and a whole number of fours of them, all pointers aligned.
extern "C" __global__ void __launch_bounds__(threads)
    scaleChannelsByFours(const Element* x, const float* __restrict__ coefficient,
                         const float* __restrict__ bias, Element* y, unsigned count, unsigned channels) {
  for (unsigned v = firstIndex(); v < count / 4; v += indexStep()) {
    const unsigned i = 4 * v, c = i % channels;
    Four four = load4(x, i);
    const Four scale = load4((const f32*)coefficient, c), shift = bias ? load4((const f32*)bias, c) : Four{};
    for (int k = 0; k < 4; ++k) four.at[k] = four.at[k] * scale.at[k] + shift.at[k];
    store4(y, i, four);
  }
}

// Block (32 channels wide, 8 rows high): dx of `part` rows, and the sums over them of dy * x and of dy, into
// two tables [gridDim.y][channels]. A row is one pixel of one image.
constexpr unsigned width = 32, height = 8;
extern "C" __global__ void __launch_bounds__(width* height)
    scaleChannelsBackward(const Element* __restrict__ x, const float* __restrict__ coefficient,
                          const Element* dy, Element* dx, float* __restrict__ products,
                          float* __restrict__ sums, unsigned rows, unsigned part, unsigned channels,
                          unsigned inner) {
  __shared__ float product[height][width], sum[height][width];
  const unsigned lane = threadIdx.x % width, line = threadIdx.x / width, c = blockIdx.x * width + lane;
  const unsigned begin = blockIdx.y * part, end = rows - begin < part ? rows : begin + part;
  float p = 0, s = 0;
  if (c < channels) {
    const float scale = coefficient[c];
    for (unsigned row = begin + line; row < end; row += height) {
      const unsigned i = (row / inner * channels + c) * inner + row % inner;
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
  for (unsigned k = 1; k < height; ++k) {
    p += product[k][lane];
    s += sum[k][lane];
  }
  products[blockIdx.y * channels + c] = p;
  sums[blockIdx.y * channels + c] = s;
}

extern "C" __global__ void __launch_bounds__(threads)
    addParts(const float* __restrict__ products, const float* __restrict__ sums,
             float* __restrict__ dcoefficient, float* __restrict__ dbias, unsigned parts, unsigned channels) {
  for (unsigned c = firstIndex(); c < channels; c += indexStep()) {
    double product = 0, sum = 0;
    for (unsigned k = 0; k < parts; ++k) {
      product += products[k * channels + c];
      sum += sums[k * channels + c];
    }
    dcoefficient[c] = (float)product;
    if (dbias) dbias[c] = (float)sum;
  }
}

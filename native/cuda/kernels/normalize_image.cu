// Bytes [pixels, depth] to [pixels, channels]: y[c] = x[from[c]] * scale[c] + bias[c]

constexpr unsigned threads = 256, mostChannels = 64;

struct Channels {
  unsigned count;
  unsigned from[mostChannels];
  float scale[mostChannels], bias[mostChannels];
};

// Every thread writes four neighbours, the last ones singly.
extern "C" __global__ void __launch_bounds__(threads)
    normalizeImage(const unsigned char* __restrict__ x, Element* __restrict__ y, unsigned count,
                   unsigned depth, const __grid_constant__ Channels channels) {
  // Threads ask for different channels at once, which constant memory would serve one after the other.
  __shared__ unsigned from[mostChannels];
  __shared__ float scale[mostChannels], bias[mostChannels];
  const unsigned perPixel = channels.count;
  for (unsigned c = threadIdx.x; c < perPixel; c += blockDim.x) {
    from[c] = channels.from[c];
    scale[c] = channels.scale[c];
    bias[c] = channels.bias[c];
  }
  __syncthreads();
  const unsigned whole = count / 4;
  for (unsigned v = firstIndex(); v < whole; v += indexStep()) {
    unsigned pixel = 4 * v / perPixel, c = 4 * v % perPixel;
    Four four;
    for (int k = 0; k < 4; ++k) {
      four.at[k] = (float)x[pixel * depth + from[c]] * scale[c] + bias[c];
      if (++c == perPixel) c = 0, ++pixel;
    }
    store4(y, 4 * v, four);
  }
  for (unsigned i = 4 * whole + firstIndex(); i < count; i += indexStep()) {
    const unsigned pixel = i / perPixel, c = i % perPixel;
    store(y, i, (float)x[pixel * depth + from[c]] * scale[c] + bias[c]);
  }
}

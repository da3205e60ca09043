// Bytes [pixels, depth] to [pixels, channels]: y[c] = x[from[c]] * scale[c] + bias[c]

constexpr u32 threads = 256, mostChannels = 64;

struct Channels {
  u32 count;
  u32 from[mostChannels];
  float scale[mostChannels], bias[mostChannels];
};

// Every thread writes four neighbours where y allows it.
extern "C" __global__ void __launch_bounds__(threads)
    normalizeImage(const unsigned char* __restrict__ x, T* __restrict__ y, u32 count, u32 depth,
                   int vector, const __grid_constant__ Channels channels) {
  // Threads ask for different channels at once, which constant memory would serve one after the other.
  __shared__ u32 from[mostChannels];
  __shared__ float scale[mostChannels], bias[mostChannels];
  const u32 perPixel = channels.count;
  for (u32 c = threadIdx.x; c < perPixel; c += blockDim.x) {
    from[c] = channels.from[c];
    scale[c] = channels.scale[c];
    bias[c] = channels.bias[c];
  }
  __syncthreads();
  const u32 whole = vector ? count / 4 : 0;
  for (u32 v = firstIndex(); v < whole; v += indexStep()) {
    u32 pixel = 4 * v / perPixel, c = 4 * v % perPixel;
    Four four;
    for (int k = 0; k < 4; ++k) {
      four.at[k] = (float)x[pixel * depth + from[c]] * scale[c] + bias[c];
      if (++c == perPixel) c = 0, ++pixel;
    }
    store4(y, 4 * v, four);
  }
  for (u32 i = 4 * whole + firstIndex(); i < count; i += indexStep()) {
    const u32 pixel = i / perPixel, c = i % perPixel;
    store(y, i, (float)x[pixel * depth + from[c]] * scale[c] + bias[c]);
  }
}

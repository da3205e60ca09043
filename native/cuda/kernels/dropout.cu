// Dropout's masks are those of Philox4x32-10 (Salmon et al. 2011) at an element's number in row-major order,
// N C H W, wherever it lies.

constexpr u32 threads = 256;

// An element is kept where its word is at least `least`.
struct Rule {
  u32 least;
  int none;  // is kept
  float scale;
};

struct Words {
  u32 at[4];
};

// random: seed low, seed high, step low, step high
__device__ inline Words philox(u32 counter, u32 stream, const u32* random) {
  u32 c0 = counter, c1 = stream, c2 = random[2], c3 = random[3], k0 = random[0], k1 = random[1];
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const unsigned long long a = 0xD2511F53ull * c0, b = 0xCD9E8D57ull * c2;
    c0 = (u32)(b >> 32) ^ c1 ^ k0;
    c1 = (u32)b;
    c2 = (u32)(a >> 32) ^ c3 ^ k1;
    c3 = (u32)a;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

__device__ inline float kept(const Rule& rule, u32 word, float x) {
  return !rule.none && word >= rule.least ? x * rule.scale : 0.f;
}

// Elements that lie as they are counted. `vector`: x and y allow accesses of four elements.
extern "C" __global__ void __launch_bounds__(threads)
    dropoutInOrder(const T* x, const u32* __restrict__ random, T* y, u32 count, int vector,
                   u32 stream, Rule rule) {
  const u32 counters = count / 4 + (count % 4 != 0);
  for (u32 q = firstIndex(); q < counters; q += indexStep()) {
    const Words words = philox(q, stream, random);
    const u32 i = 4 * q;
    if (vector && count - i >= 4) {
      Four four = load4(x, i);
      for (int k = 0; k < 4; ++k) four.at[k] = kept(rule, words.at[k], four.at[k]);
      store4(y, i, four);
    } else {
      for (u32 k = 0; k < 4 && i + k < count; ++k)
        store(y, i + k, kept(rule, words.at[k], load(x, i + k)));
    }
  }
}

// Channels last: a thread has one counter of one channel, and so up to four pixels of it; neighbours have
// neighbouring channels. A counter that two channels share is worked out twice.
extern "C" __global__ void __launch_bounds__(threads)
    dropoutChannelsLast(const T* x, const u32* __restrict__ random, T* y, u32 batch,
                        u32 pixels, u32 channels, u32 stream, Rule rule) {
  const u32 perChannel = (pixels + 3) / 4 + 1, total = batch * perChannel * channels;
  for (u32 t = firstIndex(); t < total; t += indexStep()) {
    const u32 c = t % channels, group = t / channels % perChannel, n = t / channels / perChannel;
    const u32 begin = (n * channels + c) * pixels, end = begin + pixels;
    const u32 first = (begin / 4 + group) * 4;
    if (first >= end) continue;
    const Words words = philox(first / 4, stream, random);
    for (u32 k = 0; k < 4; ++k) {
      const u32 element = first + k;
      if (element < begin || element >= end) continue;
      const u32 i = (n * pixels + (element - begin)) * channels + c;
      store(y, i, kept(rule, words.at[k], load(x, i)));
    }
  }
}

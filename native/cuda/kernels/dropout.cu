// Dropout's masks are those of Philox4x32-10 (Salmon et al. 2011) at an element's number in row-major order,
// N C H W, wherever it lies.

constexpr unsigned threads = 256;

// An element is kept where its word is at least `least`.
struct Rule {
  unsigned least;
  int none;  // is kept
  float scale;
};

struct Words {
  unsigned at[4];
};

// random: seed low, seed high, step low, step high
__device__ inline Words philox(unsigned counter, unsigned stream, const unsigned* random) {
  unsigned c0 = counter, c1 = stream, c2 = random[2], c3 = random[3], k0 = random[0], k1 = random[1];
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const unsigned long long a = 0xD2511F53ull * c0, b = 0xCD9E8D57ull * c2;
    c0 = (unsigned)(b >> 32) ^ c1 ^ k0;
    c1 = (unsigned)b;
    c2 = (unsigned)(a >> 32) ^ c3 ^ k1;
    c3 = (unsigned)a;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

__device__ inline float kept(const Rule& rule, unsigned word, float x) {
  return !rule.none && word >= rule.least ? x * rule.scale : 0.f;
}

// Elements that lie as they are counted.
extern "C" __global__ void __launch_bounds__(threads)
    dropoutInOrder(const Element* x, const unsigned* __restrict__ random, Element* y, unsigned count,
                   unsigned stream, Rule rule) {
  const unsigned counters = count / 4 + (count % 4 != 0);
  for (unsigned q = firstIndex(); q < counters; q += indexStep()) {
    const Words words = philox(q, stream, random);
    const unsigned i = 4 * q;
    if (count - i >= 4) {
      Four four = load4(x, i);
      for (int k = 0; k < 4; ++k) four.at[k] = kept(rule, words.at[k], four.at[k]);
      store4(y, i, four);
    } else {
      for (unsigned k = 0; k < 4 && i + k < count; ++k)
        store(y, i + k, kept(rule, words.at[k], load(x, i + k)));
    }
  }
}

// Channels last: a thread has one counter of one channel, and so up to four pixels of it; neighbours have
// neighbouring channels. A counter that two channels share is worked out twice.
extern "C" __global__ void __launch_bounds__(threads)
    dropoutChannelsLast(const Element* x, const unsigned* __restrict__ random, Element* y, unsigned batch,
                        unsigned pixels, unsigned channels, unsigned stream, Rule rule) {
  const unsigned perChannel = (pixels + 3) / 4 + 1, total = batch * perChannel * channels;
  for (unsigned t = firstIndex(); t < total; t += indexStep()) {
    const unsigned c = t % channels, group = t / channels % perChannel, n = t / channels / perChannel;
    const unsigned begin = (n * channels + c) * pixels, end = begin + pixels;
    const unsigned first = (begin / 4 + group) * 4;
    if (first >= end) continue;
    const Words words = philox(first / 4, stream, random);
    for (unsigned k = 0; k < 4; ++k) {
      const unsigned element = first + k;
      if (element < begin || element >= end) continue;
      const unsigned i = (n * pixels + (element - begin)) * channels + c;
      store(y, i, kept(rule, words.at[k], load(x, i)));
    }
  }
}

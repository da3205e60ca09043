#pragma once
#include <cstdint>
#include <vector>

#include "layout.h"

// The passes of batch norm's training over a tensor, whatever its layout.
namespace fovea::cpu {

// Values that lie one behind the other in memory, `lanes` channels to a pixel.
struct Chunk {
  int64_t channel;  // the first one's number, counted with the lanes that are no channels
  int64_t offset, pixels;
};

// A tensor cut into chunks that fit in a core's own cache. It is the same for any number of threads, and so
// are the sums.
struct Division {
  int64_t lanes, channels;  // with lanes that are no channels
  std::vector<Chunk> chunks;
};
Division divide(const ChannelView& view);

// What a pass knows of every channel; each points to `channels` values.
struct Coefficients {
  const float *mean, *scale, *shift;
};

// Every pass writes `lanes` values for a chunk.
void sumOf(const Chunk& chunk, int64_t lanes, const float* x, double* sum);
// Of the distances from `mean`, squared.
void squaresOf(const Chunk& chunk, int64_t lanes, const float* x, const float* mean, double* sum);
// y = (x - mean) * scale + shift, not below zero with `relu`
void normalize(const Chunk& chunk, int64_t lanes, const Coefficients& c, bool relu, const float* x, float* y);
// Of dy, and of dy * (x - mean); with `relu`, where `normalize` gives more than zero
void gradientSumsOf(const Chunk& chunk, int64_t lanes, const Coefficients& c, bool relu, const float* x,
                    const float* dy, double* sum, double* product);
// dx = scale * (dy - offset - (x - mean) * slope); dy as above
struct Slopes {
  const float *offset, *slope;
};
void gradientOf(const Chunk& chunk, int64_t lanes, const Coefficients& c, const Slopes& s, bool relu,
                const float* x, const float* dy, float* dx);

}  // namespace fovea::cpu

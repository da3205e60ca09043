// Averages over bins, channels last: bin i covers floor(i * size / bins) to ceil((i + 1) * size / bins), so
// that bins may overlap. A thread works out one element; neighbours have neighbouring channels.

constexpr unsigned threads = 64;

struct Bins {
  unsigned height, width, rows, columns, channels;
};

struct Bin {
  unsigned begin, end;
};
__device__ inline Bin binOf(unsigned i, unsigned size, unsigned bins) {
  return {i * size / bins, ((i + 1) * size + bins - 1) / bins};
}
// The bins that cover pixel i.
__device__ inline Bin binsAt(unsigned i, unsigned size, unsigned bins) {
  return {i * bins / size, ((i + 1) * bins + size - 1) / size};
}

extern "C" __global__ void __launch_bounds__(threads)
    averageOverBins(const Element* __restrict__ x, Element* __restrict__ y, unsigned count,
                    const __grid_constant__ Bins b) {
  for (unsigned t = firstIndex(); t < count; t += indexStep()) {
    const unsigned c = t % b.channels, bin = t / b.channels;
    const unsigned j = bin % b.columns, i = bin / b.columns % b.rows, n = bin / b.columns / b.rows;
    const Bin row = binOf(i, b.height, b.rows), column = binOf(j, b.width, b.columns);
    float sum = 0;
    for (unsigned h = row.begin; h < row.end; ++h)
      for (unsigned w = column.begin; w < column.end; ++w)
        sum += load(x, ((n * b.height + h) * b.width + w) * b.channels + c);
    store(y, t, sum / (float)((row.end - row.begin) * (column.end - column.begin)));
  }
}

extern "C" __global__ void __launch_bounds__(threads)
    averageOverBinsBackward(const Element* __restrict__ dy, Element* __restrict__ dx, unsigned count,
                            const __grid_constant__ Bins b) {
  for (unsigned t = firstIndex(); t < count; t += indexStep()) {
    const unsigned c = t % b.channels, pixel = t / b.channels;
    const unsigned w = pixel % b.width, h = pixel / b.width % b.height, n = pixel / b.width / b.height;
    const Bin rows = binsAt(h, b.height, b.rows), columns = binsAt(w, b.width, b.columns);
    float sum = 0;
    for (unsigned i = rows.begin; i < rows.end; ++i)
      for (unsigned j = columns.begin; j < columns.end; ++j) {
        const Bin row = binOf(i, b.height, b.rows), column = binOf(j, b.width, b.columns);
        sum += load(dy, ((n * b.rows + i) * b.columns + j) * b.channels + c) /
               (float)((row.end - row.begin) * (column.end - column.begin));
      }
    store(dx, t, sum);
  }
}

// FROM, TO: types of the elements before and after.

extern "C" {

__global__ void convert(const FROM* x, TO* y, i64 count) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) put(y + i, x[i]);
}

// [batch, rows, columns] -> [batch, columns, rows], by squares of 32 that go through shared memory, so that both
// sides are touched in order. Blocks of 32 x 8 threads.
__global__ void transpose(const FROM* x, TO* y, i64 batch, i64 rows, i64 columns) {
  __shared__ FROM tile[32][33];
  const i64 across = (columns + 31) / 32, down = (rows + 31) / 32, tiles = batch * down * across;
  for (i64 index = blockIdx.x; index < tiles; index += gridDim.x) {
    const i64 column = index % across * 32, row = index / across % down * 32;
    const i64 base = index / (across * down) * rows * columns;
    for (int i = threadIdx.y; i < 32; i += 8)
      if (row + i < rows && column + threadIdx.x < columns)
        tile[i][threadIdx.x] = x[base + (row + i) * columns + column + threadIdx.x];
    __syncthreads();
    for (int i = threadIdx.y; i < 32; i += 8)
      if (column + i < columns && row + threadIdx.x < rows)
        put(y + base + (column + i) * rows + row + threadIdx.x, tile[threadIdx.x][i]);
    __syncthreads();
  }
}

// The same element by element: for sides so short that squares of 32 would be mostly empty.
__global__ void transposeNarrow(const FROM* x, TO* y, i64 batch, i64 rows, i64 columns) {
  const i64 count = batch * rows * columns;
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const i64 row = i % rows, column = i / rows % columns, n = i / (rows * columns);
    put(y + i, x[(n * rows + row) * columns + column]);
  }
}

}  // extern "C"

// Pooling of images whose channels lie next to each other. Index: u8 or int, the place of the greatest element in
// its window. V: channels a thread works on, a divisor of their number. `count` is of groups of V.

typedef Pack<T, V> Wide;
typedef Pack<Index, V> Places;

struct Window {
  int channels, height, width, outHeight, outWidth;  // of the images before and after
  int rows, columns, strideRows, strideColumns, top, left;
};

// The group of channels and the pixel that a thread works on, in images of `height` and `width`.
struct Place {
  int channel, column, row;
  i64 image;
};
__device__ inline Place placeOf(i64 group, const Window& w, int height, int width) {
  const int groups = w.channels / V;
  const i64 pixel = group / groups, line = pixel / width;
  return {(int)(group % groups) * V, (int)(pixel % width), (int)(line % height), line / height};
}

// Which part of a window lies in the image.
struct Range {
  int begin, end;
};
__device__ inline Range within(int start, int size, int extent) {
  return {start < 0 ? -start : 0, start + size > extent ? extent - start : size};
}

// Windows, by number, that cover a place.
__device__ inline Range covering(int place, int before, int size, int stride, int count) {
  const int reach = place + before - size;  // the last start that is too early
  const int end = (place + before) / stride + 1;
  return {reach < 0 ? 0 : reach / stride + 1, end > count ? count : end};
}

__device__ inline const Wide& at(const T* x, const Window& w, const Place& p, int height, int width, int row,
                                 int column) {
  return *reinterpret_cast<const Wide*>(x + ((p.image * height + row) * width + column) * w.channels + p.channel);
}

extern "C" {

// `places` may be null. Of equal elements the first counts; NaN is the greatest of all.
__global__ void maxForward(const T* x, T* y, Index* places, i64 count, Window w) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const Place p = placeOf(i, w, w.outHeight, w.outWidth);
    const int firstRow = p.row * w.strideRows - w.top, firstColumn = p.column * w.strideColumns - w.left;
    const Range rows = within(firstRow, w.rows, w.height), columns = within(firstColumn, w.columns, w.width);
    float best[V];
    Places place;
    for (int k = 0; k < V; ++k) {
      best[k] = -infinity();
      place.at[k] = (Index)(rows.begin * w.columns + columns.begin);
    }
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c) {
        const Wide from = at(x, w, p, w.height, w.width, firstRow + r, firstColumn + c);
#pragma unroll
        for (int k = 0; k < V; ++k) {
          const float value = toFloat(from.at[k]);
          if (value <= best[k] || best[k] != best[k]) continue;
          best[k] = value;
          place.at[k] = (Index)(r * w.columns + c);
        }
      }
    Wide result;
    for (int k = 0; k < V; ++k) result.at[k] = fromFloat<T>(best[k]);
    reinterpret_cast<Wide*>(y)[i] = result;
    if (places) reinterpret_cast<Places*>(places)[i] = place;
  }
}

__global__ void maxBackward(const T* dy, const Index* places, T* dx, i64 count, Window w) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const Place p = placeOf(i, w, w.height, w.width);
    const Range rows = covering(p.row, w.top, w.rows, w.strideRows, w.outHeight),
                columns = covering(p.column, w.left, w.columns, w.strideColumns, w.outWidth);
    float sum[V] = {};
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c) {
        const i64 from = ((p.image * w.outHeight + r) * w.outWidth + c) * w.channels + p.channel;
        const Wide slopes = *reinterpret_cast<const Wide*>(dy + from);
        const Places chosen = *reinterpret_cast<const Places*>(places + from);
        const int place =
            (p.row + w.top - r * w.strideRows) * w.columns + p.column + w.left - c * w.strideColumns;
#pragma unroll
        for (int k = 0; k < V; ++k)
          if (chosen.at[k] == place) sum[k] += toFloat(slopes.at[k]);
      }
    Wide result;
    for (int k = 0; k < V; ++k) result.at[k] = fromFloat<T>(sum[k]);
    reinterpret_cast<Wide*>(dx)[i] = result;
  }
}

__global__ void averageForward(const T* x, T* y, i64 count, Window w, int countPadding) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const Place p = placeOf(i, w, w.outHeight, w.outWidth);
    const int firstRow = p.row * w.strideRows - w.top, firstColumn = p.column * w.strideColumns - w.left;
    const Range rows = within(firstRow, w.rows, w.height), columns = within(firstColumn, w.columns, w.width);
    float sum[V] = {};
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c) {
        const Wide from = at(x, w, p, w.height, w.width, firstRow + r, firstColumn + c);
#pragma unroll
        for (int k = 0; k < V; ++k) sum[k] += toFloat(from.at[k]);
      }
    const int size =
        countPadding ? w.rows * w.columns : (rows.end - rows.begin) * (columns.end - columns.begin);
    Wide result;
    for (int k = 0; k < V; ++k) result.at[k] = fromFloat<T>(sum[k] / size);
    reinterpret_cast<Wide*>(y)[i] = result;
  }
}

__global__ void averageBackward(const T* dy, T* dx, i64 count, Window w, int countPadding) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const Place p = placeOf(i, w, w.height, w.width);
    const Range rows = covering(p.row, w.top, w.rows, w.strideRows, w.outHeight),
                columns = covering(p.column, w.left, w.columns, w.strideColumns, w.outWidth);
    float sum[V] = {};
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c) {
        const Range down = within(r * w.strideRows - w.top, w.rows, w.height),
                    across = within(c * w.strideColumns - w.left, w.columns, w.width);
        const int size =
            countPadding ? w.rows * w.columns : (down.end - down.begin) * (across.end - across.begin);
        const Wide from = at(dy, w, p, w.outHeight, w.outWidth, r, c);
#pragma unroll
        for (int k = 0; k < V; ++k) sum[k] += toFloat(from.at[k]) / size;
      }
    Wide result;
    for (int k = 0; k < V; ++k) result.at[k] = fromFloat<T>(sum[k]);
    reinterpret_cast<Wide*>(dx)[i] = result;
  }
}

}  // extern "C"

// Pooling of images whose channels lie next to each other. Index: unsigned char or int, the place of the greatest
// element in its window.

struct Window {
  int channels, height, width, outHeight, outWidth;  // of the images before and after
  int rows, columns, strideRows, strideColumns, top, left;
};

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

extern "C" {

// `places` may be null. Of equal elements the first counts; NaN is the greatest of all.
__global__ void maxForward(const T* x, T* y, Index* places, i64 count, Window w) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const int channel = i % w.channels, column = i / w.channels % w.outWidth;
    const i64 line = i / w.channels / w.outWidth;
    const int row = line % w.outHeight, firstRow = row * w.strideRows - w.top,
              firstColumn = column * w.strideColumns - w.left;
    const T* image = x + line / w.outHeight * w.height * w.width * w.channels + channel;
    const Range rows = within(firstRow, w.rows, w.height), columns = within(firstColumn, w.columns, w.width);
    float best = -infinity();
    int place = rows.begin * w.columns + columns.begin;
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c) {
        const float value = toFloat(image[((i64)(firstRow + r) * w.width + firstColumn + c) * w.channels]);
        if (value <= best || best != best) continue;
        best = value;
        place = r * w.columns + c;
      }
    y[i] = fromFloat<T>(best);
    if (places) places[i] = (Index)place;
  }
}

__global__ void maxBackward(const T* dy, const Index* places, T* dx, i64 count, Window w) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const int channel = i % w.channels, column = i / w.channels % w.width;
    const i64 line = i / w.channels / w.width, n = line / w.height;
    const int row = line % w.height;
    const Range rows = covering(row, w.top, w.rows, w.strideRows, w.outHeight),
                columns = covering(column, w.left, w.columns, w.strideColumns, w.outWidth);
    float sum = 0;
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c) {
        const i64 at = ((n * w.outHeight + r) * w.outWidth + c) * w.channels + channel;
        const int place =
            (row + w.top - r * w.strideRows) * w.columns + column + w.left - c * w.strideColumns;
        if (places[at] == place) sum += toFloat(dy[at]);
      }
    dx[i] = fromFloat<T>(sum);
  }
}

__global__ void averageForward(const T* x, T* y, i64 count, Window w, int countPadding) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const int channel = i % w.channels, column = i / w.channels % w.outWidth;
    const i64 line = i / w.channels / w.outWidth;
    const int row = line % w.outHeight, firstRow = row * w.strideRows - w.top,
              firstColumn = column * w.strideColumns - w.left;
    const T* image = x + line / w.outHeight * w.height * w.width * w.channels + channel;
    const Range rows = within(firstRow, w.rows, w.height), columns = within(firstColumn, w.columns, w.width);
    float sum = 0;
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c)
        sum += toFloat(image[((i64)(firstRow + r) * w.width + firstColumn + c) * w.channels]);
    const int size =
        countPadding ? w.rows * w.columns : (rows.end - rows.begin) * (columns.end - columns.begin);
    y[i] = fromFloat<T>(sum / size);
  }
}

__global__ void averageBackward(const T* dy, T* dx, i64 count, Window w, int countPadding) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const int channel = i % w.channels, column = i / w.channels % w.width;
    const i64 line = i / w.channels / w.width, n = line / w.height;
    const int row = line % w.height;
    const Range rows = covering(row, w.top, w.rows, w.strideRows, w.outHeight),
                columns = covering(column, w.left, w.columns, w.strideColumns, w.outWidth);
    float sum = 0;
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c) {
        const Range down = within(r * w.strideRows - w.top, w.rows, w.height),
                    across = within(c * w.strideColumns - w.left, w.columns, w.width);
        const int size =
            countPadding ? w.rows * w.columns : (down.end - down.begin) * (across.end - across.begin);
        sum += toFloat(dy[((n * w.outHeight + r) * w.outWidth + c) * w.channels + channel]) / size;
      }
    dx[i] = fromFloat<T>(sum);
  }
}

}  // extern "C"

// Images, channels last, inside larger ones or cut out of them.

extern "C" {

// y[n, h, w] = x[n, h - top, w - left], zero where that is outside.
__global__ void moveImages(const T* x, T* y, i64 count, int channels, int fromHeight, int fromWidth, int toHeight,
                           int toWidth, int top, int left) {
  for (i64 i = globalThread(); i < count; i += globalThreads()) {
    const i64 pixel = i / channels, line = pixel / toWidth;
    const int column = (int)(pixel % toWidth) - left, row = (int)(line % toHeight) - top;
    T value = {};
    if (row >= 0 && row < fromHeight && column >= 0 && column < fromWidth)
      value = x[((line / toHeight * fromHeight + row) * fromWidth + column) * channels + i % channels];
    y[i] = value;
  }
}

}  // extern "C"

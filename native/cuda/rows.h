#pragma once
#include "ops.h"
#include "request.h"

namespace fovea::cuda {

// How many channels, of 16 bytes at most, a thread can read at once.
int widthFor(int64_t channels, DType dtype);

// How to launch kernels of rows.cu and batch_norm.cu over rows of channels: `width` channels a thread, and
// blocks in rows so many that they keep the GPU busy. Sums are made of a part for each grid.y.
struct RowLaunch {
  RowLaunch(const Context& context, const Rows& rows, DType dtype);

  Rows rows;
  int width;
  Dim3 grid, block;
  // One thread a channel.
  Dim3 channelGrid;
  // {"T", ...}, {"V", ...}
  Defines defines;
};

// y = activation(x + bias + residual), either of which may be nullptr; y may be x.
class Epilogue {
 public:
  Epilogue(const Request& request, const Rows& rows, DType dtype, DType bias, ops::Activation activation);
  void enqueue(const void* x, const void* bias, const void* residual, void* y) const;

 private:
  RowLaunch launch_;
  Function function_;
  int relu_;
};

// The sums of channels over all rows: what a bias's gradient is. The same at each run.
class ChannelSums {
 public:
  ChannelSums(const Request& request, const Rows& rows, DType dtype, DType result, Scratch& scratch);
  void enqueue(const void* x, const Pointers& pointers, void* sums) const;

 private:
  RowLaunch launch_;
  Function parts_, totals_;
  size_t offset_;
};

}  // namespace fovea::cuda

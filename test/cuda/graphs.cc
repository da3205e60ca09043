// graphs FOLDER...: describes convolutions to the real cuDNN in the folders, which checks them without a GPU,
// and prints a line of JSON for each: what it is, and why cuDNN refuses it, if it does.
#include <iostream>

#include "convolution_graphs.h"
#include "error.h"

using namespace fovea;
using namespace fovea::cuda;

namespace {

struct Case {
  const char* name;
  Shape x, weight, y;
  ops::ConvolutionGeometry geometry;
};

ops::ConvolutionGeometry geometry(ops::Pair stride, ops::Edges padding, ops::Pair dilation = {1, 1},
                                  int64_t groups = 1) {
  ops::ConvolutionGeometry result;
  result.stride = stride;
  result.padding = padding;
  result.dilation = dilation;
  result.groups = groups;
  return result;
}

const Case cases[] = {
    {"3x3", {32, 64, 56, 56}, {64, 64, 3, 3}, {32, 64, 56, 56}, geometry({1, 1}, {1, 1, 1, 1})},
    {"1x1, stride 2", {8, 256, 56, 56}, {512, 256, 1, 1}, {8, 512, 28, 28}, geometry({2, 2}, {0, 0, 0, 0})},
    {"of an image", {4, 3, 224, 224}, {64, 3, 7, 7}, {4, 64, 112, 112}, geometry({2, 2}, {3, 3, 3, 3})},
    {"1x7", {2, 128, 17, 17}, {128, 128, 1, 7}, {2, 128, 17, 17}, geometry({1, 1}, {0, 3, 0, 3})},
    {"in groups", {2, 64, 9, 9}, {32, 16, 5, 5}, {2, 32, 9, 9}, geometry({1, 1}, {2, 2, 2, 2}, {1, 1}, 4)},
    {"by channel", {2, 32, 9, 9}, {32, 1, 3, 3}, {2, 32, 9, 9}, geometry({1, 1}, {1, 1, 1, 1}, {1, 1}, 32)},
    {"dilated", {2, 32, 20, 20}, {16, 32, 3, 3}, {2, 16, 20, 20}, geometry({1, 1}, {2, 2, 2, 2}, {2, 2})},
    {"padded unevenly", {2, 32, 20, 20}, {16, 32, 3, 3}, {2, 16, 10, 10}, geometry({2, 2}, {0, 0, 1, 1})},
    {"one pixel", {2, 400, 5, 5}, {120, 400, 5, 5}, {2, 120, 1, 1}, geometry({1, 1}, {0, 0, 0, 0})},
    {"wrong result", {2, 8, 9, 9}, {8, 8, 3, 3}, {2, 8, 9, 9}, geometry({1, 1}, {0, 0, 0, 0})},
};

template <class Describe>
void report(const std::string& name, const Describe& describe) {
  std::string reason;
  try {
    describe();
  } catch (const Error& error) {
    reason = error.what();
    for (char& c : reason)
      if (c == '"' || c == '\\' || c == '\n') c = ' ';
  }
  std::cout << "{\"name\":\"" << name << "\",\"refused\":\"" << reason << "\"}\n";
}

void reportAll(const CudnnLibrary& library, const Case& c, DType dtype) {
  const PaddedGeometry padded(c.geometry, c.x);
  const ConvolutionTensors tensors{{dtype, c.x}, {dtype, c.weight}, {dtype, c.y}, dtype};
  const std::string name = std::string(c.name) + ", " + nameOf(dtype);
  using Kind = OperationGraph::Convolution;
  report(name + ", forward", [&] { convolutionGraph(library, Kind::forward, padded, tensors); });
  report(name + ", data", [&] { convolutionGraph(library, Kind::data, padded, tensors); });
  report(name + ", filter", [&] { convolutionGraph(library, Kind::filter, padded, tensors); });
  for (int what = 1; what < 8; ++what) {
    const Additions additions{(what & 1) != 0, (what & 2) != 0, (what & 4) != 0};
    report(name + ", forward" + (additions.bias ? " + bias" : "") + (additions.residual ? " + sum" : "") +
               (additions.relu ? " + relu" : ""),
           [&] { fusedGraph(library, padded, tensors, additions); });
  }
}

}  // namespace

int main(int count, char** folders) {
  LoadOptions options;
  options.withDriver = false;
  for (int i = 1; i < count; ++i) options.folders.push_back({folders[i], "given"});
  try {
    const CudnnLibrary library{load(options)};
    for (const Case& c : cases)
      for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) reportAll(library, c, dtype);
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}

#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "native/cuda/api/cublas.h"
#include "native/cuda/api/cudnn.h"
#include "native/cuda/api/driver.h"
#include "native/cuda/api/nvrtc.h"
#include "native/cuda/api/runtime.h"

// What the programs share that show what the simulated device does and refuses.

inline void fail(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
  std::exit(1);
}

#define EXPECT(condition) \
  if (!(condition)) fail(__FILE__, __LINE__, #condition)

#define EXPECT_STATUS(expected, call)                                            \
  if (const int got = static_cast<int>(call); got != static_cast<int>(expected)) \
  fail(__FILE__, __LINE__, std::string(#call) + " gives " + std::to_string(got) + " and not " #expected)

#define OK(call) EXPECT_STATUS(0, call)

// Device memory with numbers in it.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(std::vector<T> values) : bytes_(values.size() * sizeof(T)), values_(values.size()) {
    OK(cudaMalloc(&data_, bytes_));
    write(values);
  }
  explicit OnDevice(size_t count) : bytes_(count * sizeof(T)), values_(count) {
    OK(cudaMalloc(&data_, bytes_));
  }
  ~OnDevice() { cudaFree(data_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  void write(const std::vector<T>& values) {
    OK(cudaMemcpyAsync(data_, values.data(), bytes_, cudaMemcpyHostToDevice, nullptr));
  }
  std::vector<T> read(cudaStream_t stream = nullptr) {
    OK(cudaMemcpyAsync(values_.data(), data_, bytes_, cudaMemcpyDeviceToHost, stream));
    OK(cudaStreamSynchronize(stream));
    return values_;
  }
  T* data() const { return static_cast<T*>(data_); }
  void* pointer() const { return data_; }

 private:
  void* data_ = nullptr;
  size_t bytes_;
  std::vector<T> values_;
};

inline std::vector<float> noise(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> between(-1, 1);
  std::vector<float> values(count);
  for (float& value : values) value = between(random);
  return values;
}

inline double relativeError(const std::vector<float>& got, const std::vector<double>& expected) {
  EXPECT(got.size() == expected.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    difference += (got[i] - expected[i]) * (got[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return std::sqrt(difference / norm);
}

// Runs what the command line names; without a name, tells all names.
inline int runChecks(int argc, char** argv, const std::map<std::string, std::function<void()>>& checks) {
  if (argc < 2) {
    for (const auto& [name, check] : checks) std::puts(name.c_str());
    return 0;
  }
  checks.at(argv[1])();
  return 0;
}

// Kernels on the simulated device: how they are compiled, launched, and caught.
#include "checks.h"

namespace {

std::string compileLog;

nvrtcResult compile(const std::string& source, std::vector<char>* cubin,
                    std::vector<const char*> options = {"--gpu-architecture=sm_90"}) {
  nvrtcProgram program = nullptr;
  OK(nvrtcCreateProgram(&program, source.c_str(), "test.cu", 0, nullptr, nullptr));
  const nvrtcResult result = nvrtcCompileProgram(program, static_cast<int>(options.size()), options.data());
  size_t bytes = 0;
  OK(nvrtcGetProgramLogSize(program, &bytes));
  compileLog.resize(bytes);
  OK(nvrtcGetProgramLog(program, compileLog.data()));
  if (result == NVRTC_SUCCESS) {
    OK(nvrtcGetCUBINSize(program, &bytes));
    cubin->resize(bytes);
    OK(nvrtcGetCUBIN(program, cubin->data()));
  }
  OK(nvrtcDestroyProgram(&program));
  return result;
}

struct Loaded {
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  Loaded(const std::string& source, const char* name) {
    std::vector<char> cubin;
    OK(compile(source, &cubin));
    OK(cuModuleLoadData(&module, cubin.data()));
    OK(cuModuleGetFunction(&function, module, name));
  }
  ~Loaded() { cuModuleUnload(module); }

  template <class... A>
  CUresult launch(unsigned grid, unsigned block, unsigned shared, A... arguments) {
    void* parameters[] = {&arguments..., nullptr};
    return cuLaunchKernel(function, grid, 1, 1, block, 1, 1, shared, nullptr, parameters, nullptr);
  }
};

void sharedMemory() {
  Loaded sum(R"(
extern "C" __global__ void __launch_bounds__(256) blockSums(const float* x, float* sums, int count) {
  __shared__ float partial[256];
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) sum += x[i];
  partial[threadIdx.x] = sum;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = partial[0];
})",
             "blockSums");
  const std::vector<float> x = noise(10000, 1);
  OnDevice<float> from(x), to(3);
  OK(sum.launch(3, 256, 0, from.data(), to.data(), 10000));
  double expected = 0, got = 0;
  for (const float value : x) expected += value;
  for (const float value : to.read()) got += value;
  EXPECT(std::fabs(got - expected) < 1e-3);
  // __launch_bounds__ is a promise.
  EXPECT_STATUS(CUDA_ERROR_INVALID_VALUE, sum.launch(3, 512, 0, from.data(), to.data(), 10000));
}

void dynamicSharedMemory() {
  Loaded reverse(R"(
extern "C" __global__ void reverse(float* x) {
  extern __shared__ float copy[];
  copy[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = copy[blockDim.x - 1 - threadIdx.x];
})",
                 "reverse");
  const std::vector<float> x = noise(512, 2);
  OnDevice<float> data(x);
  OK(reverse.launch(1, 512, 2048, data.data()));
  EXPECT(data.read() == std::vector<float>(x.rbegin(), x.rend()));
  EXPECT_STATUS(CUDA_ERROR_INVALID_VALUE, reverse.launch(1, 512, 64 << 10, data.data()));
}

void warps() {
  Loaded kernel(R"(
extern "C" __global__ void warpSums(const int* x, int* down, int* exchanged, unsigned* votes) {
  int sum = x[threadIdx.x];
  for (int half = 16; half > 0; half /= 2) sum += __shfl_down_sync(0xffffffff, sum, half);
  if (threadIdx.x % 32 == 0) down[threadIdx.x / 32] = sum;
  int both = x[threadIdx.x];
  for (int bit = 1; bit < 32; bit *= 2) both += __shfl_xor_sync(0xffffffff, both, bit);
  exchanged[threadIdx.x] = both + __shfl_sync(0xffffffff, (int)threadIdx.x, 3);
  const unsigned votesOfWarp = __ballot_sync(0xffffffff, threadIdx.x % 3 == 0);
  if (threadIdx.x % 32 == 0) votes[threadIdx.x / 32] = votesOfWarp;
})",
                "warpSums");
  std::vector<int> x(128), expected(4);
  for (int i = 0; i < 128; ++i) x[i] = i * i, expected[i / 32] += i * i;
  OnDevice<int> from(x), down(4), exchanged(128);
  OnDevice<unsigned> votes(4);
  OK(kernel.launch(1, 128, 0, from.data(), down.data(), exchanged.data(), votes.data()));
  EXPECT(down.read() == expected);
  const std::vector<int> got = exchanged.read();
  for (int i = 0; i < 128; ++i) EXPECT(got[i] == expected[i / 32] + i / 32 * 32 + 3);
  for (unsigned warp = 0; warp < 4; ++warp)
    for (unsigned lane = 0; lane < 32; ++lane)
      EXPECT((votes.read()[warp] >> lane & 1) == ((warp * 32 + lane) % 3 == 0));
}

void positions() {
  Loaded kernel(R"(
extern "C" __global__ void positions(unsigned* to, unsigned long long* total) {
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned at = block * blockDim.x * blockDim.y * blockDim.z + thread;
  to[at] = at;
  atomicAdd(total, 1ull);
})",
                "positions");
  OnDevice<unsigned> to(2 * 3 * 2 * 4 * 5 * 2);
  OnDevice<unsigned long long> total(std::vector<unsigned long long>{0});
  unsigned* data = to.data();
  unsigned long long* sum = total.data();
  void* parameters[] = {&data, &sum};
  OK(cuLaunchKernel(kernel.function, 2, 3, 2, 4, 5, 2, 0, nullptr, parameters, nullptr));
  const std::vector<unsigned> got = to.read();
  for (unsigned i = 0; i < got.size(); ++i) EXPECT(got[i] == i);
  EXPECT(total.read()[0] == got.size());
}

void halves() {
  Loaded kernel(R"(
extern "C" __global__ void convert(const float* x, unsigned short* half, float* back, unsigned short* bfloat) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x[threadIdx.x]));
  half[threadIdx.x] = bits;
  asm("cvt.f32.f16 %0, %1;" : "=f"(back[threadIdx.x]) : "h"(bits));
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bfloat[threadIdx.x]) : "f"(x[threadIdx.x]));
})",
                "convert");
  const std::vector<float> x{0,          -0.f, 1, -2.5f, 65504, 65520, 1e-7f, 1.0009765625f, 0.333333343f,
                             1.00390625f};
  OnDevice<float> from(x), back(x.size());
  OnDevice<uint16_t> half(x.size()), bfloat(x.size());
  OK(kernel.launch(1, static_cast<unsigned>(x.size()), 0, from.data(), half.data(), back.data(),
                   bfloat.data()));
  EXPECT(half.read() ==
         (std::vector<uint16_t>{0, 0x8000, 0x3c00, 0xc100, 0x7bff, 0x7c00, 0x0002, 0x3c01, 0x3555, 0x3c04}));
  EXPECT(bfloat.read() ==
         (std::vector<uint16_t>{0, 0x8000, 0x3f80, 0xc020, 0x4780, 0x4780, 0x33d7, 0x3f80, 0x3eab, 0x3f80}));
  EXPECT(back.read()[8] == 0x1.554p-2f && std::isinf(back.read()[5]));
}

void refused() {
  Loaded fill(R"(extern "C" __global__ void fill(float* to, float value) { to[threadIdx.x] = value; })",
              "fill");
  OnDevice<float> to(64);
  OK(fill.launch(1, 64, 0, to.data(), 3.f));
  EXPECT(to.read()[63] == 3);
  EXPECT_STATUS(CUDA_ERROR_INVALID_VALUE, fill.launch(0, 64, 0, to.data(), 3.f));
  EXPECT_STATUS(CUDA_ERROR_INVALID_VALUE, fill.launch(1, 0, 0, to.data(), 3.f));
  EXPECT_STATUS(CUDA_ERROR_INVALID_VALUE, fill.launch(1, 1025, 0, to.data(), 3.f));
  EXPECT_STATUS(CUDA_ERROR_INVALID_VALUE, fill.launch(0x80000000u, 64, 0, to.data(), 3.f));
  std::vector<float> host(64);
  EXPECT_STATUS(CUDA_ERROR_ILLEGAL_ADDRESS, fill.launch(1, 64, 0, host.data(), 3.f));
  CUfunction function = nullptr;
  EXPECT_STATUS(CUDA_ERROR_NOT_FOUND, cuModuleGetFunction(&function, fill.module, "missing"));
  EXPECT_STATUS(CUDA_ERROR_INVALID_IMAGE, cuModuleLoadData(&fill.module, "no cubin"));
  std::vector<char> cubin;
  // Without extern "C", the name is another one.
  OK(compile("__global__ void mangled(float* to) { *to = 1; }", &cubin));
  CUmodule module = nullptr;
  OK(cuModuleLoadData(&module, cubin.data()));
  EXPECT_STATUS(CUDA_ERROR_NOT_FOUND, cuModuleGetFunction(&function, module, "mangled"));
  OK(cuModuleUnload(module));
}

void wrongSources() {
  std::vector<char> cubin;
  EXPECT_STATUS(NVRTC_ERROR_COMPILATION, compile("extern \"C\" __global__ void f() { nothing(); }", &cubin));
  EXPECT(compileLog.find("test.cu") != std::string::npos && compileLog.find("nothing") != std::string::npos);
  // NVRTC has no folder of headers.
  EXPECT_STATUS(NVRTC_ERROR_COMPILATION, compile("#include <cstdint>\n", &cubin));
  EXPECT_STATUS(NVRTC_ERROR_COMPILATION,
                compile("extern \"C\" __global__ void f(uint32_t* x) { *x = 1; }", &cubin));
  EXPECT_STATUS(NVRTC_ERROR_INVALID_OPTION, compile("", &cubin, {"--wrong"}));
  // Another architecture's code does not run here.
  OK(compile("extern \"C\" __global__ void f() {}", &cubin, {"--gpu-architecture=sm_100"}));
  CUmodule module = nullptr;
  EXPECT_STATUS(CUDA_ERROR_NO_BINARY_FOR_GPU, cuModuleLoadData(&module, cubin.data()));
}

// Two modules know nothing of each other's kernels.
void oneName() {
  Loaded first(R"(extern "C" __global__ void same(int* to, int a) { *to = a; })", "same");
  Loaded second(R"(
struct Pair { int a, b; };
extern "C" __global__ void same(int* to, const Pair pair) { *to = pair.b; })",
                "same");
  struct Pair {
    int a, b;
  } pair{1, 2};
  OnDevice<int> to(1);
  OK(first.launch(1, 1, 0, to.data(), 5));
  EXPECT(to.read()[0] == 5);
  OK(second.launch(1, 1, 0, to.data(), pair));
  EXPECT(to.read()[0] == 2);
}

// The error stays: the device of the process is lost.
void deadlock() {
  Loaded kernel(R"(
extern "C" __global__ void deadlock(int* to) {
  if (threadIdx.x == 0) __shfl_sync(0xffffffff, 1, 0);
  else __syncthreads();
  *to = 1;
})",
                "deadlock");
  OnDevice<int> to(1);
  EXPECT_STATUS(CUDA_ERROR_LAUNCH_FAILED, kernel.launch(1, 32, 0, to.data()));
  EXPECT_STATUS(cudaErrorLaunchFailure, cudaStreamSynchronize(nullptr));
}

void unwrittenMemory() {
  Loaded kernel(R"(
extern "C" __global__ void forgets(float* to) {
  __shared__ float sum;
  if (threadIdx.x == 0) to[1] = sum;
  sum = 1;
})",
                "forgets");
  OnDevice<float> to(2);
  OK(kernel.launch(1, 1, 0, to.data()));
  // Neither device memory nor shared memory has zeros by itself.
  EXPECT(std::isnan(to.read()[0]) && std::isnan(to.read()[1]));
}

void overrun() {
  Loaded kernel(R"(extern "C" __global__ void overrun(float* to) { to[threadIdx.x + 1] = 1; })", "overrun");
  void* memory = nullptr;
  OK(cudaMalloc(&memory, 64 * sizeof(float)));
  OK(kernel.launch(1, 64, 0, static_cast<float*>(memory)));
  EXPECT_STATUS(cudaErrorIllegalAddress, cudaStreamSynchronize(nullptr));
  EXPECT_STATUS(cudaErrorIllegalAddress, cudaFree(memory));
}

// Which thread comes last is not known: lazy mode permutes them.
void order() {
  Loaded kernel(
      R"(extern "C" __global__ void last(int* to) { *to = blockIdx.x * blockDim.x + threadIdx.x; })", "last");
  OnDevice<int> to(1);
  OK(kernel.launch(8, 64, 0, to.data()));
  EXPECT(to.read()[0] != 8 * 64 - 1);
}

}  // namespace

int main(int argc, char** argv) {
  OK(cuInit(0));
  return runChecks(argc, argv,
                   {{"shared memory and __syncthreads", sharedMemory},
                    {"dynamic shared memory", dynamicSharedMemory},
                    {"warps", warps},
                    {"positions in three dimensions, atomics", positions},
                    {"conversions of halves", halves},
                    {"launches that are refused", refused},
                    {"kernels of one name in two modules", oneName},
                    {"sources that are refused", wrongSources},
                    {"a deadlock", deadlock},
                    {"memory that nobody wrote", unwrittenMemory},
                    {"writing behind an allocation", overrun},
                    {"lazy: threads in any order", order}});
}

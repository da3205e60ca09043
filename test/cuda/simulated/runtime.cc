// Memory, streams, events, captures and graphs on the simulated device.
#include "checks.h"

namespace {

cudaStream_t newStream() {
  cudaStream_t stream = nullptr;
  OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return stream;
}

cudaEvent_t newEvent() {
  cudaEvent_t event = nullptr;
  OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  return event;
}

struct Pinned {
  int* data = nullptr;
  explicit Pinned(int value) {
    void* memory = nullptr;
    OK(cudaMallocHost(&memory, sizeof(int)));
    data = static_cast<int*>(memory);
    *data = value;
  }
  ~Pinned() { cudaFreeHost(data); }
};

void memory() {
  void* a = nullptr;
  std::vector<char> host(256);
  OK(cudaMalloc(&a, 256));
  auto* bytes = static_cast<char*>(a);
  OK(cudaMemcpyAsync(a, host.data(), 256, cudaMemcpyHostToDevice, nullptr));
  EXPECT_STATUS(cudaErrorInvalidValue, cudaMemcpyAsync(a, host.data(), 257, cudaMemcpyHostToDevice, nullptr));
  EXPECT_STATUS(cudaErrorInvalidValue,
                cudaMemcpyAsync(bytes + 1, host.data(), 256, cudaMemcpyHostToDevice, nullptr));
  EXPECT_STATUS(cudaErrorInvalidValue, cudaMemcpyAsync(host.data(), a, 256, cudaMemcpyHostToDevice, nullptr));
  EXPECT_STATUS(cudaErrorInvalidValue,
                cudaMemcpyAsync(host.data(), host.data(), 1, cudaMemcpyDeviceToDevice, nullptr));
  EXPECT_STATUS(cudaErrorInvalidValue, cudaMemsetAsync(host.data(), 0, 1, nullptr));
  EXPECT_STATUS(cudaErrorInvalidValue, cudaMemsetAsync(bytes + 255, 0, 2, nullptr));
  EXPECT_STATUS(cudaErrorInvalidValue, cudaFree(bytes + 1));
  EXPECT_STATUS(cudaErrorInvalidValue, cudaFree(host.data()));
  OK(cudaFree(a));
  EXPECT_STATUS(cudaErrorInvalidValue, cudaFree(a));
  EXPECT_STATUS(cudaErrorInvalidValue, cudaGetLastError());
  OK(cudaGetLastError());
  size_t free = 0, total = 0;
  OK(cudaMemGetInfo(&free, &total));
  EXPECT_STATUS(cudaErrorMemoryAllocation, cudaMalloc(&a, free + 1));
  OK(cudaMalloc(&a, free));
  OK(cudaMemGetInfo(&free, &total));
  EXPECT(free == 0);
  OK(cudaFree(a));
  EXPECT_STATUS(cudaErrorInvalidDevice, cudaSetDevice(1));
}

void handles() {
  cudaStream_t stream = newStream();
  cudaEvent_t event = newEvent();
  float time = 0;
  OK(cudaEventRecord(event, stream));
  EXPECT_STATUS(cudaErrorInvalidResourceHandle, cudaEventElapsedTime(&time, event, event));
  OK(cudaStreamDestroy(stream));
  EXPECT_STATUS(cudaErrorInvalidResourceHandle, cudaStreamDestroy(stream));
  EXPECT_STATUS(cudaErrorInvalidResourceHandle, cudaEventRecord(event, stream));
  OK(cudaEventDestroy(event));
  EXPECT_STATUS(cudaErrorInvalidResourceHandle, cudaEventSynchronize(event));
}

void capture() {
  cudaStream_t stream = newStream();
  OnDevice<int> a(std::vector<int>{1}), b(std::vector<int>{2}), c(std::vector<int>{3});
  OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  OK(cudaMemcpyAsync(b.data(), a.data(), 4, cudaMemcpyDeviceToDevice, stream));
  OK(cudaMemcpyAsync(c.data(), b.data(), 4, cudaMemcpyDeviceToDevice, stream));
  cudaGraph_t graph = nullptr;
  OK(cudaStreamEndCapture(stream, &graph));
  // Recorded, not done.
  EXPECT(b.read()[0] == 2 && c.read()[0] == 3);
  cudaGraphExec_t executable = nullptr;
  OK(cudaGraphInstantiateWithFlags(&executable, graph, 0));
  OK(cudaGraphDestroy(graph));
  size_t count = 0;
  EXPECT_STATUS(cudaErrorInvalidValue, cudaGraphGetNodes(graph, nullptr, &count));
  for (const int value : {5, 6}) {
    a.write({value});
    OK(cudaGraphLaunch(executable, stream));
    EXPECT(c.read(stream)[0] == value);
  }
  OK(cudaGraphExecDestroy(executable));
  EXPECT_STATUS(cudaErrorInvalidValue, cudaGraphLaunch(executable, stream));
  OK(cudaStreamDestroy(stream));
}

void spoiltCapture() {
  cudaStream_t stream = newStream(), other = newStream();
  cudaEvent_t event = newEvent();
  cudaGraph_t graph = nullptr;
  void* memory = nullptr;
  for (const cudaStreamCaptureMode mode : {cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal}) {
    OK(cudaStreamBeginCapture(stream, mode));
    EXPECT_STATUS(cudaErrorStreamCaptureUnsupported, cudaMalloc(&memory, 4));
    EXPECT_STATUS(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(stream, &graph));
  }
  OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  OK(cudaMalloc(&memory, 4));
  EXPECT_STATUS(cudaErrorStreamCaptureUnsupported, cudaStreamSynchronize(stream));
  EXPECT_STATUS(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(stream, &graph));
  // Another stream's work must come back to the origin.
  OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  OK(cudaEventRecord(event, stream));
  OK(cudaStreamWaitEvent(other, event, 0));
  OK(cudaMemsetAsync(memory, 0, 4, other));
  EXPECT_STATUS(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(stream, &graph));
  OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  OK(cudaEventRecord(event, stream));
  OK(cudaStreamWaitEvent(other, event, 0));
  OK(cudaMemsetAsync(memory, 0, 4, other));
  OK(cudaEventRecord(event, other));
  OK(cudaStreamWaitEvent(stream, event, 0));
  OK(cudaStreamEndCapture(stream, &graph));
  size_t count = 0;
  OK(cudaGraphGetNodes(graph, nullptr, &count));
  EXPECT(count == 1);
  // What a graph writes to must still be there when it runs.
  cudaGraphExec_t executable = nullptr;
  OK(cudaGraphInstantiateWithFlags(&executable, graph, 0));
  OK(cudaFree(memory));
  EXPECT_STATUS(cudaErrorIllegalAddress, cudaGraphLaunch(executable, stream));
}

// Work waits for a synchronisation; whoever reads before it reads old values.
void lazyWork() {
  cudaStream_t stream = newStream();
  OnDevice<int> a(std::vector<int>{1});
  Pinned from(7), to(0);
  OK(cudaMemcpyAsync(a.data(), from.data, 4, cudaMemcpyHostToDevice, stream));
  *from.data = 8;  // too early: the copy may not have been made yet
  OK(cudaMemcpyAsync(to.data, a.data(), 4, cudaMemcpyDeviceToHost, stream));
  EXPECT(*to.data == 0);
  OK(cudaStreamSynchronize(stream));
  EXPECT(*to.data == 8);
  OK(cudaStreamDestroy(stream));
}

// Two streams in every order that events leave open: `wait` says whether there is an event.
int consumed(bool wait) {
  cudaStream_t producer = newStream(), consumer = newStream();
  cudaEvent_t event = newEvent();
  OnDevice<int> a(std::vector<int>{1}), b(std::vector<int>{1});
  Pinned value(2);
  OK(cudaMemcpyAsync(a.data(), value.data, 4, cudaMemcpyHostToDevice, producer));
  OK(cudaEventRecord(event, producer));
  if (wait) OK(cudaStreamWaitEvent(consumer, event, 0));
  OK(cudaMemcpyAsync(b.data(), a.data(), 4, cudaMemcpyDeviceToDevice, consumer));
  OK(cudaStreamSynchronize(consumer));
  const int result = b.read()[0];
  OK(cudaStreamSynchronize(producer));
  OK(cudaEventDestroy(event));
  OK(cudaStreamDestroy(producer));
  OK(cudaStreamDestroy(consumer));
  return result;
}

void lazyStreams() {
  int stale = 0;
  for (int i = 0; i < 40; ++i) {
    EXPECT(consumed(true) == 2);
    stale += consumed(false) == 1;
  }
  EXPECT(stale > 0 && stale < 40);
}

void lazyGraph() {
  cudaStream_t stream = newStream(), other = newStream();
  cudaEvent_t begin = newEvent(), end = newEvent();
  OnDevice<int> a(std::vector<int>{0});
  // Two branches write the same place: nothing says which comes last.
  OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  OK(cudaEventRecord(begin, stream));
  OK(cudaStreamWaitEvent(other, begin, 0));
  OK(cudaMemsetAsync(a.data(), 1, 4, stream));
  OK(cudaMemsetAsync(a.data(), 2, 4, other));
  OK(cudaEventRecord(end, other));
  OK(cudaStreamWaitEvent(stream, end, 0));
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  OK(cudaStreamEndCapture(stream, &graph));
  OK(cudaGraphInstantiateWithFlags(&executable, graph, 0));
  int first = 0;
  for (int i = 0; i < 40; ++i) {
    OK(cudaGraphLaunch(executable, stream));
    first += a.read(stream)[0] == 0x01010101;
  }
  EXPECT(first > 0 && first < 40);
}

void failingAllocation() {
  // CUDASIM_FAIL_ALLOCATION is 3.
  void* memory[4] = {};
  OK(cudaMalloc(&memory[0], 4));
  OK(cudaMalloc(&memory[1], 4));
  EXPECT_STATUS(cudaErrorMemoryAllocation, cudaMalloc(&memory[2], 4));
  EXPECT(memory[2] == nullptr);
  EXPECT_STATUS(cudaErrorMemoryAllocation, cudaGetLastError());
  OK(cudaMalloc(&memory[2], 4));
}

void failingCall() {
  // CUDASIM_FAIL_CALL is 2, CUDASIM_FAIL_SYMBOL cudaStreamCreateWithFlags.
  cudaStream_t first = newStream(), second = nullptr;
  OK(cudaStreamSynchronize(first));
  EXPECT_STATUS(cudaErrorUnknown, cudaStreamCreateWithFlags(&second, 0));
  second = newStream();
  OK(cudaStreamDestroy(first));
  OK(cudaStreamDestroy(second));
}

}  // namespace

int main(int argc, char** argv) {
  return runChecks(argc, argv,
                   {{"memory that is refused", memory},
                    {"handles that are gone", handles},
                    {"capture and replay", capture},
                    {"captures that are spoilt", spoiltCapture},
                    {"lazy: work waits", lazyWork},
                    {"lazy: streams without an event", lazyStreams},
                    {"lazy: branches of a graph", lazyGraph},
                    {"a failing allocation", failingAllocation},
                    {"a failing call", failingCall}});
}

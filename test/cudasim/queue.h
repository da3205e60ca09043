#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "native/cuda/api/runtime.h"
#include "registry.h"

namespace cudasim {

// A piece of work. It returns what went wrong while it ran.
using Body = std::function<cudaError_t()>;

// Work that a stream has taken on.
struct Work {
  Body body;
  std::vector<std::shared_ptr<Work>> after;
  struct Stream* stream = nullptr;
  bool done = false;
  std::chrono::steady_clock::time_point finished{};
};

// Work that was recorded instead of done.
struct GraphNode {
  Body body;
  std::vector<size_t> after;
};
struct Graph {
  std::vector<GraphNode> nodes;
};

struct Capture {
  struct Stream* origin;
  cudaStreamCaptureMode mode;
  std::thread::id thread;
  Graph graph;
  bool invalid = false;
};

struct Stream {
  int device = 0;
  std::deque<std::shared_ptr<Work>> queue;
  std::shared_ptr<Capture> capture;
  std::vector<size_t> tail;                       // nodes that the next captured one comes after
  std::vector<std::shared_ptr<Work>> waitingFor;  // work that the next one comes after
};

struct Event {
  int device = 0;
  bool timed = true;
  std::shared_ptr<Work> work;  // nullptr before it was recorded
  std::shared_ptr<Capture> capture;
  std::vector<size_t> tail;
};

Registry<Stream, cudaStream_t>& streams();
Registry<Event, cudaEvent_t>& events();

// A device's default stream for a null handle; nullptr for an unknown one.
std::shared_ptr<Stream> streamOf(cudaStream_t handle);

// Does the work, keeps it for later (lazy mode), or records it (capture).
cudaError_t enqueue(Stream& stream, Body body);
// Does all that a stream has taken on, and what that comes after.
cudaError_t drain(Stream& stream);
cudaError_t drainDevice(int device);
cudaError_t finish(const std::shared_ptr<Work>& work);

// What a call that must not happen during a capture returns, and spoils the capture; cudaSuccess if there is
// none.
cudaError_t refuseInCapture(const char* call);
std::shared_ptr<Work> marker(Stream& stream);

// Runs a graph's nodes, in lazy mode in any order that their edges allow.
cudaError_t replay(const Graph& graph);

// The current device of this thread, and what stays wrong with it after a kernel failed.
int& currentDevice();
int deviceCount();
cudaError_t& stickyError(int device);

}  // namespace cudasim

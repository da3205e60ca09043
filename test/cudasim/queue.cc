#include "queue.h"

#include <algorithm>
#include <map>

namespace cudasim {
namespace {

std::shared_ptr<Stream> defaultStream(int device) {
  static auto& streams = *std::make_unique<std::map<int, std::shared_ptr<Stream>>>().release();
  auto& stream = streams[device];
  if (!stream) {
    stream = std::make_shared<Stream>();
    stream->device = device;
  }
  return stream;
}

bool lazy() { return State::instance()[Slot::lazy] != 0; }

cudaError_t run(Work& work) {
  cudaError_t& sticky = stickyError(work.stream->device);
  if (work.body && sticky == cudaSuccess) {
    const cudaError_t result = work.body();
    if (result != cudaSuccess) sticky = result;
  }
  work.done = true;
  work.finished = std::chrono::steady_clock::now();
  work.body = nullptr;
  return sticky;
}

// Runs the oldest work of a stream, first what it comes after.
cudaError_t step(Stream& stream) {
  const std::shared_ptr<Work> work = stream.queue.front();
  for (const auto& earlier : work->after)
    if (const cudaError_t error = finish(earlier); error != cudaSuccess) return error;
  stream.queue.pop_front();
  return run(*work);
}

// Lets other streams get ahead now and then: nothing says that they may not.
void wander() {
  if (State::instance().random() % 4 != 0) return;
  std::vector<Stream*> busy;
  streams().each([&](Stream& stream) {
    if (!stream.queue.empty()) busy.push_back(&stream);
  });
  if (!busy.empty()) step(*busy[State::instance().random() % busy.size()]);
}

}  // namespace

Registry<Stream, cudaStream_t>& streams() {
  static auto& registry = *std::make_unique<Registry<Stream, cudaStream_t>>(Slot::streams).release();
  return registry;
}

Registry<Event, cudaEvent_t>& events() {
  static auto& registry = *std::make_unique<Registry<Event, cudaEvent_t>>(Slot::events).release();
  return registry;
}

std::shared_ptr<Stream> streamOf(cudaStream_t handle) {
  return handle ? streams().find(handle) : defaultStream(currentDevice());
}

cudaError_t enqueue(Stream& stream, Body body) {
  if (stream.capture) {
    std::vector<GraphNode>& nodes = stream.capture->graph.nodes;
    nodes.push_back({std::move(body), stream.tail});
    stream.tail = {nodes.size() - 1};
    return cudaSuccess;
  }
  const auto work = std::make_shared<Work>();
  work->body = std::move(body);
  work->after = std::move(stream.waitingFor);
  work->stream = &stream;
  stream.waitingFor.clear();
  stream.queue.push_back(work);
  return lazy() ? stickyError(stream.device) : drain(stream);
}

std::shared_ptr<Work> marker(Stream& stream) {
  const auto work = std::make_shared<Work>();
  work->after = std::move(stream.waitingFor);
  work->stream = &stream;
  stream.waitingFor.clear();
  stream.queue.push_back(work);
  if (!lazy()) drain(stream);
  return work;
}

cudaError_t drain(Stream& stream) {
  while (!stream.queue.empty()) {
    if (lazy()) wander();
    if (stream.queue.empty()) break;
    if (const cudaError_t error = step(stream); error != cudaSuccess) return error;
  }
  return stickyError(stream.device);
}

cudaError_t drainDevice(int device) {
  cudaError_t result = drain(*defaultStream(device));
  std::vector<Stream*> found;
  streams().each([&](Stream& stream) {
    if (stream.device == device) found.push_back(&stream);
  });
  for (Stream* stream : found)
    if (const cudaError_t error = drain(*stream); error != cudaSuccess) result = error;
  return result;
}

cudaError_t finish(const std::shared_ptr<Work>& work) {
  while (!work->done && !work->stream->queue.empty())
    if (const cudaError_t error = step(*work->stream); error != cudaSuccess) return error;
  return cudaSuccess;
}

cudaError_t refuseInCapture(const char* call) {
  cudaError_t result = cudaSuccess;
  streams().each([&](Stream& stream) {
    Capture* const capture = stream.capture.get();
    if (!capture || capture->mode == cudaStreamCaptureModeRelaxed) return;
    if (capture->mode == cudaStreamCaptureModeThreadLocal && capture->thread != std::this_thread::get_id())
      return;
    capture->invalid = true;
    result = cudaErrorStreamCaptureUnsupported;
  });
  if (result != cudaSuccess) complain(call, "not allowed while a stream is being captured");
  return result;
}

cudaError_t replay(const Graph& graph) {
  const size_t count = graph.nodes.size();
  if (!lazy()) {
    for (const GraphNode& node : graph.nodes)
      if (const cudaError_t error = node.body(); error != cudaSuccess) return error;
    return cudaSuccess;
  }
  std::vector<bool> done(count);
  std::vector<size_t> ready;
  for (size_t left = count; left > 0; --left) {
    ready.clear();
    for (size_t i = 0; i < count; ++i)
      if (!done[i] && std::ranges::all_of(graph.nodes[i].after, [&](size_t k) { return done[k]; }))
        ready.push_back(i);
    const size_t next = ready[State::instance().random() % ready.size()];
    if (const cudaError_t error = graph.nodes[next].body(); error != cudaSuccess) return error;
    done[next] = true;
  }
  return cudaSuccess;
}

int& currentDevice() {
  thread_local int device = 0;
  return device;
}

int deviceCount() {
  static const int count = static_cast<int>(setting("CUDASIM_DEVICES", 1));
  return count;
}

cudaError_t& stickyError(int device) {
  static auto& errors = *std::make_unique<std::map<int, cudaError_t>>().release();
  return errors[device];
}

}  // namespace cudasim

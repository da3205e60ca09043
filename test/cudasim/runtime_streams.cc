// The runtime's calls about streams, events, captures and graphs.
#include <algorithm>

#include "api.h"
#include "device.h"
#include "memory.h"
#include "queue.h"

namespace cudasim {
namespace {

cudaError_t refuse(const char* call, cudaError_t error, const std::string& why) {
  complain(call, why);
  return error;
}

Registry<Graph, cudaGraph_t>& graphs() {
  static auto& registry = *std::make_unique<Registry<Graph, cudaGraph_t>>(Slot::graphs).release();
  return registry;
}
Registry<Graph, cudaGraphExec_t>& executables() {
  static auto& registry = *std::make_unique<Registry<Graph, cudaGraphExec_t>>(Slot::graphExecs).release();
  return registry;
}

void leaveCapture(const std::shared_ptr<Capture>& capture) {
  streams().each([&](Stream& stream) {
    if (stream.capture != capture) return;
    stream.capture = nullptr;
    stream.tail.clear();
  });
  events().each([&](Event& event) {
    if (event.capture == capture) event.capture = nullptr;
  });
}

// Whether all that other streams added to the capture comes before the origin's end.
bool joined(const Capture& capture) {
  const std::vector<GraphNode>& nodes = capture.graph.nodes;
  std::vector<bool> reached(nodes.size());
  std::vector<size_t> open = capture.origin->tail;
  while (!open.empty()) {
    const size_t node = open.back();
    open.pop_back();
    if (reached[node]) continue;
    reached[node] = true;
    open.insert(open.end(), nodes[node].after.begin(), nodes[node].after.end());
  }
  return std::ranges::all_of(reached, std::identity{});
}

}  // namespace
}  // namespace cudasim

using namespace cudasim;

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned flags) {
  CUDASIM_ENTER(cudaStreamCreateWithFlags, cudaErrorUnknown);
  if (flags & ~static_cast<unsigned>(cudaStreamNonBlocking))
    return refuse("cudaStreamCreateWithFlags", cudaErrorInvalidValue, "unknown flags");
  const auto stream = std::make_shared<Stream>();
  stream->device = currentDevice();
  *handle = streams().add(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  CUDASIM_LEAVE(cudaStreamDestroy);
  const auto stream = streams().find(handle);
  if (!stream) return refuse("cudaStreamDestroy", cudaErrorInvalidResourceHandle, "unknown stream");
  if (stream->capture) leaveCapture(stream->capture);
  // What is still queued is done as if the stream lived on; after an error nothing is.
  drain(*stream);
  for (const auto& work : stream->queue) work->done = true;
  streams().remove(handle);
  return injected ? cudaErrorUnknown : cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  CUDASIM_ENTER(cudaStreamSynchronize, cudaErrorUnknown);
  const auto stream = streamOf(handle);
  if (!stream) return refuse("cudaStreamSynchronize", cudaErrorInvalidResourceHandle, "unknown stream");
  if (stream->capture) {
    stream->capture->invalid = true;
    return refuse("cudaStreamSynchronize", cudaErrorStreamCaptureUnsupported, "the stream is being captured");
  }
  const cudaError_t error = drain(*stream);
  if (!deviceMemory().intact())
    return refuse("cudaStreamSynchronize", cudaErrorIllegalAddress,
                  "something wrote outside its allocation");
  return error;
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  CUDASIM_ENTER(cudaStreamQuery, cudaErrorUnknown);
  const auto stream = streamOf(handle);
  if (!stream) return refuse("cudaStreamQuery", cudaErrorInvalidResourceHandle, "unknown stream");
  if (stream->capture) {
    stream->capture->invalid = true;
    return refuse("cudaStreamQuery", cudaErrorStreamCaptureUnsupported, "the stream is being captured");
  }
  if (stream->queue.empty()) return stickyError(stream->device);
  // Who asks often enough gets there.
  if (const cudaError_t error = finish(stream->queue.front()); error != cudaSuccess) return error;
  return cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t eventHandle, unsigned flags) {
  CUDASIM_ENTER(cudaStreamWaitEvent, cudaErrorUnknown);
  const auto stream = streamOf(handle);
  const auto event = events().find(eventHandle);
  if (!stream || !event)
    return refuse("cudaStreamWaitEvent", cudaErrorInvalidResourceHandle, "unknown stream or event");
  if (flags != 0) return refuse("cudaStreamWaitEvent", cudaErrorInvalidValue, "unknown flags");
  if (event->capture) {
    if (stream->capture && stream->capture != event->capture) {
      stream->capture->invalid = event->capture->invalid = true;
      return refuse("cudaStreamWaitEvent", cudaErrorInvalidValue, "stream and event are in two captures");
    }
    if (!handle) return refuse("cudaStreamWaitEvent", cudaErrorStreamCaptureUnsupported, "default stream");
    stream->capture = event->capture;
    stream->tail.insert(stream->tail.end(), event->tail.begin(), event->tail.end());
    return cudaSuccess;
  }
  if (stream->capture) {
    stream->capture->invalid = true;
    return refuse("cudaStreamWaitEvent", cudaErrorInvalidValue,
                  "a captured stream cannot wait for an event that was recorded outside the capture");
  }
  if (event->work && !event->work->done) stream->waitingFor.push_back(event->work);
  return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* data) {
  CUDASIM_ENTER(cudaLaunchHostFunc, cudaErrorUnknown);
  const auto stream = streamOf(handle);
  if (!stream) return refuse("cudaLaunchHostFunc", cudaErrorInvalidResourceHandle, "unknown stream");
  const cudaError_t error = enqueue(*stream, [=] {
    function(data);
    return cudaSuccess;
  });
  // Somebody may wait for the function to be called without asking the device anything.
  return error == cudaSuccess && !stream->capture ? drain(*stream) : error;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned flags) {
  CUDASIM_ENTER(cudaEventCreateWithFlags, cudaErrorUnknown);
  if (flags & ~(cudaEventBlockingSync | cudaEventDisableTiming))
    return refuse("cudaEventCreateWithFlags", cudaErrorInvalidValue, "unknown flags");
  const auto event = std::make_shared<Event>();
  event->device = currentDevice();
  event->timed = !(flags & cudaEventDisableTiming);
  *handle = events().add(event);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  CUDASIM_LEAVE(cudaEventDestroy);
  if (!events().remove(handle))
    return refuse("cudaEventDestroy", cudaErrorInvalidResourceHandle, "unknown event");
  return injected ? cudaErrorUnknown : cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t streamHandle) {
  CUDASIM_ENTER(cudaEventRecord, cudaErrorUnknown);
  const auto event = events().find(handle);
  const auto stream = streamOf(streamHandle);
  if (!event || !stream)
    return refuse("cudaEventRecord", cudaErrorInvalidResourceHandle, "unknown event or stream");
  if (event->device != stream->device)
    return refuse("cudaEventRecord", cudaErrorInvalidResourceHandle, "event and stream of two devices");
  event->capture = stream->capture;
  event->tail = stream->tail;
  event->work = stream->capture ? nullptr : marker(*stream);
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  CUDASIM_ENTER(cudaEventQuery, cudaErrorUnknown);
  const auto event = events().find(handle);
  if (!event) return refuse("cudaEventQuery", cudaErrorInvalidResourceHandle, "unknown event");
  if (event->capture)
    return refuse("cudaEventQuery", cudaErrorStreamCaptureUnsupported, "the event is part of a capture");
  if (!event->work || event->work->done) return stickyError(event->device);
  if (const cudaError_t error = finish(event->work->stream->queue.front()); error != cudaSuccess)
    return error;
  return cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  CUDASIM_ENTER(cudaEventSynchronize, cudaErrorUnknown);
  const auto event = events().find(handle);
  if (!event) return refuse("cudaEventSynchronize", cudaErrorInvalidResourceHandle, "unknown event");
  if (event->capture) {
    event->capture->invalid = true;
    return refuse("cudaEventSynchronize", cudaErrorStreamCaptureUnsupported,
                  "the event is part of a capture");
  }
  if (event->work)
    if (const cudaError_t error = finish(event->work); error != cudaSuccess) return error;
  return stickyError(event->device);
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t startHandle, cudaEvent_t endHandle) {
  CUDASIM_ENTER(cudaEventElapsedTime, cudaErrorUnknown);
  const auto start = events().find(startHandle), end = events().find(endHandle);
  if (!start || !end) return refuse("cudaEventElapsedTime", cudaErrorInvalidResourceHandle, "unknown event");
  if (!start->timed || !end->timed || !start->work || !end->work)
    return refuse("cudaEventElapsedTime", cudaErrorInvalidResourceHandle,
                  "an event keeps no time, or was not recorded");
  if (!start->work->done || !end->work->done) return cudaErrorNotReady;
  *milliseconds =
      std::chrono::duration<float, std::milli>(end->work->finished - start->work->finished).count();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  CUDASIM_ENTER(cudaStreamBeginCapture, cudaErrorUnknown);
  const auto stream = streams().find(handle);
  if (!stream)
    return refuse("cudaStreamBeginCapture",
                  handle ? cudaErrorInvalidResourceHandle : cudaErrorStreamCaptureUnsupported,
                  "unknown stream, or the default one");
  if (stream->capture)
    return refuse("cudaStreamBeginCapture", cudaErrorInvalidValue, "the stream is being captured already");
  stream->capture = std::make_shared<Capture>();
  stream->capture->origin = stream.get();
  stream->capture->mode = mode;
  stream->capture->thread = std::this_thread::get_id();
  stream->tail.clear();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  CUDASIM_LEAVE(cudaStreamEndCapture);
  const auto stream = streams().find(handle);
  *graph = nullptr;
  if (!stream || !stream->capture)
    return refuse("cudaStreamEndCapture", cudaErrorInvalidValue, "the stream is not being captured");
  const std::shared_ptr<Capture> capture = stream->capture;
  if (capture->origin != stream.get()) {
    capture->invalid = true;
    return refuse("cudaStreamEndCapture", cudaErrorInvalidValue, "the capture began on another stream");
  }
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id())
    return refuse("cudaStreamEndCapture", cudaErrorInvalidValue, "the capture began on another thread");
  const bool complete = joined(*capture);
  leaveCapture(capture);
  if (injected) return cudaErrorUnknown;
  if (capture->invalid)
    return refuse("cudaStreamEndCapture", cudaErrorStreamCaptureInvalidated, "the capture was spoilt");
  if (!complete)
    return refuse("cudaStreamEndCapture", cudaErrorStreamCaptureInvalidated,
                  "another stream's work was not joined to the origin");
  *graph = graphs().add(std::make_shared<Graph>(std::move(capture->graph)));
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t handle,
                                          unsigned long long flags) {
  CUDASIM_ENTER(cudaGraphInstantiateWithFlags, cudaErrorMemoryAllocation);
  const auto graph = graphs().find(handle);
  if (!graph) return refuse("cudaGraphInstantiateWithFlags", cudaErrorInvalidValue, "unknown graph");
  if (flags != 0) return refuse("cudaGraphInstantiateWithFlags", cudaErrorInvalidValue, "unknown flags");
  *executable = executables().add(std::make_shared<Graph>(*graph));
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t handle, cudaGraphNode_t* nodes, size_t* count) {
  CUDASIM_ENTER(cudaGraphGetNodes, cudaErrorUnknown);
  const auto graph = graphs().find(handle);
  if (!graph) return refuse("cudaGraphGetNodes", cudaErrorInvalidValue, "unknown graph");
  if (nodes) return refuse("cudaGraphGetNodes", cudaErrorInvalidValue, "only the count is simulated");
  *count = graph->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t handle, cudaStream_t streamHandle) {
  CUDASIM_ENTER(cudaGraphLaunch, cudaErrorUnknown);
  const auto executable = executables().find(handle);
  const auto stream = streamOf(streamHandle);
  if (!executable || !stream)
    return refuse("cudaGraphLaunch", cudaErrorInvalidValue, "unknown executable graph or stream");
  ++State::instance()[Slot::graphLaunches];
  return enqueue(*stream, [executable] { return replay(*executable); });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t handle) {
  CUDASIM_LEAVE(cudaGraphExecDestroy);
  if (!executables().remove(handle))
    return refuse("cudaGraphExecDestroy", cudaErrorInvalidValue, "unknown executable graph");
  return injected ? cudaErrorUnknown : cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t handle) {
  CUDASIM_LEAVE(cudaGraphDestroy);
  if (!graphs().remove(handle)) return refuse("cudaGraphDestroy", cudaErrorInvalidValue, "unknown graph");
  return injected ? cudaErrorUnknown : cudaSuccess;
}

}  // extern "C"

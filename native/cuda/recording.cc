#include "recording.h"

#include "status.h"

namespace fovea::cuda {
namespace {

class Graph {
 public:
  explicit Graph(const Libraries& libraries) : libraries_(libraries) {}
  ~Graph() {
    if (graph) libraries_.runtime.cudaGraphDestroy(graph);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  bool empty() const {
    size_t count = 0;
    return !graph || libraries_.runtime.cudaGraphGetNodes(graph, nullptr, &count) != cudaSuccess ||
           count == 0;
  }

  cudaGraph_t graph = nullptr;

 private:
  const Libraries& libraries_;
};

class GraphRecording final : public Recording {
 public:
  GraphRecording(std::shared_ptr<const Context> context, cudaGraphExec_t executable)
      : context_(std::move(context)), executable_(executable) {}
  ~GraphRecording() override {
    const UsingDevice use(*context_->libraries, context_->device);
    context_->libraries->runtime.cudaGraphExecDestroy(executable_);
  }
  GraphRecording(const GraphRecording&) = delete;
  GraphRecording& operator=(const GraphRecording&) = delete;

  void replay() override {
    FOVEA_CUDA_CALL(*context_->libraries, runtime, cudaGraphLaunch, executable_, context_->stream);
  }

 private:
  std::shared_ptr<const Context> context_;
  cudaGraphExec_t executable_;
};

}  // namespace

std::unique_ptr<Recording> record(const std::shared_ptr<const Context>& context,
                                  const std::function<void()>& enqueue) {
  const Libraries& libraries = *context->libraries;
  const RuntimeTable& runtime = libraries.runtime;
  Graph graph(libraries);
  // Other threads may go on allocating meanwhile.
  if (runtime.cudaStreamBeginCapture(context->stream, cudaStreamCaptureModeThreadLocal) != cudaSuccess) {
    runtime.cudaGetLastError();
    return nullptr;
  }
  bool failed = false;
  try {
    enqueue();
  } catch (const Error&) {
    failed = true;  // what it cannot do while it is captured it may do otherwise
  }
  failed |= runtime.cudaStreamEndCapture(context->stream, &graph.graph) != cudaSuccess;
  cudaGraphExec_t executable = nullptr;
  if (failed || graph.empty() ||
      runtime.cudaGraphInstantiateWithFlags(&executable, graph.graph, 0) != cudaSuccess) {
    runtime.cudaGetLastError();
    return nullptr;
  }
  auto recording = std::make_unique<GraphRecording>(context, executable);
  return recording;
}

}  // namespace fovea::cuda

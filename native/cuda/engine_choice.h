#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "cudnn_graph.h"

namespace fovea::cuda {

// One way to compute something: a graph for cuDNN and, behind it, work of our own for what the graph leaves
// out.
struct Formulation {
  std::shared_ptr<const OperationGraph> graph;
  // Enqueued behind the graph while it is timed; may be empty.
  std::function<void(void* y)> remainder = {};
};

// What an engine must keep to, beside what the device's settings ask for.
struct Demands {
  bool f32;         // products as exact as f32, unless the device allows TF32
  bool repeatable;  // the same bits at each run
};

struct Chosen {
  size_t formulation = 0;
  std::unique_ptr<ExecutionPlan> plan;
};

// An engine for one of the formulations, the earlier ones preferred: the one that was found fastest before
// (`key` names what is computed), or that is found so now if the device tunes, or else cuDNN's first
// suggestion that needs no compiler. Its workspace is within the device's limit if any engine's is. `y`
// numbers the result. Throws UNSUPPORTED where there is no engine.
Chosen chooseEngine(const Context& context, const std::string& key,
                    const std::vector<Formulation>& formulations, Demands demands, int64_t y);

}  // namespace fovea::cuda

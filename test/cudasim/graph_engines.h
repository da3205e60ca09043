#pragma once
#include "graph_operations.h"

namespace cudasim {

// One way to run a graph.
struct Engine : Finalized {
  std::shared_ptr<const OperationGraph> graph;
  int64_t index = 0;
  std::vector<cudnnBackendNumericalNote_t> numericalNotes;
  std::vector<cudnnBackendBehaviorNote_t> behaviorNotes;
  int64_t workspaceBytes = 0;
  bool finalizes = true;  // heuristics also name engines that turn out not to support a graph
  bool tf32 = false, nondeterministic = false;
};

struct EngineConfig : Finalized {
  DescriptorPtr engine;
};
struct Heuristics : Finalized {
  std::vector<DescriptorPtr> configs;
};
struct ExecutionPlan : Finalized {
  std::shared_ptr<const Engine> engine;
};

// All engines that the heuristics name for a graph, best first: for float32, those with tensor cores (TF32)
// come before any that keeps to float32.
std::vector<Engine> enginesFor(std::shared_ptr<const OperationGraph> graph);

struct VariantPack : Finalized {
  std::map<int64_t, void*> pointers;
  void* workspace = nullptr;
};

// Checks pointers, and runs the graph as the engine does. Throw a Refusal.
void checkPack(const Engine& engine, const VariantPack& pack);
void execute(const Engine& engine, const VariantPack& pack);

}  // namespace cudasim

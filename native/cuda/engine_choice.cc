#include "engine_choice.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

#include "status.h"

namespace fovea::cuda {
namespace {

constexpr int timings = 3;  // of an engine

// How many engines of a kind (of one formulation, to be compiled or not) are timed.
size_t mostTimed(Tuning tuning) { return tuning == Tuning::full ? 16 : 4; }

template <class E>
bool has(const std::vector<E>& notes, E note) {
  return std::ranges::find(notes, note) != notes.end();
}

bool compiles(const EngineNotes& notes) {
  return has(notes.behavior, CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION);
}

bool allowed(const Context& context, const EngineNotes& notes, const Demands& demands) {
  const auto noted = [&](cudnnBackendNumericalNote_t note) { return has(notes.numerical, note); };
  if ((demands.repeatable || context.settings.deterministic) && noted(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC))
    return false;
  // Sums in f16, and Winograd's larger tiles, which lose digits.
  for (const auto note : {CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION,
                          CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13})
    if (noted(note)) return false;
  if (demands.f32 && !context.settings.allowTf32)
    for (const auto note : {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS,
                            CUDNN_NUMERICAL_NOTE_FFT})
      if (noted(note)) return false;
  return true;
}

// A configuration that may be used; `name` finds it again in a list that cuDNN makes anew.
struct Candidate {
  size_t formulation;
  Descriptor config;
  bool compiles;
  std::string name;
};

std::vector<Candidate> candidatesOf(const Context& context, const std::vector<Formulation>& formulations,
                                    const Demands& demands) {
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < formulations.size(); ++i) {
    size_t position = 0;
    for (Descriptor& config : engineConfigs(*formulations[i].graph)) {
      const EngineNotes notes = notesOf(*context.libraries, config);
      const std::string name =
          std::to_string(i) + "/" + std::to_string(position++) + "/" + std::to_string(notes.index);
      if (allowed(context, notes, demands))
        candidates.push_back({i, std::move(config), compiles(notes), name});
    }
  }
  // Of equal rank otherwise: what is there already comes before what would have to be compiled.
  std::ranges::stable_partition(candidates, [](const Candidate& candidate) { return !candidate.compiles; });
  return candidates;
}

class Event {
 public:
  explicit Event(const Context& context) : context_(context) {
    FOVEA_CUDA_CALL(*context_.libraries, runtime, cudaEventCreateWithFlags, &event_, cudaEventDefault);
  }
  ~Event() { context_.libraries->runtime.cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record() const {
    FOVEA_CUDA_CALL(*context_.libraries, runtime, cudaEventRecord, event_, context_.stream);
  }
  float since(const Event& start) const {
    float milliseconds = 0;
    FOVEA_CUDA_CALL(*context_.libraries, runtime, cudaEventSynchronize, event_);
    FOVEA_CUDA_CALL(*context_.libraries, runtime, cudaEventElapsedTime, &milliseconds, start.event_, event_);
    return milliseconds;
  }

 private:
  const Context& context_;
  cudaEvent_t event_ = nullptr;
};

// Memory for the tensors of a graph and a workspace, to time engines on.
class Bench {
 public:
  Bench(const Context& context, const std::vector<Formulation>& formulations, int64_t y)
      : context_(context), y_(y), start_(context), end_(context) {
    size_t bytes = 0;
    for (const Formulation& formulation : formulations)
      for (const auto& [number, size] : formulation.graph->memory())
        if (std::ranges::find(offsets_, number, &std::pair<int64_t, size_t>::first) == offsets_.end()) {
          offsets_.emplace_back(number, bytes);
          bytes += (size + 255) / 256 * 256;
        }
    tensors_ = context.pool->allocate(bytes);
    FOVEA_CUDA_CALL(*context.libraries, runtime, cudaMemsetAsync, tensors_->data(), 0, bytes, context.stream);
  }

  float time(const Formulation& formulation, ExecutionPlan& plan) {
    const std::shared_ptr<Memory> workspace =
        plan.workspaceBytes() > 0 ? context_.pool->allocate(plan.workspaceBytes()) : nullptr;
    std::vector<std::pair<int64_t, void*>> data;
    for (const auto& [number, size] : formulation.graph->memory())
      data.emplace_back(number, addressOf(number));
    plan.bind(data, workspace ? workspace->data() : nullptr);
    const auto once = [&] {
      plan.enqueue();
      if (formulation.remainder) formulation.remainder(addressOf(y_));
    };
    once();
    float best = std::numeric_limits<float>::max();
    for (int i = 0; i < timings; ++i) {
      start_.record();
      once();
      end_.record();
      best = std::min(best, end_.since(start_));
    }
    return best;
  }

 private:
  void* addressOf(int64_t number) const {
    const auto found = std::ranges::find(offsets_, number, &std::pair<int64_t, size_t>::first);
    return static_cast<std::byte*>(tensors_->data()) + found->second;
  }

  const Context& context_;
  int64_t y_;
  Event start_, end_;
  std::vector<std::pair<int64_t, size_t>> offsets_;
  std::shared_ptr<Memory> tensors_;
};

// What a plan chosen under other settings may not be right for.
std::string fullKey(const Context& context, const std::string& key) {
  return key + (context.settings.allowTf32 ? " tf32" : "") +
         (context.settings.deterministic ? " deterministic" : "") + " cudnn" +
         std::to_string(context.libraries->versions.cudnn) + " " + context.name;
}

std::unique_ptr<ExecutionPlan> planOf(const std::vector<Formulation>& formulations, Candidate& candidate) {
  return ExecutionPlan::build(formulations[candidate.formulation].graph, std::move(candidate.config));
}

}  // namespace

Chosen chooseEngine(const Context& context, const std::string& key,
                    const std::vector<Formulation>& formulations, Demands demands, int64_t y) {
  std::vector<Candidate> candidates = candidatesOf(context, formulations, demands);
  const std::string name = fullKey(context, key);
  if (const auto known = context.choices->find(name)) {
    const auto found = std::ranges::find(candidates, *known, &Candidate::name);
    if (found != candidates.end()) {
      auto plan = planOf(formulations, *found);
      if (plan && plan->workspaceBytes() <= context.settings.workspaceLimit)
        return {found->formulation, std::move(plan)};
      candidates.erase(found);
    }
  }

  std::optional<Bench> bench;
  Chosen best, leanest;
  std::string bestName;
  float bestTime = std::numeric_limits<float>::max();
  std::map<std::pair<size_t, bool>, size_t> timed;
  for (Candidate& candidate : candidates) {
    size_t& ofItsKind = timed[{candidate.formulation, candidate.compiles}];
    if (ofItsKind == mostTimed(context.settings.tuning)) continue;
    auto plan = planOf(formulations, candidate);
    if (!plan) continue;
    if (plan->workspaceBytes() > context.settings.workspaceLimit) {
      if (!leanest.plan || plan->workspaceBytes() < leanest.plan->workspaceBytes())
        leanest = {candidate.formulation, std::move(plan)};
      continue;
    }
    if (context.settings.tuning == Tuning::off) return {candidate.formulation, std::move(plan)};
    try {
      if (!bench) bench.emplace(context, formulations, y);
      const float time = bench->time(formulations[candidate.formulation], *plan);
      if (!best.plan || time < bestTime) {
        best = {candidate.formulation, std::move(plan)};
        bestTime = time;
        bestName = candidate.name;
      }
    } catch (const Error& error) {
      // Without room to time, the first one that fits is taken.
      if (error.code != "OUT_OF_MEMORY") throw;
      if (!best.plan) best = {candidate.formulation, std::move(plan)};
    }
    ++ofItsKind;
  }
  if (best.plan) {
    if (!bestName.empty()) context.choices->choose(name, bestName);
    return best;
  }
  if (leanest.plan) return leanest;
  throw Error(
      "UNSUPPORTED",
      "cuDNN has no engine for it" +
          std::string(demands.f32 && !context.settings.allowTf32 ? " that computes in full float32" : "") +
          (demands.repeatable || context.settings.deterministic ? " and repeats bit for bit" : ""),
      {}, "an engine", "none of cuDNN " + cudnnVersion(context.libraries->versions.cudnn));
}

}  // namespace fovea::cuda

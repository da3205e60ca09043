#include "tuner.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <tuple>

#include "allocation.h"
#include "caches.h"

namespace fovea::cpu {
namespace {

using Clock = std::chrono::steady_clock;

struct Effort {
  int rounds;
  std::chrono::milliseconds budget;  // for one problem; every candidate runs twice whatever that takes
};

Effort effortOf(Tuning tuning) {
  using std::chrono::milliseconds;
  return tuning == Tuning::full ? Effort{25, milliseconds(1000)} : Effort{5, milliseconds(100)};
}

struct Trial {
  std::string name;
  std::unique_ptr<Kernel> kernel;
  double seconds = std::numeric_limits<double>::infinity();

  // Of what it reads: packed weights among it, which stay in memory.
  size_t bytes() const {
    size_t sum = 0;
    for (const LayoutPtr& layout : kernel->inputs) sum += layout ? layout->bytes() : 0;
    return sum;
  }
};

// Time that memory may cost, since weights transformed for Winograd's method are four times as many.
constexpr double worthMemory = 1.05;

// The one with the least to keep among the fastest, which are as good as equal.
Trial& best(std::vector<Trial>& trials) {
  const double most = worthMemory * std::ranges::min_element(trials, {}, &Trial::seconds)->seconds;
  return *std::ranges::min_element(trials, {}, [&](const Trial& trial) {
    const bool slow = trial.seconds > most;
    return std::tuple(slow, trial.bytes(), trial.seconds);
  });
}

// Memory that the kernels of all trials take turns in.
class Bench {
 public:
  Bench(const Context& context, const std::vector<Trial>& trials) : context_(context) {
    for (const Trial& trial : trials) {
      grow(inputs_, trial.kernel->inputs);
      grow(outputs_, trial.kernel->outputs);
      scratch_.bytes = std::max(scratch_.bytes, trial.kernel->scratchBytes);
    }
    for (auto* blocks : {&inputs_, &outputs_})
      for (Block& block : *blocks) allocate(block);
    allocate(scratch_);
  }

  // Generates code and touches memory.
  void warmUp(Trial& trial) {
    Pointers pointers;
    for (const Block& block : inputs_) pointers.inputs.push_back(block.data());
    for (const Block& block : outputs_) pointers.outputs.push_back(block.data());
    pointers.scratch = scratch_.data();
    for (const Kernel::Alias& alias : trial.kernel->aliases)
      if (alias.required) pointers.inputs[alias.input] = pointers.outputs[alias.output];
    trial.kernel->bind(pointers);
    trial.kernel->enqueue();
  }

  // What a kernel reads is not in the processor's caches: in a network, weights never are.
  void time(Trial& trial) {
    for (const Block& block : inputs_) evict(block.data(), block.bytes);
    const auto start = Clock::now();
    trial.kernel->enqueue();
    trial.seconds = std::min(trial.seconds, std::chrono::duration<double>(Clock::now() - start).count());
  }

 private:
  struct Block {
    size_t bytes = 0;
    std::shared_ptr<Memory> memory;
    void* data() const { return memory ? memory->data() : nullptr; }
  };

  static void grow(std::vector<Block>& blocks, const std::vector<LayoutPtr>& layouts) {
    blocks.resize(layouts.size());
    for (size_t i = 0; i < layouts.size(); ++i)
      if (layouts[i]) blocks[i].bytes = std::max(blocks[i].bytes, layouts[i]->bytes());
  }

  void allocate(Block& block) {
    if (block.bytes == 0) return;
    block.memory = allocateAligned(block.bytes, context_.meter);
    // Untouched pages would all be one page of zeros, and fast.
    std::memset(block.memory->data(), 0, block.bytes);
  }

  const Context& context_;
  std::vector<Block> inputs_, outputs_;
  Block scratch_;
};

}  // namespace

std::unique_ptr<Kernel> choose(const Context& context, std::string problem,
                               const std::vector<Candidate>& candidates) {
  // A choice among others says nothing.
  for (const Candidate& candidate : candidates)
    problem += (&candidate == &candidates.front() ? ": " : ", ") + candidate.name;
  const auto make = [](const Candidate& candidate) -> std::unique_ptr<Kernel> {
    try {
      return candidate.make();
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented) throw;
      return nullptr;
    }
  };
  if (const auto known = context.table->find(problem))
    for (const Candidate& candidate : candidates)
      if (candidate.name == *known)
        if (auto kernel = make(candidate)) return kernel;
  if (context.tuning == Tuning::off) return candidates.front().make();

  std::vector<Trial> trials;
  for (const Candidate& candidate : candidates)
    if (auto kernel = make(candidate)) trials.push_back({candidate.name, std::move(kernel)});
  if (trials.empty()) return candidates.front().make();
  if (trials.size() > 1) {
    Bench bench(context, trials);
    for (Trial& trial : trials) bench.warmUp(trial);
    const Effort effort = effortOf(context.tuning);
    const auto end = Clock::now() + effort.budget;
    for (int round = 0; round < effort.rounds && (round < 2 || Clock::now() < end); ++round)
      for (Trial& trial : trials) bench.time(trial);
  }
  Trial& winner = best(trials);
  context.table->choose(problem, winner.name);
  return std::move(winner.kernel);
}

}  // namespace fovea::cpu

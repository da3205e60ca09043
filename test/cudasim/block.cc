#include "block.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "fiber.h"
#include "state.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(begin, bytes) (void)(begin), (void)(bytes)
#define ASAN_UNPOISON_MEMORY_REGION(begin, bytes) (void)(begin), (void)(bytes)
#endif

namespace cudasim {
namespace {

constexpr unsigned warpSize = 32;

// A block whose threads wait for each other: each runs on a fiber until it waits or ends.
class Block {
 public:
  Block(const Module& module, const Kernel& kernel, const Launch& launch, void** arguments)
      : module_(module),
        kernel_(kernel),
        launch_(launch),
        arguments_(arguments),
        threads_(launch.block.x * launch.block.y * launch.block.z) {}

  // The one that runs now: there is never more than one.
  static Block*& current() {
    static Block* block = nullptr;
    return block;
  }

  std::string run(const std::vector<unsigned>& order) {
    states_.assign(threads_, State::ready);
    started_.assign(threads_, nullptr);
    masks_.assign(threads_, 0);
    const unsigned warps = (threads_ + warpSize - 1) / warpSize;
    slots_.assign(2 * warps * warpSize, 0);
    parity_.assign(threads_, 0);
    alive_ = threads_;
    arrived_ = counted_ = 0;
    current() = this;
    while (alive_ > 0 && failure_.empty()) {
      bool progress = false;
      for (const unsigned thread : order) {
        if (states_[thread] != State::ready) continue;
        progress = true;
        resume(thread);
        if (!failure_.empty()) break;
      }
      if (!progress && !release()) failure_ = deadlock();
    }
    current() = nullptr;
    // After a failure, threads that still wait keep their fibers: their stacks are simply used again.
    for (const auto& fiber : started_)
      if (fiber) pool().push_back(fiber);
    return failure_;
  }

  void barrier() {
    ++arrived_;
    suspend(State::atBarrier);
  }

  unsigned count(bool value) {
    counted_ += value;
    barrier();
    const unsigned sum = released_;
    barrier();
    return sum;
  }

  unsigned lane() const { return thread_ % warpSize; }

  const unsigned long long* exchange(unsigned mask, unsigned long long value) {
    const unsigned thread = thread_, first = thread / warpSize * warpSize;
    if (!(mask >> (thread % warpSize) & 1)) {
      fail("a lane calls a warp's function with a mask that leaves it out");
      suspend(State::ended);
    }
    unsigned char& parity = parity_[thread];
    parity ^= 1;
    // A lane is never more than one exchange ahead of another, so two sets of places are enough.
    unsigned long long* const slots = slots_.data() + 2 * first + parity * warpSize;
    slots[thread % warpSize] = value;
    masks_[thread] = mask;
    states_[thread] = State::atWarp;
    if (warpComplete(first, mask))
      releaseWarp(first, mask);
    else
      started_[thread]->wait();
    return slots;
  }

  void trap() {
    fail("a kernel called __trap");
    suspend(State::ended);
  }

 private:
  enum class State : unsigned char { ready, atBarrier, atWarp, ended };

  static std::vector<std::shared_ptr<Fiber>>& pool() {
    static auto& fibers = *std::make_unique<std::vector<std::shared_ptr<Fiber>>>().release();
    return fibers;
  }

  static void body(void* block) {
    const Block& self = *static_cast<Block*>(block);
    self.kernel_.call(self.arguments_);
  }

  void resume(unsigned thread) {
    auto& fiber = started_[thread];
    if (!fiber) {
      if (pool().empty()) pool().push_back(std::make_shared<Fiber>());
      fiber = std::move(pool().back());
      pool().pop_back();
      fiber->start(body, this);
    }
    place(thread);
    if (!fiber->resume()) return;
    states_[thread] = State::ended;
    --alive_;
    pool().push_back(std::move(fiber));
    fiber = nullptr;
  }

  void place(unsigned thread) {
    thread_ = thread;
    const Position& size = launch_.block;
    *module_.thread = {thread % size.x, thread / size.x % size.y, thread / (size.x * size.y)};
  }

  void suspend(State state) {
    const unsigned thread = thread_;
    states_[thread] = state;
    started_[thread]->wait();
  }

  // Lets go on who has waited long enough. False where nobody has.
  bool release() {
    if (arrived_ > 0 && arrived_ == alive_) {
      for (State& state : states_)
        if (state == State::atBarrier) state = State::ready;
      arrived_ = 0;
      released_ = counted_;
      counted_ = 0;
      return true;
    }
    for (unsigned thread = 0; thread < threads_; ++thread) {
      const unsigned first = thread / warpSize * warpSize;
      if (states_[thread] != State::atWarp || !warpComplete(first, masks_[thread])) continue;
      releaseWarp(first, masks_[thread]);
      return true;
    }
    return false;
  }

  // Whether all lanes of the mask that have not ended wait with this mask.
  bool warpComplete(unsigned first, unsigned mask) const {
    for (unsigned lane = 0; lane < warpSize && first + lane < threads_; ++lane) {
      const unsigned thread = first + lane;
      if (!(mask >> lane & 1) || states_[thread] == State::ended) continue;
      if (states_[thread] != State::atWarp || masks_[thread] != mask) return false;
    }
    return true;
  }

  void releaseWarp(unsigned first, unsigned mask) {
    for (unsigned lane = 0; lane < warpSize && first + lane < threads_; ++lane)
      if ((mask >> lane & 1) && states_[first + lane] == State::atWarp) states_[first + lane] = State::ready;
  }

  std::string deadlock() const {
    return "deadlock: of " + std::to_string(alive_) + " threads, " + std::to_string(arrived_) +
           " are at __syncthreads and the others wait for their warp";
  }

  void fail(const char* why) {
    if (failure_.empty()) failure_ = why;
  }

  const Module& module_;
  const Kernel& kernel_;
  const Launch& launch_;
  void** arguments_;
  unsigned threads_, thread_ = 0, alive_ = 0, arrived_ = 0, counted_ = 0, released_ = 0;
  std::vector<State> states_;
  std::vector<std::shared_ptr<Fiber>> started_;
  std::vector<unsigned> masks_;
  std::vector<unsigned long long> slots_;
  std::vector<unsigned char> parity_;
  std::string failure_;
};

constexpr Services services{
    [] { Block::current()->barrier(); },
    [](unsigned mask, unsigned long long value) { return Block::current()->exchange(mask, value); },
    [] { return Block::current()->lane(); },
    [](bool value) { return Block::current()->count(value); },
    [] { Block::current()->trap(); },
};
constexpr const Services* servicesPointer = &services;

void shuffle(std::vector<unsigned>& order) {
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[State::instance().random() % i]);
}

// What lies in shared memory when a block begins is not known.
void scramble(const Module& module, unsigned dynamicBytes) {
  std::memset(module.sharedBegin, 0xff, static_cast<size_t>(module.sharedEnd - module.sharedBegin));
  if (dynamicBytes > 0) std::memset(module.dynamicShared, 0xff, dynamicBytes);
}

}  // namespace

std::string runGrid(const Module& module, const Kernel& kernel, const Launch& launch, void** arguments,
                    bool permuted) {
  const auto& [grid, size, sharedBytes] = launch;
  *module.services = servicesPointer;
  *module.gridSize = grid;
  *module.blockSize = size;
  const unsigned threads = size.x * size.y * size.z;
  std::vector<unsigned> blocks(static_cast<size_t>(grid.x) * grid.y * grid.z), order(threads);
  std::iota(blocks.begin(), blocks.end(), 0u);
  std::iota(order.begin(), order.end(), 0u);
  if (permuted) shuffle(blocks);
  ASAN_UNPOISON_MEMORY_REGION(module.dynamicShared, sharedBytes);
  ASAN_POISON_MEMORY_REGION(module.dynamicShared + sharedBytes, dynamicSharedBytes - sharedBytes);
  std::string failure;
  Block block(module, kernel, launch, arguments);
  for (const unsigned number : blocks) {
    *module.block = {number % grid.x, number / grid.x % grid.y, number / (grid.x * grid.y)};
    if (permuted) shuffle(order);
    scramble(module, sharedBytes);
    if (module.waits)
      failure = block.run(order);
    else
      kernel.callAll(arguments, threads, permuted ? order.data() : nullptr);
    if (!failure.empty()) break;
  }
  ASAN_UNPOISON_MEMORY_REGION(module.dynamicShared, dynamicSharedBytes);
  return failure;
}

}  // namespace cudasim

#include "threads.h"

#include <chrono>
#include <mutex>

#include "turns.h"

namespace fovea::cpu {
namespace {

// A short wait is spent spinning, since waking a thread takes longer than the gap between two kernels; a long
// one asleep.
constexpr std::chrono::microseconds spinTime{50};
constexpr int pausesBetweenClocks = 32;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns once `value` is not `old` any more.
template <class T>
void awaitChange(const std::atomic<T>& value, T old) {
  const auto end = std::chrono::steady_clock::now() + spinTime;
  do {
    for (int i = 0; i < pausesBetweenClocks; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  value.wait(old, std::memory_order_acquire);
}

// What the OpenMP interface has to know of the calling thread.
struct Context {
  ThreadTeam* team = nullptr;
  int threads = 1;           // that a parallel region gets
  int number = 0, size = 1;  // in the region that runs
};
thread_local Context context;

}  // namespace

ThreadTeam::~ThreadTeam() {
  stopping_ = true;
  ++round_;
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

std::shared_ptr<ThreadTeam> ThreadTeam::shared() {
  static std::mutex mutex;
  static std::weak_ptr<ThreadTeam> shared;
  const std::lock_guard lock(mutex);
  auto team = shared.lock();
  if (!team) shared = team = std::make_shared<ThreadTeam>();
  return team;
}

void ThreadTeam::activate(int threads) {
  if (!context.team) takeShortTurns();
  context = {.team = this, .threads = threads};
}

void ThreadTeam::run(void (*body)(void*), void* data, int size) {
  const Context outside = context;
  if (size <= 1 || outside.size > 1) {
    context = {.team = this};
    body(data);
    context = outside;
    return;
  }
  while (static_cast<int>(workers_.size()) < size - 1)
    workers_.emplace_back(&ThreadTeam::work, this, static_cast<int>(workers_.size()) + 1, round_.load());
  body_ = body;
  data_ = data;
  size_ = size;
  busy_ = static_cast<int>(workers_.size());
  ++round_;
  round_.notify_all();
  context.size = size;
  body(data);
  context = outside;
  for (int left = busy_; left > 0; left = busy_) awaitChange(busy_, left);
}

void ThreadTeam::work(int number, uint32_t round) {
  takeShortTurns();
  for (;;) {
    awaitChange(round_, round);
    ++round;
    if (stopping_) return;
    if (number < size_) {
      context = {.team = this, .number = number, .size = size_};
      body_(data_);
    }
    // Every worker reports every round, so that none can miss one and none reads what the next one sets.
    if (--busy_ == 0) busy_.notify_one();
  }
}

void ThreadTeam::barrier() {
  const uint32_t round = gathered_;
  if (++arrived_ == context.size) {
    arrived_ = 0;
    ++gathered_;
    gathered_.notify_all();
  } else {
    awaitChange(gathered_, round);
  }
}

}  // namespace fovea::cpu

// The part of the OpenMP runtime's interface that oneDNN 2.6 and g++ call. A thread without a team is alone.
extern "C" {
#define FOVEA_OPENMP __attribute__((visibility("default")))

FOVEA_OPENMP void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned) {
  using fovea::cpu::context;
  if (!context.team) return body(data);
  context.team->run(body, data, threads == 0 ? context.threads : static_cast<int>(threads));
}

FOVEA_OPENMP void GOMP_barrier() {
  if (fovea::cpu::context.size > 1) fovea::cpu::context.team->barrier();
}

FOVEA_OPENMP int omp_get_max_threads() { return fovea::cpu::context.threads; }
FOVEA_OPENMP int omp_get_num_threads() { return fovea::cpu::context.size; }
FOVEA_OPENMP int omp_get_thread_num() { return fovea::cpu::context.number; }
FOVEA_OPENMP int omp_in_parallel() { return fovea::cpu::context.size > 1; }
}

#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace fovea::cpu {

// The threads that compute. oneDNN and our own `#pragma omp` loops reach them through the six functions of
// the OpenMP runtime that they use, which threads.cc defines: the symbols of this library come before
// libgomp's. libgomp spins for milliseconds at the end of each loop, which costs a factor of 20 where other
// work wants the processors, and its only switch is an environment variable that is read before anyone can
// set it.
class ThreadTeam {
 public:
  ThreadTeam() = default;
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  // Parallel regions of the calling thread run on `threads` threads of this team from now on, it being one of
  // them. Only one thread at a time may use a team.
  void activate(int threads);

  // Runs body(data) on `size` threads, the caller being number 0.
  void run(void (*body)(void*), void* data, int size);

  // Returns when all threads of the region have come here.
  void barrier();

  // The team of all CPU devices of the process, which run one after the other.
  static std::shared_ptr<ThreadTeam> shared();

 private:
  void work(int number, uint32_t round);

  std::vector<std::thread> workers_;  // numbers 1, 2, ...
  void (*body_)(void*) = nullptr;
  void* data_ = nullptr;
  int size_ = 0;
  alignas(64) std::atomic<uint32_t> round_{0};     // of regions
  alignas(64) std::atomic<int> busy_{0};           // workers that have not seen the round through
  alignas(64) std::atomic<uint32_t> gathered_{0};  // rounds of the barrier
  std::atomic<int> arrived_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace fovea::cpu

#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace fovea {

// A thread that does jobs one after the other, in the order in which they came.
class Executor {
 public:
  // Whose a job is. `owner` is an environment's, `device` and `token` are numbers that it gave.
  struct Tags {
    const void* owner;
    uint64_t device = 0, token = 0;
  };
  struct Job {
    Tags tags;
    std::function<void(const std::atomic<bool>& cancelled)> run;  // must not throw, nor must the next
    std::function<void()> discard;  // instead of run, on whichever thread takes it back
  };
  using Matches = std::function<bool(const Tags&)>;

  Executor();
  // Takes back what is queued and lets the current job end. Not from a job.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  void add(Job job);
  // Takes back queued jobs.
  void removeQueued(const Matches& matches);
  // Takes back queued jobs and tells the running one to stop.
  void cancel(const Matches& matches);
  // Returns when no such job is queued or running any more.
  void wait(const Matches& matches);
  // As the destructor; later jobs are taken back at once.
  void stop();

  // The one through which all compute on the host passes: OpenMP keeps a team of threads for every thread
  // that calls it, and two teams at work at once are slower than one after the other.
  static std::shared_ptr<Executor> host();
  // A thread of its own, for a device that computes elsewhere. As the host's, it is stopped before the
  // process ends.
  static std::shared_ptr<Executor> own();

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> queue_;
  std::optional<Tags> running_;
  std::atomic<bool> cancelled_{false};  // the running job
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fovea

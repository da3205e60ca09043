#include "executor.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <vector>

namespace fovea {
namespace {

struct Executors {
  std::mutex mutex;
  std::weak_ptr<Executor> host;
  std::vector<std::weak_ptr<Executor>> own;
};

// Never destroyed: at the end of the process other threads may still come here.
Executors& executors() {
  static Executors& executors = *std::make_unique<Executors>().release();
  return executors;
}

void stopAll() {
  std::vector<std::shared_ptr<Executor>> running;
  {
    const std::lock_guard lock(executors().mutex);
    running.push_back(executors().host.lock());
    for (const auto& executor : executors().own) running.push_back(executor.lock());
  }
  for (const auto& executor : running)
    if (executor) executor->stop();
}

}  // namespace

Executor::Executor() : thread_([this] { loop(); }) {}

Executor::~Executor() { stop(); }

void Executor::add(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      queue_.push_back(std::move(job));
      changed_.notify_all();
      return;
    }
  }
  job.discard();
}

void Executor::removeQueued(const Matches& matches) {
  std::vector<Job> removed;
  {
    const std::lock_guard lock(mutex_);
    std::deque<Job> kept;
    for (Job& job : queue_) {
      if (matches(job.tags))
        removed.push_back(std::move(job));
      else
        kept.push_back(std::move(job));
    }
    queue_.swap(kept);
    changed_.notify_all();
  }
  for (const Job& job : removed) job.discard();
}

void Executor::cancel(const Matches& matches) {
  removeQueued(matches);
  const std::lock_guard lock(mutex_);
  if (running_ && matches(*running_)) cancelled_ = true;
}

void Executor::wait(const Matches& matches) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return !(running_ && matches(*running_)) &&
           std::ranges::none_of(queue_, [&](const Job& job) { return matches(job.tags); });
  });
}

void Executor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  cancel([](const Tags&) { return true; });
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<Executor> Executor::host() {
  const std::lock_guard lock(executors().mutex);
  std::shared_ptr<Executor> executor = executors().host.lock();
  if (!executor) executors().host = executor = std::make_shared<Executor>();
  return executor;
}

std::shared_ptr<Executor> Executor::own() {
  const std::lock_guard lock(executors().mutex);
  auto executor = std::make_shared<Executor>();
  std::erase_if(executors().own, [](const auto& other) { return other.expired(); });
  executors().own.push_back(executor);
  return executor;
}

void Executor::loop() {
  // Where a process ends by exit(), the main thread tears the libraries' own data down, and nothing may be at
  // work in them by then. What was set up last is torn down first, and libraries set things up when they are
  // first used: so the order to stop is put on that list again and again, ever more rarely.
  uint64_t jobs = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::optional<Job> job = std::move(queue_.front());
    queue_.pop_front();
    running_ = job->tags;
    cancelled_ = false;
    lock.unlock();
    job->run(cancelled_);
    // With the job goes what it held, which may be the last of a program: before anybody may think it is
    // over.
    job.reset();
    if (std::has_single_bit(++jobs)) std::atexit(stopAll);
    lock.lock();
    running_.reset();
    changed_.notify_all();
  }
}

}  // namespace fovea

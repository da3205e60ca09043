#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "../executor.h"
#include "errors.h"

namespace fovea {

// Work on a device's thread that settles a promise. Between its making and its settling it holds no
// JavaScript values but the promise, so it may die on any thread.
class Task {
 public:
  using Work = std::function<void(const std::atomic<bool>& cancelled)>;
  using Result = std::function<Napi::Value(Napi::Env)>;

  Task(Napi::Env env, Work work, Result result)
      : work_(std::move(work)), result_(std::move(result)), deferred_(Napi::Promise::Deferred::New(env)) {}

  void run(const std::atomic<bool>& cancelled) noexcept;
  void abort();
  // On the JavaScript thread.
  void settle(Napi::Env env);
  Napi::Promise promise() const { return deferred_.Promise(); }

 private:
  Work work_;
  Result result_;
  std::optional<Failure> failure_;
  Napi::Promise::Deferred deferred_;
};

// Where other threads leave things for an environment's thread, which may be gone already.
class Mailbox {
 public:
  explicit Mailbox(napi_env env) : env_(env), thread_(std::this_thread::get_id()) {}

  void deliver(std::shared_ptr<Task> task);
  // Lets go of a JavaScript object.
  void release(napi_ref reference);

 private:
  friend class Environment;
  void wake();

  const napi_env env_;
  const std::thread::id thread_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Task>> done_;
  std::vector<napi_ref> released_;
  napi_threadsafe_function bell_ = nullptr;  // null once the environment closes
};

// All state of the addon in one environment: a main thread or a worker.
class Environment {
 public:
  static void create(Napi::Env env);
  static Environment& of(Napi::Env env);
  explicit Environment(Napi::Env env);

  // The executor on whose thread a device's work is done; one for all that compute on the host.
  std::shared_ptr<Executor> hostExecutor();
  // One of its own, which ends some time after nobody else holds it any more.
  std::shared_ptr<Executor> ownExecutor();
  uint64_t nextNumber() { return ++number_; }
  // Queues work; `device` and `token` are numbers that it can be taken back by.
  Napi::Promise submit(Executor& executor, uint64_t device, uint64_t token, Task::Work work,
                       Task::Result result);
  void cancelToken(uint64_t token);
  void removeQueued(uint64_t device);
  // Takes back all work, waits for what runs, and accepts no more.
  void shutdown();

  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

  Napi::FunctionReference device, store, program, token;  // classes

 private:
  static void onBell(napi_env env, napi_value, void* context, void*);
  void empty(napi_env env);

  const napi_env env_;
  std::shared_ptr<Mailbox> mailbox_;
  napi_threadsafe_function bell_ = nullptr;
  std::vector<std::shared_ptr<Executor>> executors_;
  uint64_t number_ = 0;
  size_t pending_ = 0;  // promises
  bool closed_ = false;
};

}  // namespace fovea

#include "environment.h"

#include <algorithm>

namespace fovea {

void Task::run(const std::atomic<bool>& cancelled) noexcept {
  try {
    work_(cancelled);
  } catch (...) {
    failure_ = failureOf(std::current_exception());
  }
  work_ = nullptr;
}

void Task::abort() {
  failure_ = Failure{"ABORTED", "the work was taken back before it began", {}, {}, {}, {}, {}};
  work_ = nullptr;
}

void Task::settle(Napi::Env env) {
  const Napi::HandleScope scope(env);
  try {
    const Napi::Value value = guarded(env, [&] {
      if (failure_) throw errorOf(env, *failure_);
      return result_(env);
    });
    deferred_.Resolve(value);
  } catch (const Napi::Error& error) {
    try {
      deferred_.Reject(error.Value());
    } catch (const Napi::Error&) {
      // The environment is being torn down and nobody waits any more.
    }
  }
  result_ = nullptr;  // here, since it may hold what must not end on the executor's thread
}

void Mailbox::deliver(std::shared_ptr<Task> task) {
  const std::lock_guard lock(mutex_);
  if (!bell_) return;
  done_.push_back(std::move(task));
  wake();
}

void Mailbox::release(napi_ref reference) {
  if (std::this_thread::get_id() == thread_) {
    napi_delete_reference(env_, reference);
    return;
  }
  const std::lock_guard lock(mutex_);
  if (!bell_) return;  // the environment's end frees it
  released_.push_back(reference);
  wake();
}

void Mailbox::wake() {
  if (done_.size() + released_.size() == 1)
    napi_call_threadsafe_function(bell_, nullptr, napi_tsfn_nonblocking);
}

Environment::Environment(Napi::Env env) : env_(env), mailbox_(std::make_shared<Mailbox>(env)) {
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, Napi::String::New(env, "fovea"), 0, 1, nullptr, nullptr, this, onBell, &bell_);
  if (status != napi_ok) throw Napi::Error::New(env);
  napi_unref_threadsafe_function(env, bell_);
  mailbox_->bell_ = bell_;
}

void Environment::create(Napi::Env env) {
  auto environment = std::make_unique<Environment>(env);
  // After the thread-safe function, whose own hook closes it: hooks run last in, first out.
  napi_add_env_cleanup_hook(
      env, [](void* self) { static_cast<Environment*>(self)->shutdown(); }, environment.get());
  env.SetInstanceData(environment.release());
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

std::shared_ptr<Executor> Environment::hostExecutor() {
  if (closed_) throw Error("DISPOSED", "the environment is shutting down");
  std::shared_ptr<Executor> executor = Executor::host();
  if (std::ranges::count(executors_, executor) == 0) executors_.push_back(executor);
  return executor;
}

std::shared_ptr<Executor> Environment::ownExecutor() {
  if (closed_) throw Error("DISPOSED", "the environment is shutting down");
  std::erase_if(executors_, [](const auto& executor) { return executor.use_count() == 1; });
  return executors_.emplace_back(Executor::own());
}

Napi::Promise Environment::submit(Executor& executor, uint64_t device, uint64_t token, Task::Work work,
                                  Task::Result result) {
  if (closed_) throw Error("DISPOSED", "the environment is shutting down");
  auto task = std::make_shared<Task>(env_, std::move(work), std::move(result));
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, bell_);
  const Napi::Promise promise = task->promise();
  const auto deliver = [mailbox = mailbox_](const std::shared_ptr<Task>& done) { mailbox->deliver(done); };
  executor.add({.tags = {mailbox_.get(), device, token},
                .run =
                    [task, deliver](const std::atomic<bool>& cancelled) {
                      task->run(cancelled);
                      deliver(task);
                    },
                .discard =
                    [task, deliver] {
                      task->abort();
                      deliver(task);
                    }});
  return promise;
}

void Environment::cancelToken(uint64_t token) {
  for (const auto& executor : executors_)
    executor->cancel(
        [&](const Executor::Tags& tags) { return tags.owner == mailbox_.get() && tags.token == token; });
}

void Environment::removeQueued(uint64_t device) {
  for (const auto& executor : executors_)
    executor->removeQueued(
        [&](const Executor::Tags& tags) { return tags.owner == mailbox_.get() && tags.device == device; });
}

void Environment::shutdown() {
  if (closed_) return;
  closed_ = true;
  const auto mine = [&](const Executor::Tags& tags) { return tags.owner == mailbox_.get(); };
  for (const auto& executor : executors_) executor->cancel(mine);
  for (const auto& executor : executors_) executor->wait(mine);
  std::vector<napi_ref> released;
  std::vector<std::shared_ptr<Task>> done;
  {
    const std::lock_guard lock(mailbox_->mutex_);
    mailbox_->bell_ = nullptr;
    released.swap(mailbox_->released_);
    done.swap(mailbox_->done_);
  }
  for (const napi_ref reference : released) napi_delete_reference(env_, reference);
  if (pending_ > 0) napi_unref_threadsafe_function(env_, bell_);
  executors_.clear();
}

void Environment::onBell(napi_env env, napi_value, void* context, void*) {
  if (env) static_cast<Environment*>(context)->empty(env);
}

void Environment::empty(napi_env env) {
  std::vector<std::shared_ptr<Task>> done;
  std::vector<napi_ref> released;
  {
    const std::lock_guard lock(mailbox_->mutex_);
    done.swap(mailbox_->done_);
    released.swap(mailbox_->released_);
  }
  for (const napi_ref reference : released) napi_delete_reference(env, reference);
  for (const auto& task : done) {
    if (--pending_ == 0 && !closed_) napi_unref_threadsafe_function(env, bell_);
    task->settle(env);
  }
}

}  // namespace fovea

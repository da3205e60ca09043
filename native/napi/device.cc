#include "device.h"

#include "../program.h"
#include "plan_reader.h"
#include "program.h"
#include "store.h"

namespace fovea {
namespace {

int readThreads(const Napi::Value& threads) {
  if (threads.IsUndefined()) return 0;
  const double number = threads.IsNumber() ? threads.As<Napi::Number>().DoubleValue() : 0;
  if (!(number >= 1 && number <= 4096) || number != static_cast<int>(number)) {
    const std::string got = threads.IsNumber() ? threads.ToString().Utf8Value() : "no number";
    throw Error("INVALID_ARGUMENT", "threads: expected a number of threads, got " + got, "threads",
                "1 to 4096", got);
  }
  return static_cast<int>(number);
}

Tuning readTuning(const Napi::Value& tuning) {
  if (tuning.IsUndefined()) return Tuning::off;
  const std::string name = readName(tuning, "tuning");
  if (name == "off") return Tuning::off;
  if (name == "fast") return Tuning::fast;
  if (name == "full") return Tuning::full;
  throw Error("INVALID_ARGUMENT", "tuning: expected off, fast or full, got " + name, "tuning",
              "off, fast, full", name);
}

size_t readBytes(const Napi::Value& value, const char* name, size_t otherwise) {
  if (value.IsUndefined()) return otherwise;
  const double bytes = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(bytes >= 0 && bytes <= 9007199254740991.0))
    throw Error("INVALID_ARGUMENT", std::string(name) + ": expected a number of bytes", name,
                "a number of bytes");
  return static_cast<size_t>(bytes);
}

DeviceOptions readOptions(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  if (!value.IsObject())
    throw Error("INVALID_ARGUMENT", "options: expected an object", "options", "an object");
  const auto options = value.As<Napi::Object>();
  DeviceOptions read;
  read.threads = readThreads(options.Get("threads"));
  read.cudaFolders = readCudaFolders(options.Get("cudaFolders"));
  read.allowTf32 = options.Get("allowTf32").ToBoolean();
  read.deterministic = options.Get("deterministic").ToBoolean();
  read.tuning = readTuning(options.Get("tuning"));
  read.workspaceLimit = readBytes(options.Get("workspaceLimit"), "workspaceLimit", read.workspaceLimit);
  return read;
}

}  // namespace

std::vector<cuda::SearchFolder> readCudaFolders(const Napi::Value& value) {
  std::vector<cuda::SearchFolder> folders;
  if (value.IsUndefined()) return folders;
  if (!value.IsArray())
    throw Error("INVALID_ARGUMENT", "cudaFolders: expected a list of folders", "cudaFolders", "a list");
  const auto list = value.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    if (!list.Get(i).IsObject())
      throw Error("INVALID_ARGUMENT", "cudaFolders: expected objects", "cudaFolders", "objects");
    const auto folder = list.Get(i).As<Napi::Object>();
    folders.push_back({readName(folder.Get("path"), "cudaFolders.path"),
                       readName(folder.Get("origin"), "cudaFolders.origin"),
                       folder.Get("driver").ToBoolean().Value()});
  }
  return folders;
}

Napi::Promise DeviceContext::submit(Napi::Env env, const Napi::Value& token, Task::Work work,
                                    Task::Result result) const {
  if (closed) throw Error("DISPOSED", "the device is closed", "device");
  uint64_t tokenNumber = 0;
  if (!token.IsUndefined() && !token.IsNull()) {
    const TokenWrap& wrap = TokenWrap::from(token, "token");
    if (wrap.cancelled()) throw Error("ABORTED", "the work was taken back before it began");
    tokenNumber = wrap.number();
  }
  auto activated = [backend = backend, work = std::move(work)](const std::atomic<bool>& cancelled) {
    backend->activate();
    work(cancelled);
  };
  return Environment::of(env).submit(*executor, number, tokenNumber, std::move(activated), std::move(result));
}

Napi::Function DeviceWrap::define(Napi::Env env) {
  return DefineClass(
      env, name,
      {InstanceAccessor<&DeviceWrap::description>("description"),
       InstanceMethod<&DeviceWrap::memory>("memory"), InstanceMethod<&DeviceWrap::tuned>("tuned"),
       InstanceMethod<&DeviceWrap::useTuned>("useTuned"),
       InstanceMethod<&DeviceWrap::createStore>("createStore"),
       InstanceMethod<&DeviceWrap::compile>("compile"), InstanceMethod<&DeviceWrap::close>("close")});
}

Napi::Value DeviceWrap::openCuda(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return promised(env, [&]() -> Napi::Value {
    Environment& environment = Environment::of(env);
    auto context = std::make_shared<DeviceContext>();
    context->meter = std::make_shared<MemoryMeter>();
    context->executor = environment.ownExecutor();
    context->number = environment.nextNumber();
    return environment.submit(
        *context->executor, context->number, 0,
        [&opened = context->backend, meter = context->meter, name = readName(info[0], "name"),
         options = readOptions(info[1])](const std::atomic<bool>&) {
          opened = openBackend(name, options, meter);
        },
        // Keeps the context, which the work only borrows: it must not end on its own thread.
        [context](Napi::Env env) -> Napi::Value { return construct(Environment::of(env).device, context); });
  });
}

Napi::Value DeviceWrap::open(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Environment& environment = Environment::of(info.Env());
    const std::string device = readName(info[0], "name");
    auto context = std::make_shared<DeviceContext>();
    context->meter = std::make_shared<MemoryMeter>();
    context->backend = openBackend(device, readOptions(info[1]), context->meter);
    context->executor = environment.hostExecutor();
    context->number = environment.nextNumber();
    return construct(environment.device, std::move(context));
  });
}

DeviceWrap::DeviceWrap(const Napi::CallbackInfo& info)
    : Wrap(info), context_(initOf<std::shared_ptr<DeviceContext>>(info)) {}

Napi::Value DeviceWrap::description(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::String::New(info.Env(), context_->backend->description()); });
}

Napi::Value DeviceWrap::memory(const Napi::CallbackInfo& info) {
  const auto result = Napi::Object::New(info.Env());
  result.Set("live", static_cast<double>(context_->meter->live()));
  result.Set("peak", static_cast<double>(context_->meter->peak()));
  return result;
}

Napi::Value DeviceWrap::tuned(const Napi::CallbackInfo& info) {
  const auto result = Napi::Object::New(info.Env());
  if (const TuningTable* table = context_->backend->tuning())
    for (const auto& [problem, kernel] : table->used()) result.Set(problem, kernel);
  return result;
}

void DeviceWrap::useTuned(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    TuningTable* table = context_->backend->tuning();
    if (!info[0].IsObject())
      throw Error("INVALID_ARGUMENT", "choices: expected an object of names of kernels", "choices",
                  "an object");
    const Napi::Object choices = info[0].As<Napi::Object>();
    const Napi::Array problems = choices.GetPropertyNames();
    for (uint32_t i = 0; i < problems.Length(); ++i) {
      const std::string problem = readName(problems[i], "problem");
      const std::string kernel = readName(choices.Get(problem), "choices");
      if (table) table->learn(problem, kernel);
    }
  });
}

Napi::Value DeviceWrap::createStore(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    checkOpen();
    return construct(Environment::of(info.Env()).store, StoreWrap::Init{context_});
  });
}

Napi::Value DeviceWrap::compile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return promised(env, [&]() -> Napi::Value {
    checkOpen();
    const StoreWrap& storeWrap = StoreWrap::from(info[1], "store");
    const std::shared_ptr<Store>& store = storeWrap.store();
    if (&store->backend() != context_->backend.get())
      throw Error("INVALID_ARGUMENT", "store: it belongs to another device", "store",
                  "a store of this device", "a store of another");
    struct Build {
      Plan plan;
      std::shared_ptr<Store> store;
      std::shared_ptr<Program> program;
    };
    const auto build = std::make_shared<Build>(Build{readPlan(info[0]), store, nullptr});
    return context_->submit(
        env, info[2],
        [build](const std::atomic<bool>& cancelled) {
          build->program = std::make_shared<Program>(build->plan, build->store, cancelled);
        },
        [build, context = context_](Napi::Env env) -> Napi::Value {
          return construct(Environment::of(env).program,
                           ProgramWrap::Init{context, build->program, build->plan});
        });
  });
}

void DeviceWrap::close(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    context_->closed = true;
    Environment::of(info.Env()).removeQueued(context_->number);
  });
}

void DeviceWrap::checkOpen() const {
  if (context_->closed) throw Error("DISPOSED", "the device is closed", "device");
}

Napi::Function TokenWrap::define(Napi::Env env) {
  return DefineClass(env, name, {InstanceMethod<&TokenWrap::cancel>("cancel")});
}

TokenWrap::TokenWrap(const Napi::CallbackInfo& info)
    : Wrap(info), number_(Environment::of(info.Env()).nextNumber()) {}

void TokenWrap::cancel(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    cancelled_ = true;
    Environment::of(info.Env()).cancelToken(number_);
  });
}

}  // namespace fovea

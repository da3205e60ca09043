#include "program.h"

#include <algorithm>

#include "../checks.h"

namespace fovea {
namespace {

constexpr size_t pooled = 2;  // one run at work, the next being prepared

std::vector<std::string> readNames(const Napi::Value& value, const char* where) {
  if (!value.IsArray())
    throw Error("INVALID_ARGUMENT", std::string(where) + ": expected a list of names", where);
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> names;
  for (uint32_t i = 0; i < array.Length(); ++i) names.push_back(readName(array.Get(i), where));
  return names;
}

Napi::Array namesOf(Napi::Env env, const std::vector<std::string>& names) {
  const auto array = Napi::Array::New(env, names.size());
  for (uint32_t i = 0; i < names.size(); ++i) array.Set(i, names[i]);
  return array;
}

Program::Caches readCaches(const Napi::Value& value) {
  const std::string name = readName(value, "caches");
  if (name == "as they are") return Program::Caches::asTheyAre;
  if (name == "warm") return Program::Caches::warm;
  if (name == "cold") return Program::Caches::cold;
  throw Error("INVALID_ARGUMENT", "caches: expected as they are, warm or cold, got " + name, "caches",
              "as they are, warm, cold", name);
}

}  // namespace

// One call's worth of work, from its reading to its settling.
struct ProgramWrap::Run {
  std::shared_ptr<Program> program;
  std::vector<std::string> phases;
  std::vector<Program::Input> inputs;
  std::vector<Program::Output> outputs;
  std::unique_ptr<Copies> copies;
};

Napi::Function ProgramWrap::define(Napi::Env env) {
  return DefineClass(
      env, name,
      {InstanceMethod<&ProgramWrap::run>("run"), InstanceMethod<&ProgramWrap::profile>("profile"),
       InstanceMethod<&ProgramWrap::describe>("describe"), InstanceMethod<&ProgramWrap::arena>("arena"),
       InstanceAccessor<&ProgramWrap::arenaBytes>("arenaBytes"),
       InstanceMethod<&ProgramWrap::dispose>("dispose")});
}

ProgramWrap::ProgramWrap(const Napi::CallbackInfo& info) : Wrap(info) {
  const Init& init = initOf<Init>(info);
  device_ = init.device;
  program_ = init.program;
  inputs_ = portsOf(init.plan, init.plan.inputs);
  outputs_ = portsOf(init.plan, init.plan.outputs);
  external_ = static_cast<int64_t>(program_->arenaBytes());
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), external_);
}

void ProgramWrap::Finalize(Napi::BasicEnv env) {
  if (external_ > 0) Napi::MemoryManagement::AdjustExternalMemory(env, -external_);
}

std::vector<ProgramWrap::Port> ProgramWrap::portsOf(const Plan& plan,
                                                    const std::vector<Plan::Binding>& bindings) {
  std::vector<Port> ports;
  for (const Plan::Binding& binding : bindings) {
    const TensorSpec& spec = plan.buffers[binding.buffer];
    ports.push_back({binding.name, elementCount(spec.shape) * sizeOf(spec.dtype)});
  }
  return ports;
}

const std::shared_ptr<Program>& ProgramWrap::program() const {
  if (!program_) throw Error("DISPOSED", "the program is disposed", "program");
  return program_;
}

std::unique_ptr<ProgramWrap::Copies> ProgramWrap::takeCopies() {
  if (pool_->empty()) {
    auto copies = std::make_unique<Copies>();
    copies->inputs.resize(inputs_.size());
    copies->outputs.resize(outputs_.size());
    return copies;
  }
  auto copies = std::move(pool_->back());
  pool_->pop_back();
  return copies;
}

void ProgramWrap::readInputs(const Napi::Value& value, Run& run) const {
  if (!value.IsObject()) throw Error("INVALID_ARGUMENT", "inputs: expected an object", "inputs", "an object");
  const auto source = value.As<Napi::Object>();
  for (const std::string& input : readNames(source.GetPropertyNames(), "inputs")) {
    const size_t index = indexOf(inputs_, input, "input");
    const HostView view = viewOf(source.Get(input), input);
    const size_t bytes = inputs_[index].bytes;
    checkBytes(input, bytes, view.bytes);
    std::unique_ptr<Staging>& copy = run.copies->inputs[index];
    if (!copy) copy = device_->backend->stage(bytes);
    std::memcpy(copy->data(), view.data, bytes);
    copy->send();
    run.inputs.push_back({input, copy.get(), bytes});
  }
}

void ProgramWrap::readOutputs(const Napi::Value& value, Run& run) const {
  for (const std::string& output : readNames(value, "outputs")) {
    const size_t index = indexOf(outputs_, output, "output");
    HostBuffer& copy = run.copies->outputs[index];
    if (!copy) copy = allocateHost(outputs_[index].bytes);
    run.outputs.push_back({output, copy.get(), outputs_[index].bytes});
  }
}

Napi::Value ProgramWrap::results(Napi::Env env, Run& run) {
  const auto result = Napi::Object::New(env);
  for (const Program::Output& output : run.outputs)
    result.Set(output.name, copyOf(env, output.data, output.bytes));
  return result;
}

Napi::Value ProgramWrap::run(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto run = std::make_shared<Run>();
    run->program = program();
    run->phases = readNames(info[0], "phases");
    run->copies = takeCopies();
    readInputs(info[1], *run);
    readOutputs(info[2], *run);
    return device_->submit(
        info.Env(), info[3],
        [run](const std::atomic<bool>& cancelled) {
          run->program->run(run->phases, run->inputs, run->outputs, cancelled);
        },
        [run, pool = pool_](Napi::Env env) {
          const Napi::Value result = results(env, *run);
          if (pool->size() < pooled) pool->push_back(std::move(run->copies));
          return result;
        });
  });
}

Napi::Value ProgramWrap::profile(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto run = std::make_shared<Run>();
    const auto times = std::make_shared<Program::Times>();
    run->program = program();
    run->phases = readNames(info[0], "phases");
    run->copies = takeCopies();
    readInputs(info[1], *run);
    return device_->submit(
        info.Env(), info[3],
        [run, times, caches = readCaches(info[2])](const std::atomic<bool>& cancelled) {
          *times = run->program->profile(run->phases, run->inputs, caches, cancelled);
        },
        [run, times, pool = pool_](Napi::Env env) -> Napi::Value {
          if (pool->size() < pooled) pool->push_back(std::move(run->copies));
          auto steps = Napi::Float64Array::New(env, times->steps.size());
          std::ranges::copy(times->steps, steps.Data());
          const auto result = Napi::Object::New(env);
          result.Set("steps", steps);
          result.Set("total", times->total);
          return result;
        });
  });
}

Napi::Value ProgramWrap::describe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const std::vector<ScheduleEntry> entries = program()->describe();
    const auto result = Napi::Array::New(env, entries.size());
    for (uint32_t i = 0; i < entries.size(); ++i) {
      const ScheduleEntry& entry = entries[i];
      const auto line = Napi::Object::New(env);
      line.Set("phase", entry.phase);
      line.Set("op", entry.op);
      line.Set("path", entry.path);
      line.Set("implementation", entry.implementation);
      line.Set("inputs", namesOf(env, entry.inputs));
      line.Set("outputs", namesOf(env, entry.outputs));
      line.Set("bytes", static_cast<double>(entry.bytes));
      line.Set("scratchBytes", static_cast<double>(entry.scratchBytes));
      line.Set("inPlace", entry.inPlace);
      line.Set("instruction", entry.instruction);
      result.Set(i, line);
    }
    return result;
  });
}

Napi::Value ProgramWrap::arena(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const std::vector<Placement>& placements = program()->arena();
    const auto result = Napi::Array::New(env, placements.size());
    for (uint32_t i = 0; i < placements.size(); ++i) {
      const auto block = Napi::Object::New(env);
      block.Set("offset", static_cast<double>(placements[i].offset));
      block.Set("bytes", static_cast<double>(placements[i].bytes));
      block.Set("first", placements[i].first);
      block.Set("last", placements[i].last);
      result.Set(i, block);
    }
    return result;
  });
}

Napi::Value ProgramWrap::arenaBytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&] { return Napi::Number::New(info.Env(), static_cast<double>(program()->arenaBytes())); });
}

void ProgramWrap::dispose(const Napi::CallbackInfo& info) {
  if (!program_) return;
  program_.reset();
  pool_ = std::make_shared<Pool>();
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -external_);
  external_ = 0;
}

}  // namespace fovea

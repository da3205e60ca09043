#pragma once
#include "../program.h"
#include "device.h"

namespace fovea {

class ProgramWrap final : public Wrap<ProgramWrap> {
 public:
  static constexpr napi_type_tag tag{0x8d0d3a4c5f0b4f61, 0x9a1f0c6e2b7d4304};
  static constexpr const char* name = "Program";
  struct Init {
    std::shared_ptr<DeviceContext> device;
    std::shared_ptr<Program> program;
    const Plan& plan;
  };
  static Napi::Function define(Napi::Env env);

  explicit ProgramWrap(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  // Copies of inputs and outputs, by their place in the plan; made when they are first needed.
  struct Copies {
    std::vector<std::unique_ptr<Staging>> inputs;
    std::vector<HostBuffer> outputs;
  };
  using Pool = std::vector<std::unique_ptr<Copies>>;
  struct Port {
    std::string name;
    size_t bytes;
  };
  struct Run;

  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value profile(const Napi::CallbackInfo& info);
  Napi::Value describe(const Napi::CallbackInfo& info);
  Napi::Value arena(const Napi::CallbackInfo& info);
  Napi::Value arenaBytes(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  const std::shared_ptr<Program>& program() const;
  static std::vector<Port> portsOf(const Plan& plan, const std::vector<Plan::Binding>& bindings);
  std::unique_ptr<Copies> takeCopies();
  void readInputs(const Napi::Value& value, Run& run) const;
  void readOutputs(const Napi::Value& value, Run& run) const;
  static Napi::Value results(Napi::Env env, Run& run);

  std::shared_ptr<DeviceContext> device_;
  std::shared_ptr<Program> program_;
  std::vector<Port> inputs_, outputs_;
  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>();
  int64_t external_ = 0;  // bytes that V8 was told of
};

}  // namespace fovea

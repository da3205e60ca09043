#include "plan_reader.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "../error.h"
#include "../plan_check.h"

namespace fovea {
namespace {

std::string spell(const Napi::Value& value) {
  if (value.IsString()) return "'" + value.As<Napi::String>().Utf8Value() + "'";
  if (value.IsNumber() || value.IsBoolean()) return value.ToString().Utf8Value();
  if (value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsArray()) return "a list of " + std::to_string(value.As<Napi::Array>().Length());
  if (value.IsFunction()) return "a function";
  return value.IsObject() ? "an object" : "something else";
}

[[noreturn]] void fail(const std::string& where, const std::string& expected, const std::string& got) {
  throw Error("INVALID_ARGUMENT", where + ": expected " + expected + ", got " + got, where, expected, got);
}

int64_t integer(const Napi::Value& value, const std::string& where) {
  constexpr double limit = 9007199254740991;
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(std::abs(number) <= limit) || number != std::floor(number)) fail(where, "an integer", spell(value));
  return static_cast<int64_t>(number);
}

int index(const Napi::Value& value, const std::string& where) {
  const int64_t number = integer(value, where);
  if (number < absent || number > INT32_MAX) fail(where, "a number in range", spell(value));
  return static_cast<int>(number);
}

double real(const Napi::Value& value, const std::string& where) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!std::isfinite(number)) fail(where, "a finite number", spell(value));
  return number;
}

bool flag(const Napi::Value& value, const std::string& where) {
  if (!value.IsBoolean()) fail(where, "true or false", spell(value));
  return value.As<Napi::Boolean>();
}

std::string text(const Napi::Value& value, const std::string& where) {
  if (!value.IsString()) fail(where, "a string", spell(value));
  return value.As<Napi::String>();
}

Napi::Object object(const Napi::Value& value, const std::string& where) {
  if (!value.IsObject() || value.IsArray()) fail(where, "an object", spell(value));
  return value.As<Napi::Object>();
}

template <class Read>
auto list(const Napi::Value& value, const std::string& where, const Read& read) {
  if (!value.IsArray()) fail(where, "a list", spell(value));
  const auto array = value.As<Napi::Array>();
  std::vector<decltype(read(value, where))> result;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    // Plans of deep networks have many thousand numbers.
    const Napi::HandleScope scope(value.Env());
    result.push_back(read(array.Get(i), where + "[" + std::to_string(i) + "]"));
  }
  return result;
}

template <class Read>
auto listOf(const Napi::Object& parent, const char* name, const std::string& where, const Read& read) {
  return list(parent.Get(name), where + "." + name, read);
}

// Sets an attribute from the property of its name.
class AttributeReader {
 public:
  AttributeReader(Napi::Object attributes, std::string where)
      : attributes_(attributes), where_(std::move(where)) {}

  template <class Field>
  void operator()(const char* name, Field& field) {
    const std::string where = where_ + "." + name;
    const Napi::Value value = attributes_.Get(name);
    if (value.IsUndefined()) fail(where, "a value", "none");
    read(value, where, field);
    known_.push_back(name);
  }

  void refuseOthers() const {
    const Napi::Array names = attributes_.GetPropertyNames();
    for (uint32_t i = 0; i < names.Length(); ++i) {
      const std::string name = names.Get(i).ToString();
      if (std::ranges::count(known_, name) > 0) continue;
      std::string expected;
      for (const std::string& known : known_) expected += (expected.empty() ? "" : ", ") + known;
      fail(where_ + "." + name, expected.empty() ? "no attributes" : expected, name);
    }
  }

 private:
  static void read(const Napi::Value& value, const std::string& where, int64_t& field) {
    field = integer(value, where);
  }
  static void read(const Napi::Value& value, const std::string& where, double& field) {
    field = real(value, where);
  }
  static void read(const Napi::Value& value, const std::string& where, bool& field) {
    field = flag(value, where);
  }
  static void read(const Napi::Value& value, const std::string& where, std::vector<int64_t>& field) {
    field = list(value, where, integer);
  }
  static void read(const Napi::Value& value, const std::string& where, std::vector<double>& field) {
    field = list(value, where, real);
  }
  template <size_t N>
  static void read(const Napi::Value& value, const std::string& where, std::array<int64_t, N>& field) {
    const std::vector<int64_t> numbers = list(value, where, integer);
    if (numbers.size() != N) fail(where, std::to_string(N) + " integers", spell(value));
    std::ranges::copy(numbers, field.begin());
  }
  template <class E>
    requires std::is_enum_v<E>
  static void read(const Napi::Value& value, const std::string& where, E& field) {
    const auto& names = ops::EnumNames<E>::values;
    const std::string name = text(value, where);
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) {
      std::string expected;
      for (const char* known : names) expected += (expected.empty() ? "" : ", ") + std::string(known);
      fail(where, expected, spell(value));
    }
    field = static_cast<E>(found - names.begin());
  }

  Napi::Object attributes_;
  std::string where_;
  std::vector<std::string> known_;
};

template <class Visit>
void forEachOp(const Visit& visit) {
  [&]<size_t... I>(std::index_sequence<I...>) { (visit(std::variant_alternative_t<I, ops::Any>{}), ...); }
  (std::make_index_sequence<std::variant_size_v<ops::Any>>{});
}

ops::Any readOp(const Napi::Object& instruction, const std::string& where) {
  const std::string name = text(instruction.Get("op"), where + ".op");
  const std::string inner = where + ".attributes";
  std::optional<ops::Any> result;
  forEachOp([&](auto op) {
    if (name != op.name) return;
    AttributeReader reader(object(instruction.Get("attributes"), inner), inner);
    op.visit(reader);
    reader.refuseOthers();
    result = std::move(op);
  });
  if (!result) fail(where + ".op", "the name of an operation", "'" + name + "'");
  return *std::move(result);
}

class KindWriter {
 public:
  explicit KindWriter(Napi::Object target) : target_(target) {}

  template <class Field>
  void operator()(const char* name, const Field& field) {
    target_.Set(name, kind(field));
  }

 private:
  Napi::Value word(const char* text) const { return Napi::String::New(target_.Env(), text); }
  Napi::Value kind(const ops::Pair&) const { return word("pair"); }
  Napi::Value kind(const ops::Edges&) const { return word("edges"); }
  Napi::Value kind(int64_t) const { return word("int"); }
  Napi::Value kind(double) const { return word("float"); }
  Napi::Value kind(bool) const { return word("bool"); }
  Napi::Value kind(const std::vector<int64_t>&) const { return word("ints"); }
  Napi::Value kind(const std::vector<double>&) const { return word("floats"); }
  template <class E>
    requires std::is_enum_v<E>
  Napi::Value kind(E) const {
    const auto& names = ops::EnumNames<E>::values;
    const auto values = Napi::Array::New(target_.Env(), names.size());
    for (uint32_t i = 0; i < names.size(); ++i) values.Set(i, names[i]);
    return values;
  }

  Napi::Object target_;
};

TensorSpec readBuffer(const Napi::Value& value, const std::string& where) {
  const Napi::Object buffer = object(value, where);
  return {readDType(buffer.Get("dtype"), where + ".dtype"), readShape(buffer.Get("shape"), where + ".shape")};
}

Plan::Instruction readInstruction(const Napi::Value& value, const std::string& where) {
  const Napi::Object instruction = object(value, where);
  return {readOp(instruction, where), listOf(instruction, "inputs", where, index),
          listOf(instruction, "outputs", where, index), text(instruction.Get("path"), where + ".path")};
}

Plan::Phase readPhase(const Napi::Value& value, const std::string& where) {
  const Napi::Object phase = object(value, where);
  return {text(phase.Get("name"), where + ".name"), index(phase.Get("begin"), where + ".begin"),
          index(phase.Get("end"), where + ".end")};
}

Plan::Binding readBinding(const Napi::Value& value, const std::string& where) {
  const Napi::Object binding = object(value, where);
  return {text(binding.Get("name"), where + ".name"), index(binding.Get("buffer"), where + ".buffer")};
}

Plan::Parameter readParameter(const Napi::Value& value, const std::string& where) {
  Plan::Binding binding = readBinding(value, where);
  return {std::move(binding.name), binding.buffer,
          flag(value.As<Napi::Object>().Get("updated"), where + ".updated")};
}

}  // namespace

DType readDType(Napi::Value value, const std::string& where) {
  const std::string name = text(value, where);
  for (const DType dtype :
       {DType::f32, DType::bf16, DType::f16, DType::u8, DType::s8, DType::i32, DType::opaque})
    if (name == nameOf(dtype)) return dtype;
  fail(where, "f32, bf16, f16, u8, s8, i32 or opaque", "'" + name + "'");
}

Shape readShape(Napi::Value value, const std::string& where) { return list(value, where, integer); }

Plan readPlan(Napi::Value value) {
  const std::string where = "plan";
  const Napi::Object source = object(value, where);
  Plan plan;
  plan.buffers = listOf(source, "buffers", where, readBuffer);
  plan.instructions = listOf(source, "instructions", where, readInstruction);
  plan.phases = listOf(source, "phases", where, readPhase);
  plan.inputs = listOf(source, "inputs", where, readBinding);
  plan.outputs = listOf(source, "outputs", where, readBinding);
  plan.parameters = listOf(source, "parameters", where, readParameter);
  check(plan);
  return plan;
}

Napi::Object schema(Napi::Env env) {
  const auto result = Napi::Object::New(env);
  forEachOp([&](auto op) {
    const auto attributes = Napi::Object::New(env);
    op.visit(KindWriter(attributes));
    result.Set(op.name, attributes);
  });
  return result;
}

}  // namespace fovea

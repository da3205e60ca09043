#include "measure.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "primitives.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int arguments[] = {
    DNNL_ARG_SRC,        DNNL_ARG_SRC_1,     DNNL_ARG_WEIGHTS,      DNNL_ARG_BIAS,      DNNL_ARG_DST,
    DNNL_ARG_MEAN,       DNNL_ARG_VARIANCE,  DNNL_ARG_SCALE,        DNNL_ARG_SHIFT,     DNNL_ARG_WORKSPACE,
    DNNL_ARG_SCRATCHPAD, DNNL_ARG_DIFF_SRC,  DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS, DNNL_ARG_DIFF_DST,
    DNNL_ARG_DIFF_SCALE, DNNL_ARG_DIFF_SHIFT};

// Numbers between 0.5 and 1.5 where it holds floats, so that all is finite; a record of indices is zeros.
void fill(const dnnl::memory& memory) {
  const dnnl::memory::desc desc = memory.get_desc();
  const size_t bytes = desc.get_size();
  if (desc.data_type() == dnnl::memory::data_type::bf16) {
    constexpr uint16_t one = 0x3f80;
    std::fill_n(static_cast<uint16_t*>(memory.get_data_handle()), bytes / sizeof one, one);
    return;
  }
  if (desc.data_type() != dnnl::memory::data_type::f32) {
    std::fill_n(static_cast<char*>(memory.get_data_handle()), bytes, 0);
    return;
  }
  auto* floats = static_cast<float*>(memory.get_data_handle());
#pragma omp parallel for
  for (size_t i = 0; i < bytes / sizeof(float); ++i)
    floats[i] = 0.5F + static_cast<float>(i * 2654435761U % 65536) / 65536;
}

void evict(const dnnl::memory& memory) {
#if defined(__x86_64__)
  const size_t bytes = memory.get_desc().get_size();
  const auto* data = static_cast<const char*>(memory.get_data_handle());
  for (size_t i = 0; i < bytes; i += 64) __builtin_ia32_clflush(data + i);
  __builtin_ia32_mfence();
#endif
}

std::unordered_map<int, dnnl::memory> operandsOf(const dnnl::primitive_desc_base& description,
                                                 const dnnl::engine& engine) {
  std::unordered_map<int, dnnl::memory> operands;
  const auto add = [&](int argument) {
    const dnnl::memory::desc desc = description.query_md(dnnl::query::exec_arg_md, argument);
    if (desc.get_size() == 0) return;
    dnnl::memory memory(desc, engine);
    fill(memory);
    operands.emplace(argument, memory);
  };
  for (const int argument : arguments) add(argument);
  for (int part = 0; part < 64; ++part) add(DNNL_ARG_MULTIPLE_SRC + part);
  return operands;
}

}  // namespace

const Bench::Known& Bench::known(const std::string& line) {
  const auto found = known_.find(line);
  if (found != known_.end()) return found->second;
  const Problem problem = parse(line);
  const std::string wanted = problem.text("implementation");
  Known known;
  for (const auto& description : implementations(problem, engine_)) {
    const bool isFirst = !known.first;
    if (!isFirst && description.impl_info_str() != wanted) continue;
    const auto made = [&] {
      return std::make_unique<Entry>(description, dnnl::primitive(description.get()));
    };
    if (isFirst)
      known.first = made();
    else
      known.same = made();
    if (description.impl_info_str() == wanted) break;
  }
  return known_.emplace(line, std::move(known)).first->second;
}

Sample Bench::time(const Entry& entry, bool cold, int runs) {
  auto operands = operandsOf(entry.description, engine_);
  Sample sample{entry.description.impl_info_str(), {}};
  // The run before the first generates code and touches memory.
  for (int run = -1; run < runs; ++run) {
    if (cold)
      for (const auto& [argument, memory] : operands) evict(memory);
    const auto start = Clock::now();
    entry.primitive.execute(stream_, operands);
    stream_.wait();
    const std::chrono::duration<double> seconds = Clock::now() - start;
    if (run >= 0) sample.seconds.push_back(seconds.count());
  }
  return sample;
}

Measurement Bench::measure(const std::string& line, bool cold, int runs) {
  const Known& entries = known(line);
  Measurement measurement;
  if (!entries.first) return measurement;
  measurement.first = time(*entries.first, cold, runs);
  measurement.same = entries.same ? time(*entries.same, cold, runs) : measurement.first;
  return measurement;
}

Sample Bench::fastest(const std::string& line, bool cold, int runs) {
  const auto median = [](std::vector<double> seconds) {
    std::ranges::nth_element(seconds, seconds.begin() + seconds.size() / 2);
    return seconds[seconds.size() / 2];
  };
  Sample best;
  for (const char* algorithm : {"direct", "wino"})
    for (const auto& description : implementations(parse(line + " implementation=" + algorithm), engine_)) {
      const std::string name = description.impl_info_str();
      if (name.starts_with("ref") || name.starts_with("gemm:ref")) continue;
      Sample sample = time({description, dnnl::primitive(description.get())}, cold, runs);
      if (best.seconds.empty() || median(sample.seconds) < median(best.seconds)) best = std::move(sample);
    }
  return best;
}

}  // namespace bench

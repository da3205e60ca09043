// oneDNN called directly, without fovea, for bench/kernels.ts. It answers each line of standard input with a
// line of JSON:
//
//   ceilings                          -> {"flops": 4.1e11, "bytes": 3.2e10}
//   measure warm|cold RUNS PROBLEM    -> {"same": {"kernel": "...", "seconds": [...]}, "first": {...}}
//   fastest warm|cold RUNS PROBLEM    -> {"kernel": "...", "seconds": [...]}
#include <iostream>
#include <sstream>

#include "ceilings.h"
#include "measure.h"

namespace {

std::string json(const bench::Sample& sample) {
  std::ostringstream text;
  text.precision(9);
  text << R"({"kernel": ")" << sample.implementation << R"(", "seconds": [)";
  for (size_t i = 0; i < sample.seconds.size(); ++i) text << (i ? ", " : "") << sample.seconds[i];
  text << "]}";
  return text.str();
}

std::string answer(bench::Bench& bench, const std::string& line) {
  std::istringstream words(line);
  std::string command;
  words >> command;
  std::ostringstream text;
  if (command == "ceilings") {
    const bench::Ceilings found = bench::ceilings();
    text << R"({"flops": )" << found.flops << R"(, "bytes": )" << found.bytes << "}";
    return text.str();
  }
  std::string caches, problem;
  int runs = 0;
  words >> caches >> runs;
  std::getline(words >> std::ws, problem);
  if ((command != "measure" && command != "fastest") || (caches != "warm" && caches != "cold") || runs < 1)
    throw std::invalid_argument("expected ceilings, or measure|fastest warm|cold RUNS PROBLEM, got " + line);
  if (command == "fastest") return json(bench.fastest(problem, caches == "cold", runs));
  const bench::Measurement found = bench.measure(problem, caches == "cold", runs);
  text << R"({"same": )" << json(found.same) << R"(, "first": )" << json(found.first) << "}";
  return text.str();
}

}  // namespace

int main() {
  const dnnl_version_t& version = *dnnl::version();
  std::cout << R"({"ready": "oneDNN )" << version.major << '.' << version.minor << '.' << version.patch
            << R"("})" << std::endl;
  bench::Bench bench;
  for (std::string line; std::getline(std::cin, line);) {
    try {
      std::cout << answer(bench, line) << std::endl;
    } catch (const std::exception& error) {
      std::cerr << line << ": " << error.what() << std::endl;
      return 1;
    }
  }
}

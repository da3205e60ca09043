#pragma once
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "problem.h"

namespace bench {

struct Sample {
  std::string implementation;   // empty where the library has none
  std::vector<double> seconds;  // of every run
};

// What the library takes for a problem: with the kernel that the problem names, if there is one, and with its
// own first choice, which may be another.
struct Measurement {
  Sample same, first;
};

// Makes primitives once and keeps them.
class Bench {
 public:
  // `cold`: no operand is in the processor's caches when a run begins; otherwise all that fit are.
  Measurement measure(const std::string& line, bool cold, int runs);
  // The fastest of all kernels that the library has for a problem.
  Sample fastest(const std::string& line, bool cold, int runs);

 private:
  struct Entry {
    dnnl::primitive_desc_base description;
    dnnl::primitive primitive;
  };
  struct Known {
    std::unique_ptr<Entry> same, first;  // `same` is absent where it is the first
  };
  const Known& known(const std::string& line);
  Sample time(const Entry& entry, bool cold, int runs);

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::map<std::string, Known> known_;
};

}  // namespace bench

#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace fovea {

// How much time goes into finding the fastest of several kernels.
enum class Tuning {
  off,   // none: the library's first choice
  fast,  // a few runs of each
  full,  // many runs of each
};

// Which kernel was the fastest for a problem, by the problem's description. It outlives programs, and what it
// knows can be carried from one process to the next. From any thread.
class TuningTable {
 public:
  std::optional<std::string> find(const std::string& problem) {
    const std::lock_guard lock(mutex_);
    const auto known = choices_.find(problem);
    if (known == choices_.end()) return {};
    return used_[problem] = known->second;
  }
  // A choice made here and now, or one that is known from elsewhere.
  void choose(const std::string& problem, const std::string& kernel) {
    learn(problem, kernel);
    find(problem);
  }
  void learn(const std::string& problem, const std::string& kernel) {
    const std::lock_guard lock(mutex_);
    choices_[problem] = kernel;
  }
  // The choices that some program was made with.
  std::map<std::string, std::string> used() const {
    const std::lock_guard lock(mutex_);
    return used_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> choices_, used_;
};

}  // namespace fovea

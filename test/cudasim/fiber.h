#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace cudasim {

// A call that can stop in the middle and go on later, on a stack of its own that serves many calls.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void start(void (*function)(void*), void* argument);
  // Runs until the function ends or waits. True when it has ended.
  bool resume();
  // To be called on the fiber: back to whoever resumed it.
  void wait();

 private:
  static void enter(Fiber* fiber);
  void switchBack(bool ended);

  std::byte* stack_;
  void* own_ = nullptr;
  void* caller_ = nullptr;
  void (*function_)(void*) = nullptr;
  void* argument_ = nullptr;
  bool ended_ = true;
  // of AddressSanitizer
  void* fakeStack_ = nullptr;
  const void* callerStack_ = nullptr;
  size_t callerStackBytes_ = 0;
};

}  // namespace cudasim

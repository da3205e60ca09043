#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace cudasim {

// A test reads and sets these while the simulator runs: they lie in a file that both map. The numbers are
// mirrored in state.ts.
enum class Slot : int {
  // set by the test
  failAllocation = 0,  // the n-th device allocation from now on fails; 0 is none
  failCall = 1,        // the n-th library call from now on fails
  lazy = 2,            // queued work waits for a synchronisation
  seed = 3,            // of the order in which lazy mode runs what may run in any
  failTimes = 4,       // how many allocations fail in a row; 0 is one
  // told by the simulator
  calls = 8,
  allocations = 9,
  injected = 10,  // failures that the test asked for
  refused = 11,   // calls that broke the libraries' rules
  launches = 12,
  graphLaunches = 13,
  // what is alive
  deviceBytes = 16,
  deviceAllocations = 17,
  pinnedAllocations = 18,
  streams = 19,
  events = 20,
  graphs = 21,
  graphExecs = 22,
  modules = 23,
  programs = 24,
  cudnnHandles = 25,
  cudnnDescriptors = 26,
  cublasHandles = 27,
  primaryContexts = 28,
};

// How often each symbol was called, by all processes that map the same file.
struct CallRecord {
  std::atomic<uint64_t> hash;
  char name[80];
  std::atomic<uint64_t> count;
};

struct Page {
  std::atomic<int64_t> slots[64];
  char failSymbol[64];  // counts towards `failCall`; empty: every symbol does
  char failed[64];      // the last call that failed because the test asked for it
  CallRecord calls[384];
};

class State {
 public:
  static State& instance();

  std::atomic<int64_t>& operator[](Slot slot) { return page_->slots[static_cast<int>(slot)]; }
  // Counts a call. True where the test asked for this one to fail.
  bool enter(const char* symbol);
  bool allocationFails();
  uint64_t random();

 private:
  State();
  Page* page_;
  Page* coverage_ = nullptr;
  uint64_t random_ = 0;
};

// All calls hold it: what runs on the simulated devices runs one thing at a time.
std::recursive_mutex& everything();

// Says on stderr why a call was refused, unless CUDASIM_QUIET is set, and remembers it for
// cudnnGetLastErrorString.
void complain(const char* call, const std::string& message);
std::string lastComplaint();

// An integer of the environment.
int64_t setting(const char* name, int64_t otherwise);

}  // namespace cudasim

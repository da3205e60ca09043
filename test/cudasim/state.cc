#include "state.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace cudasim {
namespace {

// Zeros at first. Nobody unmaps it: threads may call until the process is gone.
Page* mapPage(const char* path) {
  int file = -1;
  if (path) {
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof(Page)) != 0) {
      std::fprintf(stderr, "cudasim: cannot map %s: %s\n", path, std::strerror(errno));
      std::abort();
    }
  }
  void* memory = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE,
                      path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, file, 0);
  if (file >= 0) close(file);
  if (memory == MAP_FAILED) std::abort();
  return static_cast<Page*>(memory);
}

uint64_t hashOf(const char* name) {
  uint64_t hash = 14695981039346656037u;
  for (; *name; ++name) hash = (hash ^ static_cast<unsigned char>(*name)) * 1099511628211u;
  return hash | 1;
}

void count(Page& page, const char* name) {
  const uint64_t hash = hashOf(name);
  constexpr size_t places = std::size(Page{}.calls);
  for (size_t i = 0; i < places; ++i) {
    CallRecord& record = page.calls[(hash + i) % places];
    uint64_t found = 0;
    if (record.hash.compare_exchange_strong(found, hash))
      std::strncpy(record.name, name, sizeof record.name - 1);
    else if (found != hash)
      continue;
    record.count.fetch_add(1);
    return;
  }
}

std::string& complaint() {
  static auto& text = *std::make_unique<std::string>().release();
  return text;
}

}  // namespace

State& State::instance() {
  static State& state = *std::unique_ptr<State>(new State).release();
  return state;
}

State::State() : page_(mapPage(std::getenv("CUDASIM_STATE"))) {
  if (const char* path = std::getenv("CUDASIM_COVERAGE")) coverage_ = mapPage(path);
  const auto preset = [&](Slot slot, const char* name) {
    if (const int64_t value = setting(name, 0)) (*this)[slot] = value;
  };
  preset(Slot::failAllocation, "CUDASIM_FAIL_ALLOCATION");
  preset(Slot::failCall, "CUDASIM_FAIL_CALL");
  preset(Slot::lazy, "CUDASIM_LAZY");
  preset(Slot::seed, "CUDASIM_SEED");
  if (const char* symbol = std::getenv("CUDASIM_FAIL_SYMBOL"))
    std::strncpy(page_->failSymbol, symbol, sizeof page_->failSymbol - 1);
}

bool State::enter(const char* symbol) {
  ++(*this)[Slot::calls];
  count(*page_, symbol);
  if (coverage_) count(*coverage_, symbol);
  auto& left = (*this)[Slot::failCall];
  if (left <= 0 || (*page_->failSymbol && std::strcmp(page_->failSymbol, symbol) != 0)) return false;
  if (--left > 0) return false;
  ++(*this)[Slot::injected];
  std::strncpy(page_->failed, symbol, sizeof page_->failed - 1);
  return true;
}

bool State::allocationFails() {
  ++(*this)[Slot::allocations];
  auto& left = (*this)[Slot::failAllocation];
  if (left <= 0 || --left > 0) return false;
  ++(*this)[Slot::injected];
  if (auto& times = (*this)[Slot::failTimes]; times > 1) --times, left = 1;
  return true;
}

// SplitMix64.
uint64_t State::random() {
  uint64_t z = (random_ += 0x9e3779b97f4a7c15u) + static_cast<uint64_t>((*this)[Slot::seed].load());
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::recursive_mutex& everything() {
  static auto& mutex = *std::make_unique<std::recursive_mutex>().release();
  return mutex;
}

void complain(const char* call, const std::string& message) {
  const std::lock_guard lock(everything());
  ++State::instance()[Slot::refused];
  complaint() = std::string(call) + ": " + message;
  if (!std::getenv("CUDASIM_QUIET")) std::fprintf(stderr, "cudasim: %s\n", complaint().c_str());
}

std::string lastComplaint() {
  const std::lock_guard lock(everything());
  return complaint();
}

int64_t setting(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::strtoll(text, nullptr, 10) : otherwise;
}

}  // namespace cudasim

#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifndef __x86_64__
#error "fibers are written for x86-64"
#endif

// Keeps what a call must keep on the stack, and goes on with another stack.
extern "C" void cudasimSwitch(void** from, void* to);
asm(R"(
.text
.hidden cudasimSwitch
.globl cudasimSwitch
.type cudasimSwitch,@function
cudasimSwitch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cudasimSwitch,.-cudasimSwitch

.hidden cudasimStart
.globl cudasimStart
.type cudasimStart,@function
cudasimStart:
  movq %r12, %rdi
  callq *%r13
  ud2
.size cudasimStart,.-cudasimStart
)");
extern "C" void cudasimStart();

namespace cudasim {
namespace {

constexpr size_t page = 4096;
#ifdef __SANITIZE_ADDRESS__
constexpr size_t stackBytes = 256 << 10;
#else
constexpr size_t stackBytes = 64 << 10;
#endif

}  // namespace

Fiber::Fiber() {
  // The lowest page stays closed, so that an overflow is seen.
  void* memory = mmap(nullptr, stackBytes + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  stack_ = static_cast<std::byte*>(memory);
  mprotect(stack_ + page, stackBytes, PROT_READ | PROT_WRITE);
}

Fiber::~Fiber() { munmap(stack_, stackBytes + page); }

void Fiber::start(void (*function)(void*), void* argument) {
  function_ = function;
  argument_ = argument;
  ended_ = false;
  fakeStack_ = nullptr;
#ifdef __SANITIZE_ADDRESS__
  ASAN_UNPOISON_MEMORY_REGION(stack_ + page, stackBytes);
#endif
  // What cudasimSwitch pops: r15, r14, r13, r12, rbx, rbp, and where it returns to.
  auto* top = reinterpret_cast<uintptr_t*>(stack_ + page + stackBytes) - 2;
  *--top = reinterpret_cast<uintptr_t>(&cudasimStart);
  *--top = 0;
  *--top = 0;
  *--top = reinterpret_cast<uintptr_t>(this);
  *--top = reinterpret_cast<uintptr_t>(&Fiber::enter);
  *--top = 0;
  *--top = 0;
  own_ = top;
}

bool Fiber::resume() {
#ifdef __SANITIZE_ADDRESS__
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, stack_ + page, stackBytes);
#endif
  cudasimSwitch(&caller_, own_);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  return ended_;
}

void Fiber::enter(Fiber* fiber) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, &fiber->callerStack_, &fiber->callerStackBytes_);
#endif
  fiber->function_(fiber->argument_);
  fiber->ended_ = true;
  fiber->switchBack(true);
}

void Fiber::wait() { switchBack(false); }

void Fiber::switchBack(bool ended) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(ended ? nullptr : &fakeStack_, callerStack_, callerStackBytes_);
#endif
  cudasimSwitch(&own_, caller_);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(fakeStack_, &callerStack_, &callerStackBytes_);
#endif
  (void)ended;
}

}  // namespace cudasim

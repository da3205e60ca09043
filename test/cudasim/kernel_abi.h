#pragma once

// What a compiled kernel module and the simulator know of each other. The module is C++ made of the kernel's
// source (shim.h comes before it), so this header includes nothing.
namespace cudasim {

struct Parameter {
  unsigned bytes;
  bool pointer;
};

struct Position {
  unsigned x, y, z;
};

// What a module's code calls.
struct Services {
  void (*barrier)();  // __syncthreads
  // Gives a value to the warp, waits for the lanes of `mask`, and returns what all 32 lanes gave.
  const unsigned long long* (*exchange)(unsigned mask, unsigned long long value);
  unsigned (*lane)();
  // Waits for the block, and returns how many of its threads gave a true value.
  unsigned (*count)(bool value);
  void (*trap)();
};

struct Kernel {
  const char* name;
  void (*call)(void** arguments);  // for one thread, whose position the module's variables tell
  // For the threads of a block one after the other, in the order given (null: as they are numbered).
  void (*callAll)(void** arguments, unsigned threads, const unsigned* order);
  const Parameter* parameters;
  unsigned parameterCount;
  unsigned mostThreads;  // of __launch_bounds__; 0: not given
};

struct Module {
  const Kernel* kernels;
  unsigned kernelCount;
  bool waits;  // whether any of its threads can wait for another
  Position *thread, *block, *blockSize, *gridSize;
  unsigned char* dynamicShared;
  unsigned char *sharedBegin, *sharedEnd;  // of the static shared variables outside templates
  const Services** services;
};

constexpr unsigned dynamicSharedBytes = 227 << 10;

}  // namespace cudasim

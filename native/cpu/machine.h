#pragma once
#include <cstddef>
#include <string>

// What the operating system says of the processor and of memory.
namespace fovea::cpu {

std::string processorName();
// Physical cores this process may use, no more than a container's quota.
int coreCount();
// Bytes that could be allocated now without swapping or hitting a container's limit.
size_t availableMemory();

}  // namespace fovea::cpu

#include "machine.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

namespace fovea::cpu {
namespace {

std::optional<std::string> firstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return {};
  return line;
}

std::optional<size_t> number(const std::optional<std::string>& text) {
  if (!text || text->empty() || !std::isdigit(static_cast<unsigned char>((*text)[0]))) return {};
  return std::stoull(*text);
}

// The value after `key` in a file of "key value" lines.
std::optional<size_t> field(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    size_t value;
    if (words >> name >> value && name == key) return value;
  }
  return {};
}

// The process's group and those around it: each may set a limit.
std::vector<std::string> controlGroups() {
  std::vector<std::string> groups{"/sys/fs/cgroup"};
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("0::/")) continue;
    std::string path = line.substr(3);
    while (path.size() > 1) {
      groups.push_back("/sys/fs/cgroup" + path);
      path.resize(std::max<size_t>(path.rfind('/'), 0));
    }
  }
  return groups;
}

}  // namespace

std::string processorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
    if (start != std::string::npos) return line.substr(start);
  }
  return "unknown processor";
}

int coreCount() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  int count = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    std::set<std::string> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
      cores.insert(firstLine(topology + "thread_siblings_list").value_or(std::to_string(cpu)));
    }
    if (!cores.empty()) count = static_cast<int>(cores.size());
  }
  for (const std::string& group : controlGroups()) {
    const auto line = firstLine(group + "/cpu.max");
    if (!line) continue;
    std::istringstream words(*line);
    double quota, period;
    if (words >> quota >> period && period > 0)
      count = std::min(count, static_cast<int>(std::ceil(quota / period)));
  }
  return std::max(count, 1);
}

size_t availableMemory() {
  size_t available = std::numeric_limits<size_t>::max();
  if (const auto kibibytes = field("/proc/meminfo", "MemAvailable:")) available = *kibibytes * 1024;
  for (const std::string& group : controlGroups()) {
    const auto limit = number(firstLine(group + "/memory.max"));
    const auto used = number(firstLine(group + "/memory.current"));
    if (!limit || !used) continue;
    // Clean file pages count as used, but the kernel gives them back first.
    const size_t reclaimable = field(group + "/memory.stat", "inactive_file").value_or(0);
    const size_t taken = *used - std::min(*used, reclaimable);
    available = std::min(available, *limit - std::min(*limit, taken));
  }
  return available;
}

}  // namespace fovea::cpu

#include "backend.h"

#include <charconv>
#include <cstring>
#include <new>

#include "cpu/cpu_backend.h"
#include "cuda/open.h"
#include "error.h"
#include "null/null_backend.h"

namespace fovea {
namespace {

class HostStaging final : public Staging {
 public:
  explicit HostStaging(size_t bytes)
      : data_(std::make_unique_for_overwrite<std::byte[]>(bytes)), bytes_(bytes) {}
  void* data() const override { return data_.get(); }
  void deliver(void* to) override { std::memcpy(to, data_.get(), bytes_); }

 private:
  std::unique_ptr<std::byte[]> data_;
  size_t bytes_;
};

}  // namespace

std::unique_ptr<Staging> stageOnHost(size_t bytes) {
  try {
    return std::make_unique<HostStaging>(bytes);
  } catch (const std::bad_alloc&) {
    const std::string size = std::to_string(bytes) + " bytes";
    throw Error("OUT_OF_MEMORY", "no memory for a copy of " + size, "memory", {}, size);
  }
}

std::shared_ptr<Backend> openBackend(const std::string& name, const DeviceOptions& options,
                                     std::shared_ptr<MemoryMeter> meter) {
  if (name == "cpu") return cpu::openCpuBackend(options, std::move(meter));
  if (name == "null") return null::openNullBackend(std::move(meter));
  constexpr std::string_view cuda = "cuda:";
  int index = -1;
  if (name.starts_with(cuda)) {
    const char* end = name.data() + name.size();
    if (const auto [rest, error] = std::from_chars(name.data() + cuda.size(), end, index);
        error == std::errc() && rest == end && index >= 0)
      return cuda::open(index, options, std::move(meter));
  }
  throw Error("DEVICE_UNAVAILABLE", "This build has no device \"" + name + "\": it has cpu, cuda:N and null",
              name, "cpu, cuda:N, null", name);
}

}  // namespace fovea

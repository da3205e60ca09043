#include "backend.h"

#include <charconv>

#include "cpu/cpu_backend.h"
#include "cuda/open.h"
#include "error.h"
#include "null/null_backend.h"

namespace fovea {

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

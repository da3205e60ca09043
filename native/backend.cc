#include "backend.h"

#include "cpu/cpu_backend.h"
#include "error.h"
#include "null/null_backend.h"

namespace fovea {

std::shared_ptr<Backend> openBackend(const std::string& name, const DeviceOptions& options,
                                     std::shared_ptr<MemoryMeter> meter) {
  if (name == "cpu") return cpu::openCpuBackend(options, std::move(meter));
  if (name == "null") return null::openNullBackend(std::move(meter));
  throw Error("DEVICE_UNAVAILABLE", "This build has no device \"" + name + "\": it has cpu and null", name,
              "cpu, null", name);
}

}  // namespace fovea

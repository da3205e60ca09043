#pragma once
#include <string>
#include <vector>

#include "error.h"

namespace fovea::cuda {

// Why CUDA cannot be used; `name` is what JavaScript calls it (CudaUnavailableReason in ts/errors.ts).
enum class Reason {
  noDriver,
  driverTooOld,
  driverFailed,  // the driver is there and does not start
  libraryMissing,
  mixedFolders,
  wrongVersion,
  noDevice,
  outOfMemory
};

constexpr const char* nameOf(Reason reason) {
  switch (reason) {
    case Reason::noDriver:
      return "no-driver";
    case Reason::driverTooOld:
      return "driver-too-old";
    case Reason::driverFailed:
      return "driver-failed";
    case Reason::libraryMissing:
      return "library-missing";
    case Reason::mixedFolders:
      return "mixed-folders";
    case Reason::wrongVersion:
      return "wrong-version";
    case Reason::noDevice:
      return "no-device";
    default:
      return "out-of-memory";
  }
}

// CUDA_UNAVAILABLE. `subject` is the library or device, `expected` what is needed, `got` what was found.
class Unavailable : public Error {
 public:
  Unavailable(Reason reason, const std::string& message, std::string subject, std::string needed,
              std::string found, std::vector<std::string> searched = {})
      : Error("CUDA_UNAVAILABLE", message, std::move(subject), std::move(needed), std::move(found)),
        reason(reason),
        searched(std::move(searched)) {}

  const Reason reason;
  const std::vector<std::string> searched;  // folders, or sonames that the system's own search was asked for
};

}  // namespace fovea::cuda

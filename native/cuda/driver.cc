#include <filesystem>

#include "bind.h"
#include "library_search.h"

namespace fovea::cuda {
namespace {

constexpr const char* driverName = "libcuda.so.1";
constexpr int oldestDriver = 12000;  // CUDA 12.0
constexpr const char* needed = "an NVIDIA driver for CUDA 12.0 or newer (525 or newer)";

// The toolkit's stand-in that programs are linked to; it does nothing.
bool isStub(const std::string& path) {
  for (const auto& part : std::filesystem::path(path))
    if (part == "stubs") return true;
  return false;
}

std::vector<SearchFolder> driverFolders(const LoadOptions& options) {
  std::vector<SearchFolder> folders;
  for (const SearchFolder& folder : options.folders)
    if (folder.driver) folders.push_back(folder);
  folders.push_back({"", "the system's own search"});
  folders.push_back({"/usr/lib/wsl/lib", "Windows Subsystem for Linux"});
  return folders;
}

SharedLibrary openDriver(const std::vector<SearchFolder>& folders) {
  std::string found = "nothing";
  for (const SearchFolder& folder : folders) {
    const bool bare = folder.path.empty();
    const std::string path = bare ? driverName : (std::filesystem::path(folder.path) / driverName).string();
    std::string error;
    SharedLibrary library = SharedLibrary::open(path, &error);
    if (library && !isStub(library.path())) return library;
    if (library)
      found = library.path() + ", a stub without a driver behind it";
    else if (error.find("No such file") == std::string::npos)
      found = path + " does not open: " + error;
  }
  throw unavailable(Reason::noDriver, "there is no NVIDIA driver", driverName, needed, found,
                    describe(folders, driverName));
}

std::string nameOf(const DriverTable& driver, CUresult status) {
  const char *name = nullptr, *text = nullptr;
  driver.cuGetErrorName(status, &name);
  driver.cuGetErrorString(status, &text);
  return std::string(name ? name : "an unknown status") + " (" + std::to_string(status) + ")" +
         (text ? std::string(", ") + text : "");
}

Unavailable startFailure(const Driver& driver, CUresult status) {
  const std::string found =
      "the driver for CUDA " + cudaVersion(driver.version) + " says " + nameOf(driver.calls, status);
  switch (status) {
    case CUDA_ERROR_NO_DEVICE:
      return unavailable(Reason::noDevice, "the NVIDIA driver sees no GPU", "cuda", "an NVIDIA GPU", found,
                         {driver.path});
    case CUDA_ERROR_STUB_LIBRARY:
      return unavailable(Reason::noDriver, "there is a stub in the place of the NVIDIA driver", driverName,
                         needed, found, {driver.path});
    case CUDA_ERROR_OUT_OF_MEMORY:
      return unavailable(Reason::outOfMemory, "the NVIDIA driver has no memory to start", "cuda",
                         "free memory", found, {driver.path});
    default:
      return unavailable(Reason::driverFailed, "the NVIDIA driver does not start", driverName,
                         "a driver that works", found, {driver.path});
  }
}

}  // namespace

std::shared_ptr<const Driver> loadDriver(const LoadOptions& options) {
  auto driver = std::make_shared<Driver>();
  driver->library = openDriver(driverFolders(options));
  driver->path = driver->library.path();
#define FOVEA_CUDA_BIND(name) bind(driver->calls.name, driver->library, #name, driverName, needed);
  FOVEA_CUDA_DRIVER(FOVEA_CUDA_BIND)
#undef FOVEA_CUDA_BIND
  if (const CUresult status = driver->calls.cuDriverGetVersion(&driver->version); status != CUDA_SUCCESS)
    throw startFailure(*driver, status);
  if (driver->version < oldestDriver)
    throw unavailable(Reason::driverTooOld, "the NVIDIA driver is too old", driverName, needed,
                      "a driver for CUDA " + cudaVersion(driver->version), {driver->path});
  if (const CUresult status = driver->calls.cuInit(0); status != CUDA_SUCCESS)
    throw startFailure(*driver, status);
  int count = 0;
  CUresult status = driver->calls.cuDeviceGetCount(&count);
  if (status == CUDA_SUCCESS && count == 0) status = CUDA_ERROR_NO_DEVICE;
  if (status != CUDA_SUCCESS) throw startFailure(*driver, status);
  return driver;
}

}  // namespace fovea::cuda

#include "shared_library.h"

#include <dlfcn.h>
#include <link.h>

#include <filesystem>

namespace fovea::cuda {

SharedLibrary::SharedLibrary(void* handle) : handle_(handle, [](void* open) { dlclose(open); }) {}

SharedLibrary SharedLibrary::open(const std::string& name, std::string* error) {
  if (void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE))
    return SharedLibrary(handle);
  if (const char* reason = dlerror(); error) *error = reason ? reason : "unknown reason";
  return {};
}

SharedLibrary SharedLibrary::loaded(const std::string& name) {
  if (void* handle = dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD)) return SharedLibrary(handle);
  dlerror();
  return {};
}

void* SharedLibrary::symbol(const char* name) const { return dlsym(handle_.get(), name); }

std::string SharedLibrary::path() const {
  link_map* map = nullptr;
  if (dlinfo(handle_.get(), RTLD_DI_LINKMAP, &map) != 0 || !map || !map->l_name) return {};
  std::error_code failure;
  const auto path = std::filesystem::canonical(map->l_name, failure);
  return failure ? map->l_name : path.string();
}

}  // namespace fovea::cuda

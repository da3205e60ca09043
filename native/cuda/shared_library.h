#pragma once
#include <memory>
#include <string>

namespace fovea::cuda {

// An opened shared library. It stays in the process when it is closed: NVIDIA's have threads and exit
// handlers.
class SharedLibrary {
 public:
  SharedLibrary() = default;
  // A path, or a bare name for the system's own search. On failure `*error` says why and the result is empty.
  static SharedLibrary open(const std::string& name, std::string* error = nullptr);
  // The one of this name that the process has already, whoever opened it.
  static SharedLibrary loaded(const std::string& name);

  explicit operator bool() const { return handle_ != nullptr; }
  void* symbol(const char* name) const;
  // As it was opened, with links followed.
  std::string path() const;

 private:
  explicit SharedLibrary(void* handle);
  std::shared_ptr<void> handle_;
};

}  // namespace fovea::cuda

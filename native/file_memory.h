#pragma once
#include <memory>
#include <string>

#include "memory.h"

namespace fovea {

// An open file whose contents must stay as they are.
class SourceFile {
 public:
  // Opens once more what `descriptor` has open; `path` is for messages.
  SourceFile(int descriptor, std::string path);
  ~SourceFile();
  SourceFile(const SourceFile&) = delete;
  SourceFile& operator=(const SourceFile&) = delete;

  // Throws CHECKPOINT_FORMAT where the file has changed since it was opened, or cannot be read.
  void read(void* to, size_t bytes, size_t position) const;

 private:
  struct Version;
  Version version() const;
  [[noreturn]] void fail(const std::string& problem) const;

  std::string path_;
  int descriptor_;
  std::unique_ptr<const Version> opened_;
};

// Memory that is read from a file whenever its contents are fetched, and holds no pages otherwise. From any
// thread.
std::shared_ptr<Memory> memoryOfFile(std::shared_ptr<const SourceFile> file, size_t position, size_t bytes,
                                     std::shared_ptr<MemoryMeter> meter);

}  // namespace fovea

#include "file_memory.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "error.h"

namespace fovea {

struct SourceFile::Version {
  off_t size;
  timespec modified;
  bool operator==(const Version& other) const {
    return size == other.size && modified.tv_sec == other.modified.tv_sec &&
           modified.tv_nsec == other.modified.tv_nsec;
  }
};

SourceFile::SourceFile(int descriptor, std::string path)
    : path_(std::move(path)), descriptor_(dup(descriptor)) {
  if (descriptor_ < 0) fail(std::string("cannot be opened again: ") + std::strerror(errno));
  opened_ = std::make_unique<const Version>(version());
}

SourceFile::~SourceFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

void SourceFile::read(void* to, size_t bytes, size_t position) const {
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = pread(descriptor_, static_cast<std::byte*>(to) + done, bytes - done,
                              static_cast<off_t>(position + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(std::string("cannot be read: ") + std::strerror(errno));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  if (!(version() == *opened_)) fail("has changed since its weights were loaded");
}

SourceFile::Version SourceFile::version() const {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) fail(std::string("cannot be read: ") + std::strerror(errno));
#ifdef __APPLE__
  return {status.st_size, status.st_mtimespec};
#else
  return {status.st_size, status.st_mtim};
#endif
}

void SourceFile::fail(const std::string& problem) const {
  throw Error("CHECKPOINT_FORMAT", path_ + ": " + problem, path_);
}

namespace {

class FileMemory final : public Memory {
 public:
  FileMemory(std::shared_ptr<const SourceFile> file, size_t position, size_t bytes,
             std::shared_ptr<MemoryMeter> meter)
      : file_(std::move(file)), position_(position), bytes_(bytes), meter_(std::move(meter)) {
    if (bytes_ == 0) return;
    void* address = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED)
      throw Error("OUT_OF_MEMORY", "no room for weights of " + std::to_string(bytes_) + " bytes", "memory",
                  {}, std::to_string(bytes_) + " bytes");
    data_ = address;
#ifdef MADV_HUGEPAGE
    // Weights that a kernel reads as they lie are read from beginning to end: 40 GB/s against 37 from small
    // pages.
    madvise(data_, bytes_, MADV_HUGEPAGE);
#endif
  }
  ~FileMemory() override {
    if (present_) meter_->remove(bytes_);
    if (data_) munmap(data_, bytes_);
  }
  FileMemory(const FileMemory&) = delete;
  FileMemory& operator=(const FileMemory&) = delete;

  void* data() const override { return data_; }
  size_t bytes() const override { return bytes_; }

  void fetch() override {
    const std::lock_guard lock(mutex_);
    use();
  }

  void drop() override {
    const std::lock_guard lock(mutex_);
    if (--users_ > 0 || !present_) return;
    madvise(data_, bytes_, MADV_DONTNEED);
    meter_->remove(bytes_);
    present_ = false;
  }

  void keep() override {
    const std::lock_guard lock(mutex_);
    if (!kept_) use();
    kept_ = true;
  }

 private:
  void use() {
    if (!present_ && data_) {
      file_->read(data_, bytes_, position_);
      meter_->add(bytes_);
      present_ = true;
    }
    ++users_;
  }

  const std::shared_ptr<const SourceFile> file_;
  const size_t position_, bytes_;
  const std::shared_ptr<MemoryMeter> meter_;
  void* data_ = nullptr;
  std::mutex mutex_;  // guards what follows
  bool present_ = false, kept_ = false;
  int users_ = 0;
};

}  // namespace

std::shared_ptr<Memory> memoryOfFile(std::shared_ptr<const SourceFile> file, size_t position, size_t bytes,
                                     std::shared_ptr<MemoryMeter> meter) {
  return std::make_shared<FileMemory>(std::move(file), position, bytes, std::move(meter));
}

}  // namespace fovea

#include "library_search.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>

namespace fovea::cuda {
namespace fs = std::filesystem;
namespace {

std::string join(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

bool isThere(const fs::path& path) {
  std::error_code failure;
  return fs::exists(path, failure);
}

std::string canonical(const fs::path& path) {
  std::error_code failure;
  const fs::path result = fs::canonical(path, failure);
  return failure ? path.string() : result.string();
}

std::string folderOf(const std::string& path) { return fs::path(path).parent_path().string(); }

// Of libcudnn.so.9: files such as libcudnn.so.8, which are the same library of another major version.
std::vector<std::string> otherVersions(const std::string& name, const std::vector<SearchFolder>& folders) {
  const std::string stem = name.substr(0, name.find(".so.") + 4);
  std::vector<std::string> found;
  for (const SearchFolder& folder : folders) {
    std::error_code failure;
    if (folder.path.empty()) continue;
    for (const auto& entry : fs::directory_iterator(folder.path, failure)) {
      const std::string file = entry.path().filename().string();
      const std::string version = file.starts_with(stem) ? file.substr(stem.size()) : "";
      // Of libcudnn.so.8 and libcudnn.so.8.9.7 the first says all.
      if (!version.empty() && std::ranges::all_of(version, [](unsigned char c) { return std::isdigit(c); }))
        found.push_back(entry.path().string());
    }
  }
  return found;
}

class Opening {
 public:
  Opening(const LibrarySet& set, const std::vector<SearchFolder>& folders) : set_(set), folders_(folders) {}

  OpenedSet run() {
    for (const SearchFolder& folder : folders_)
      if (std::optional<OpenedSet> opened = from(folder)) return std::move(*opened);
    throw failure();
  }

 private:
  const std::string& main() const { return set_.required.back(); }

  std::optional<OpenedSet> from(const SearchFolder& folder) {
    if (!folder.path.empty()) {
      if (!isThere(fs::path(folder.path) / main())) return std::nullopt;
      std::vector<std::string> missing;
      for (const std::string& name : set_.required)
        if (!isThere(fs::path(folder.path) / name)) missing.push_back(name);
      if (!missing.empty()) {
        if (missing_.empty()) missing_ = missing, incomplete_ = folder.path;
        return std::nullopt;
      }
    }
    OpenedSet opened;
    const auto add = [&](const std::string& name, SharedLibrary library) {
      opened.files.push_back({name, library.path()});
      opened.libraries.push_back(std::move(library));
    };
    for (const std::string& name : set_.required) {
      const std::string path = folder.path.empty() ? name : (fs::path(folder.path) / name).string();
      checkNotLoaded(name, path, folder);
      std::string error;
      SharedLibrary library = SharedLibrary::open(path, &error);
      if (!library) {
        // By its bare name a library that is nowhere is no news.
        if (!folder.path.empty() || error.find("No such file") == std::string::npos)
          failures_.push_back(path + " does not open: " + error);
        return std::nullopt;
      }
      add(name, std::move(library));
    }
    opened.folder = folderOf(opened.files.back().path);
    checkOneFolder(opened);
    for (const std::string& name : set_.optional)
      if (SharedLibrary library = SharedLibrary::open((fs::path(opened.folder) / name).string()))
        add(name, std::move(library));
    return opened;
  }

  // Libraries find each other by name alone, and would find the one that somebody else opened.
  void checkNotLoaded(const std::string& name, const std::string& path, const SearchFolder& folder) const {
    if (folder.path.empty()) return;
    const SharedLibrary other = SharedLibrary::loaded(name);
    if (!other || other.path() == canonical(path)) return;
    throw unavailable(Reason::mixedFolders,
                      set_.what + " was found in " + folder.path + ", but this process has already loaded " +
                          name + " from another folder",
                      name, "all libraries of " + set_.what + " from one folder",
                      path + " and " + other.path(), searched());
  }

  void checkOneFolder(const OpenedSet& opened) const {
    for (const Libraries::File& file : opened.files)
      if (folderOf(file.path) != opened.folder)
        throw unavailable(Reason::mixedFolders, "the libraries of " + set_.what + " lie in different folders",
                          file.name, "all libraries of " + set_.what + " in one folder",
                          opened.files.back().path + " and " + file.path, searched());
  }

  std::vector<std::string> searched() const { return describe(folders_, main()); }

  Unavailable failure() const {
    if (!incomplete_.empty()) return incomplete();
    if (!failures_.empty())
      return unavailable(Reason::libraryMissing, set_.what + " cannot be opened", main(), set_.needed,
                         join(failures_, "; "), searched());
    if (const std::vector<std::string> others = otherVersions(main(), folders_); !others.empty())
      return unavailable(Reason::wrongVersion, set_.what + " was found in another version only", main(),
                         set_.needed, join(others, ", "), searched());
    return unavailable(Reason::libraryMissing, set_.what + " was not found", main(), set_.needed, "nothing",
                       searched());
  }

  Unavailable incomplete() const {
    for (const SearchFolder& folder : folders_)
      if (!folder.path.empty() && isThere(fs::path(folder.path) / missing_.front()))
        return unavailable(
            Reason::mixedFolders, "the libraries of " + set_.what + " lie in different folders",
            missing_.front(), join(set_.required, ", ") + " in one folder",
            main() + " in " + incomplete_ + ", " + missing_.front() + " in " + folder.path, searched());
    return unavailable(Reason::libraryMissing,
                       set_.what + " in " + incomplete_ + " lacks " + join(missing_, ", "), missing_.front(),
                       join(set_.required, ", ") + " in one folder",
                       (fs::path(incomplete_) / main()).string(), searched());
  }

  const LibrarySet& set_;
  const std::vector<SearchFolder>& folders_;
  std::vector<std::string> missing_, failures_;
  std::string incomplete_;  // the first folder that has the main library and not all others
};

}  // namespace

std::vector<std::string> describe(const std::vector<SearchFolder>& folders, const std::string& name) {
  std::vector<std::string> texts;
  for (const SearchFolder& folder : folders)
    texts.push_back((folder.path.empty() ? name : folder.path) +
                    (folder.origin.empty() ? "" : " (" + folder.origin + ")"));
  return texts;
}

OpenedSet openSet(const LibrarySet& set, const std::vector<SearchFolder>& folders) {
  return Opening(set, folders).run();
}

Unavailable unavailable(Reason reason, const std::string& problem, const std::string& subject,
                        const std::string& needed, const std::string& found,
                        std::vector<std::string> searched) {
  std::string message = "CUDA cannot be used: " + problem + ". Needed: " + needed + ". Found: " + found + ".";
  if (!searched.empty()) message += " Searched: " + join(searched, ", ") + ".";
  return {reason, message, subject, needed, found, std::move(searched)};
}

}  // namespace fovea::cuda

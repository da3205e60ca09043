#pragma once
#include <string>
#include <vector>

#include "libraries.h"
#include "unavailable.h"

namespace fovea::cuda {

// Libraries that must come from one folder.
struct LibrarySet {
  std::string what;                     // "cuDNN 9"
  std::vector<std::string> required{};  // names, in the order in which they are opened
  std::vector<std::string> optional{};  // opened where they are
  std::string needed{};                 // for people
};

struct OpenedSet {
  std::vector<SharedLibrary> libraries;  // the required ones, then what there was of the optional ones
  std::vector<Libraries::File> files;
  std::string folder;
};

// Opens the set from the first folder that has all of it. Throws Unavailable.
OpenedSet openSet(const LibrarySet& set, const std::vector<SearchFolder>& folders);

// How the folders are told to people: "/usr/local/cuda/lib64 (CUDA_PATH)".
std::vector<std::string> describe(const std::vector<SearchFolder>& folders, const std::string& name);

// An error whose message has all that it knows.
Unavailable unavailable(Reason reason, const std::string& problem, const std::string& subject,
                        const std::string& needed, const std::string& found,
                        std::vector<std::string> searched = {});

}  // namespace fovea::cuda

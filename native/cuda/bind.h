#pragma once
#include "library_search.h"

namespace fovea::cuda {

// Fills one entry of a table. A library without a function that the supported versions have is another
// version.
template <class F>
void bind(F*& entry, const SharedLibrary& library, const char* name, const std::string& file,
          const std::string& needed) {
  entry = reinterpret_cast<F*>(library.symbol(name));
  if (!entry)
    throw unavailable(Reason::wrongVersion, file + " has no function " + name, file, needed, library.path());
}

}  // namespace fovea::cuda

#pragma once
#include <algorithm>
#include <string>

#include "error.h"

namespace fovea {

// The place of what has this `name`; `kind` says what is looked for, for the message.
template <class List>
size_t indexOf(const List& list, const std::string& name, const std::string& kind) {
  const auto found = std::ranges::find_if(list, [&](const auto& item) { return item.name == name; });
  if (found != list.end()) return found - list.begin();
  std::string known;
  for (const auto& item : list) known += (known.empty() ? "" : ", ") + item.name;
  throw Error("INVALID_ARGUMENT", "the program has no " + kind + " " + name + "; it has: " + known, name,
              known, name);
}

inline void checkBytes(const std::string& subject, size_t expected, size_t got) {
  if (expected == got) return;
  const std::string wanted = std::to_string(expected) + " bytes", found = std::to_string(got) + " bytes";
  throw Error("SHAPE_MISMATCH", subject + ": expected " + wanted + ", got " + found, subject, wanted, found);
}

}  // namespace fovea

#pragma once
#include <optional>
#include <string>

namespace cudasim {

// What stands for machine code: which shared object has it.
struct Cubin {
  std::string path;
  int architecture;
};

inline std::string cubinOf(const std::string& path, int architecture) {
  return "CUDASIM " + std::to_string(architecture) + " " + path + std::string(1, '\0');
}

inline std::optional<Cubin> readCubin(const void* image) {
  const std::string text = static_cast<const char*>(image);
  if (!text.starts_with("CUDASIM ")) return std::nullopt;
  const size_t space = text.find(' ', 8);
  return Cubin{text.substr(space + 1), std::stoi(text.substr(8, space - 8))};
}

}  // namespace cudasim

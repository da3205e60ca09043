#include "kernel_source.h"

#include <regex>
#include <stdexcept>

namespace cudasim {
namespace {

// Calls `replace` for every match, and puts in its place what that returns.
template <class F>
std::string replaceEach(const std::string& text, const std::regex& pattern, F&& replace) {
  std::string result;
  auto last = text.cbegin();
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    result.append(last, (*match)[0].first);
    result += replace(*match);
    last = (*match)[0].second;
  }
  return result.append(last, text.cend());
}

// Conversions are the only assembly that is understood: one result, one operand.
std::string withoutAssembly(const std::string& text) {
  static const std::regex conversion(
      R"re(\basm\s*(?:volatile\s*)?\(\s*"\s*([a-z0-9.]+)\s+%0,\s*%1;\s*"\s*:\s*"=\w"\(([^()]*)\)\s*:\s*"\w"\(([^()]*)\)\s*\))re");
  std::string result = replaceEach(text, conversion, [](const std::smatch& match) {
    return match[2].str() + " = cudasim_" + std::regex_replace(match[1].str(), std::regex("\\."), "_") + "(" +
           match[3].str() + ")";
  });
  if (std::regex_search(result, std::regex(R"(\basm\s*(volatile\s*)?\()")))
    throw std::runtime_error("the simulator knows no assembly but conversions");
  return result;
}

// Dynamic shared memory is one array, whatever a kernel calls it.
std::string withDynamicShared(const std::string& text) {
  static const std::regex declaration(
      R"(\bextern\s+__shared__\s+((?:__align__\s*\([^()]*\)\s*|alignas\s*\([^()]*\)\s*)?)([\w:\s]+?)\s*\b(\w+)\s*\[\s*\]\s*;)");
  return replaceEach(text, declaration, [](const std::smatch& match) {
    return match[2].str() + "* const " + match[3].str() + " = reinterpret_cast<" + match[2].str() +
           "*>(cudasimDynamicShared);";
  });
}

std::vector<KernelDeclaration> declarations(const std::string& text) {
  static const std::regex kernel(
      R"(__global__((?:\s|void\b|static\b|inline\b|__launch_bounds__\s*\([^()]*\))+)(\w+)\s*\()");
  static const std::regex bounds(R"(__launch_bounds__\s*\(([^()]*)\))");
  std::vector<KernelDeclaration> found;
  for (std::sregex_iterator match(text.begin(), text.end(), kernel), end; match != end; ++match) {
    const std::string specifiers = (*match)[1];
    std::smatch bound;
    found.push_back({(*match)[2], std::regex_search(specifiers, bound, bounds) ? bound[1].str() : ""});
  }
  return found;
}

}  // namespace

KernelSource translate(const std::string& preprocessed) {
  static const std::regex waiting(R"(\b(__sync\w+|__shfl\w*|__ballot\w*|__any_sync|__all_sync|__trap)\b)");
  KernelSource source;
  source.kernels = declarations(preprocessed);
  source.waits = std::regex_search(preprocessed, waiting);
  source.text = withDynamicShared(withoutAssembly(preprocessed));
  return source;
}

}  // namespace cudasim

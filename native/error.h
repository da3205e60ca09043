#pragma once
#include <stdexcept>
#include <string>

namespace fovea {

// Crosses to JavaScript as a typed Error; `code` is one of ErrorCode in ts/errors.ts.
class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message, std::string subject = {}, std::string expected = {},
        std::string got = {})
      : std::runtime_error(message),
        code(std::move(code)),
        subject(std::move(subject)),
        expected(std::move(expected)),
        got(std::move(got)) {}

  const std::string code, subject, expected, got;
};

}  // namespace fovea

#include "tools/tvmodels/output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

namespace tv::cli {
namespace {

// The errno of the first write that failed: stdio keeps only the fact.
int output_error = 0;

void write_line(std::FILE* stream, const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stream);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string clean(text);
  std::replace_if(
      clean.begin(), clean.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return clean;
}

void print(std::string_view text) {
  const std::string line = std::string(text) + "\n";
  errno = 0;
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() && output_error == 0)
    output_error = errno;
}

void print_json(const nlohmann::ordered_json& value, int indent) {
  print(value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

int report(const Error& error) {
  write_line(stderr, "tvmodels: " + printable(error.text()) + "\n");
  return kFailure;
}

int report_usage(const Error& error, const char* command) {
  std::string help = "see tvmodels ";
  if (command != nullptr) help += std::string(command) + " ";
  report({error.code, error.what,
          error.hint.empty() ? help + "--help" : error.hint + "; " + help + "--help"});
  return kUsage;
}

void warn(std::string_view text) {
  write_line(stderr, "tvmodels: warning: " + printable(text) + "\n");
}

Status flush_output() {
  errno = 0;
  if (std::fflush(stdout) != 0 && output_error == 0) output_error = errno;
  if (output_error == 0 && std::ferror(stdout) == 0) return {};
  return Error{output_error == EPIPE ? Code::kCancelled : Code::kUnwritable,
               "cannot write to standard output: " + std::generic_category().message(output_error),
               ""};
}

}  // namespace tv::cli

#include "tools/tvmodels/output.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

namespace tv::cli {
namespace {

// The errno of the first write that failed: stdio keeps only the fact.
int output_error = 0;

bool progress_shown = false;

void leave_progress() {
  if (progress_shown) std::fputc('\n', stderr);
  progress_shown = false;
}

void write_error(const std::string& text) {
  leave_progress();
  std::fputs((printable(text) + "\n").c_str(), stderr);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string clean(text);
  std::replace_if(
      clean.begin(), clean.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return clean;
}

void print(std::string_view text) {
  leave_progress();
  const std::string line = std::string(text) + "\n";
  errno = 0;
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() && output_error == 0)
    output_error = errno;
}

void print_json(const nlohmann::ordered_json& value, int indent) {
  print(value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

int report(const Error& error) {
  write_error("tvmodels: " + error.text());
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
  write_error("tvmodels: warning: " + std::string(text));
}

void note(std::string_view text) {
  if (isatty(STDERR_FILENO) != 0) write_error("tvmodels: " + std::string(text));
}

void show_progress(std::string_view text) {
  std::fputs(("\r" + printable(text)).c_str(), stderr);
  progress_shown = true;
}

Status flush_output() {
  leave_progress();
  errno = 0;
  if (std::fflush(stdout) != 0 && output_error == 0) output_error = errno;
  if (output_error == 0 && std::ferror(stdout) == 0) return {};
  return Error{output_error == EPIPE ? Code::kCancelled : Code::kUnwritable,
               "cannot write to standard output: " + std::generic_category().message(output_error),
               ""};
}

}  // namespace tv::cli

#include "model_registry/hub/hub.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "model_registry/hub/fetch.hpp"

namespace tv {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// $HOME, else the user database's; empty when neither knows one.
std::string home_folder() {
  if (std::string home = environment("HOME"); !home.empty()) return home;
  std::array<char, 4096> buffer{};
  passwd record{};
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &record, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return {};
  return found->pw_dir;
}

// Python's expanduser for the caller's own home, then absolute. Empty when there is no home to put
// in.
std::string expand(const std::string& path) {
  std::string expanded = path;
  if (path == "~" || path.starts_with("~/")) {
    const std::string home = home_folder();
    if (home.empty()) return {};
    expanded = home + path.substr(1);
  }
  std::error_code ignored;
  const std::filesystem::path absolute = std::filesystem::absolute(expanded, ignored);
  return (ignored ? std::filesystem::path(expanded) : absolute.lexically_normal()).string();
}

}  // namespace

std::string cache_dir() {
  std::string torch_home = environment("TORCH_HOME");
  if (torch_home.empty()) {
    std::string cache = environment("XDG_CACHE_HOME");
    torch_home = (cache.empty() ? "~/.cache" : cache) + "/torch";
  }
  torch_home = expand(torch_home + "/hub/checkpoints");
  return torch_home;
}

std::string cache_path(const Weights& weights) {
  if (!weights.file.empty()) return std::string(weights.file);
  return cache_dir() + "/" + std::string(weights.file_name());
}

bool digest_matches(std::string_view sha256, std::string_view expected) {
  constexpr std::size_t kFullDigits = 64;
  constexpr std::size_t kLeastDigits = 8;  // anything shorter would match by accident
  if (sha256.size() != kFullDigits) return false;
  if (expected.empty()) return true;
  return expected.size() >= kLeastDigits && sha256.starts_with(expected);
}

Result<FileBytes> fetch_weights(const Weights& weights, const FetchOptions& options) {
  return hub::fetch(weights, options, hub::Limits{});
}

}  // namespace tv

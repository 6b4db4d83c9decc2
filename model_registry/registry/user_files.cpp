#include "model_registry/registry/user_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "model_registry/io/descriptor.hpp"
#include "model_registry/registry/text.hpp"

namespace tv {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 10000;

Error system_error(const std::string& path, int code) {
  return {code == ENOENT || code == ENOTDIR ? Code::kNotFound : Code::kUnreadable,
          in_quotes(path) + ": " + std::generic_category().message(code), ""};
}

}  // namespace

Result<std::string> read_small_file(const std::string& path, std::size_t limit) {
  // O_NONBLOCK: opening a pipe that nobody writes to must not wait.
  const io::Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) return system_error(path, errno);
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return system_error(path, errno);
  if (!S_ISREG(status.st_mode))
    return Error{Code::kUnreadable, in_quotes(path) + ": expected a regular file", ""};
  std::string bytes;
  char chunk[16384];
  while (bytes.size() <= limit) {
    const ssize_t got = ::read(file.get(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(path, errno);
    if (got == 0) return bytes;
    bytes.append(chunk, static_cast<std::size_t>(got));
  }
  return Error{
      Code::kInvalidArgument,
      in_quotes(path) + ": expected at most " + std::to_string(limit) + " bytes, found more", ""};
}

Result<std::vector<std::string>> expand_json_path(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error || !fs::exists(status)) return system_error(path, error ? error.value() : ENOENT);
  if (!fs::is_directory(status)) return std::vector<std::string>{path};
  std::vector<std::string> files;
  fs::directory_iterator item(path, error);
  for (; !error && item != fs::directory_iterator(); item.increment(error)) {
    const std::string name = item->path().filename().string();
    if (name.front() == '.' || item->path().extension() != ".json") continue;
    if (files.size() == kMostFiles) {
      return Error{Code::kInvalidArgument,
                   in_quotes(path) + ": expected at most " + std::to_string(kMostFiles) +
                       " *.json files, found more",
                   ""};
    }
    files.push_back(item->path().string());
  }
  if (error) return system_error(path, error.value());
  std::sort(files.begin(), files.end());
  return files;
}

bool path_exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string absolute_path(const std::string& folder, const std::string& path) {
  const fs::path joined = fs::path(folder) / path;  // an absolute `path` replaces the folder
  std::error_code error;
  const fs::path absolute = fs::absolute(joined, error);
  return (error ? joined : absolute).lexically_normal().string();
}

std::string parent_folder(const std::string& path) {
  return fs::path(path).parent_path().string();
}

std::string file_identity(const std::string& path) {
  std::error_code error;
  const fs::path canonical = fs::canonical(path, error);
  return error ? absolute_path("", path) : canonical.string();
}

}  // namespace tv

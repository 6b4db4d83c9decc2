#include "model_registry/checkpoint/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "model_registry/checkpoint/fault.hpp"

namespace tv::checkpoint {

Error AtomicFile::failure(const char* doing, int error) const {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return {full ? Code::kNoSpace : Code::kUnwritable,
          printable(path_) + ": cannot " + doing + ": " + std::generic_category().message(error),
          full ? "free some space" : "check that the folder exists and can be written to"};
}

Status AtomicFile::open(const std::string& path) {
  path_ = path;
  if (path.empty() || path.find('\0') != path.npos)
    return Error{Code::kUnwritable, "an empty path, or one with a NUL byte, names no file", ""};
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    return Error{Code::kUnwritable, printable(path) + ": exists and is no regular file",
                 "choose another name"};
  // Beside it, for a file can be renamed within its file system alone.
  const std::string folder = path.substr(0, path.find_last_of('/') + 1);
  if (const int error = file_.create(AT_FDCWD, folder, 0666); error != 0)
    return failure("create a temporary file beside it", error);
  return {};
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  if (const int error = file_.write(bytes); error != 0) return failure("write", error);
  return {};
}

Status AtomicFile::commit() {
  if (const int error = file_.sync(); error != 0) return failure("write", error);
  if (const int error = file_.publish(path_); error != 0) return failure("replace it", error);
  return {};
}

}  // namespace tv::checkpoint

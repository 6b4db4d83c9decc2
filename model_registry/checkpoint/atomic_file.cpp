#include "model_registry/checkpoint/atomic_file.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "model_registry/checkpoint/fault.hpp"

namespace tv::checkpoint {
namespace {

constexpr int kAttempts = 16;

std::string random_suffix() {
  constexpr char kLetters[] = "0123456789abcdef";
  unsigned char bytes[8] = {};
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) return ".tmp";
  std::string text = ".";
  for (const unsigned char byte : bytes) {
    text += kLetters[byte >> 4];
    text += kLetters[byte & 15];
  }
  return text + ".tmp";
}

}  // namespace

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

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
  for (int attempt = 0; attempt < kAttempts && fd_ < 0; ++attempt) {
    temporary_ = path + random_suffix();
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd_ < 0 && errno != EEXIST) break;
  }
  if (fd_ >= 0) return {};
  temporary_.clear();
  return failure("create a temporary file beside it", errno);
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure("write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset_ += static_cast<std::uint64_t>(count);
  }
  return {};
}

Status AtomicFile::commit() {
  if (::fsync(fd_) != 0) return failure("write", errno);
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0) return failure("write", errno);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return failure("replace it", errno);
  temporary_.clear();
  return {};
}

}  // namespace tv::checkpoint

// One descriptor is opened, judged, read and hashed, so that what is parsed is what was hashed.
#include "model_registry/io/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "model_registry/io/descriptor.hpp"
#include "model_registry/io/openssl_pass.hpp"
#include "model_registry/io/sha256.hpp"
#include "model_registry/io/utf8.hpp"

namespace tv {
namespace {

std::string_view type_text(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

Error unreadable(const std::string& path, std::string_view what, std::string hint = {}) {
  return {Code::kUnreadable, io::printable(path) + ": " + std::string(what), std::move(hint)};
}

Error open_error(const std::string& path, int error) {
  const std::string text = std::generic_category().message(error);
  if (error == ENOENT || error == ENOTDIR)
    return {Code::kNotFound, io::printable(path) + ": " + text, "check the path"};
  return unreadable(path, "cannot be opened: " + text);
}

// Reads exactly `size` bytes and expects the end behind them.
Status read_all(int fd, const std::string& path, std::byte* out, std::size_t size, io::Sha256& hash,
                const CancelCheck& cancelled) {
  constexpr std::size_t kChunk = std::size_t{1} << 20;  // hashed while it is still in the cache
  std::size_t done = 0;
  while (true) {
    TV_RETURN_IF_ERROR(check_cancelled(cancelled, "reading " + io::printable(path)));
    std::byte beyond;
    std::byte* target = done < size ? out + done : &beyond;
    const ssize_t count = ::read(fd, target, done < size ? std::min(kChunk, size - done) : 1);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return unreadable(path, "cannot be read: " + std::generic_category().message(errno));
    if (count == 0 && done == size) return {};
    if (count == 0 || done == size)
      return unreadable(path, "changed its size while it was read",
                        "try again when nobody writes to it");
    hash.update({target, static_cast<std::size_t>(count)});
    done += static_cast<std::size_t>(count);
  }
}

}  // namespace

Result<FileBytes> read_file(const std::string& path, std::uint64_t max_size,
                            const CancelCheck& cancelled) {
  constexpr std::size_t kAlignment = 64;
  if (path.empty() || path.find('\0') != path.npos)
    return Error{Code::kNotFound, "an empty path, or one with a NUL byte, names no file", ""};
  // Non-blocking: opening a FIFO must not wait for its writer. It means nothing to a regular file.
  const io::Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) return open_error(path, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return open_error(path, errno);
  if (!S_ISREG(info.st_mode))
    return unreadable(path,
                      "is " + std::string(type_text(info.st_mode)) + ", expected a regular file");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size == 0) return unreadable(path, "is empty", "the file was cut short: fetch it again");
  if (size > max_size)
    return unreadable(path, "has " + std::to_string(size) + " bytes, at most " +
                                std::to_string(max_size) + " are read");
  const std::size_t rounded = (size + kAlignment - 1) / kAlignment * kAlignment;
  const std::shared_ptr<std::byte> data(
      static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)), std::free);
  if (!data)
    return Error{
        Code::kUnavailable,
        io::printable(path) + ": not enough memory for its " + std::to_string(size) + " bytes", ""};
  io::Sha256 hash;
  TV_RETURN_IF_ERROR(read_all(file.get(), path, data.get(), size, hash, cancelled));
  std::string digest = hash.finish();
  if (digest.empty() && io::is_exiting())
    return Error{Code::kCancelled, io::printable(path) + ": the process is exiting", ""};
  if (digest.empty())
    return Error{Code::kInternal, io::printable(path) + ": OpenSSL cannot compute SHA-256", ""};
  return FileBytes{data, static_cast<std::size_t>(size), path, std::move(digest)};
}

}  // namespace tv

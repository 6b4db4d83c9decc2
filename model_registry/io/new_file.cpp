#include "model_registry/io/new_file.hpp"

#include <fcntl.h>
#include <sys/random.h>

#include <cstdio>

namespace tv::io {
namespace {

// ".tv-" + 16 hex digits + ".part"
constexpr std::string_view kPrefix = ".tv-";
constexpr std::string_view kSuffix = ".part";
constexpr std::size_t kRandomDigits = 16;
constexpr std::string_view kHex = "0123456789abcdef";

std::string temporary_name() {
  unsigned char random[kRandomDigits / 2] = {};
  // At most 256 bytes never come back short; before the kernel's pool is ready the call waits.
  while (getrandom(random, sizeof random, 0) < 0 && errno == EINTR) {
  }
  std::string name(kPrefix);
  for (const unsigned char byte : random) {
    name += kHex[byte >> 4];
    name += kHex[byte & 15];
  }
  return name.append(kSuffix);
}

}  // namespace

bool is_temporary_name(std::string_view name) {
  return name.size() == kPrefix.size() + kRandomDigits + kSuffix.size() &&
         name.starts_with(kPrefix) && name.ends_with(kSuffix) &&
         name.substr(kPrefix.size(), kRandomDigits).find_first_not_of(kHex) == name.npos;
}

NewFile::~NewFile() {
  if (!name_.empty()) unlinkat(folder_, name_.c_str(), 0);
}

int NewFile::create(int folder, std::string_view prefix, mode_t mode) {
  std::string name = std::string(prefix) + temporary_name();
  file_ = Descriptor(
      openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (file_.get() < 0) return errno;
  folder_ = folder;
  name_ = std::move(name);
  return 0;
}

int NewFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    size_ += static_cast<std::uint64_t>(count);
  }
  return 0;
}

int NewFile::sync() {
  return fsync(file_.get()) != 0 ? errno : file_.close();
}

int NewFile::publish(const std::string& name) {
  if (renameat(folder_, name_.c_str(), folder_, name.c_str()) != 0) return errno;
  name_.clear();
  return 0;
}

}  // namespace tv::io

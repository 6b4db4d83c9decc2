// The cache folder as a place to write: made private, checked, swept; files appear in it whole or
// not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "model_registry/error.hpp"
#include "model_registry/hub/limits.hpp"
#include "model_registry/hub/sha256.hpp"

namespace tv::hub {

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }
  /// 0, or the errno of close(): a write error may be reported no earlier.
  int close();

 private:
  int fd_;
};

/// Opens the cache folder for writing; folders that do not exist are created with mode 0700.
/// Temporary files that an earlier process of ours left behind longer ago than
/// Limits::stale_temporary are removed. Fails: Unwritable (cannot be created, writable by
/// everybody, owned by another user), NoSpace.
Result<Descriptor> open_cache_folder(const std::string& folder, const Limits& limits);

/// A file with a random name in the cache folder, not there before (O_EXCL, O_NOFOLLOW); removed
/// again unless publish() succeeded. Hashes what is written.
class TempFile {
 public:
  /// `folder` must outlive the file; `folder_path` is for messages and path().
  /// Fails: Unwritable, NoSpace.
  static Result<TempFile> create(const Descriptor& folder, std::string folder_path);
  TempFile(TempFile&& other) noexcept;
  TempFile& operator=(TempFile&&) = delete;
  ~TempFile();

  /// Fails: NoSpace (with the space that is left), Unwritable.
  Status write(std::span<const std::byte> bytes);
  /// Forces the bytes to the disk and closes the file. Fails as write() does.
  Status sync();
  /// Gives the file its final name, replacing what had it, and forces the folder to the disk. After
  /// sync() only.
  Status publish(const std::string& name);

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  /// Digest of everything written, 64 hex digits; ask once, when done.
  std::string sha256() { return hash_.finish(); }

 private:
  TempFile(int folder, std::string name, std::string path, int fd)
      : folder_(folder), name_(std::move(name)), path_(std::move(path)), file_(fd) {}
  Error failure(const std::string& doing, int error) const;

  int folder_;
  std::string name_;  // empty: nothing to remove
  std::string path_;
  Descriptor file_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
};

}  // namespace tv::hub

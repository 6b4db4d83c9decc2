// A file that appears under its name whole or not at all.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "model_registry/io/descriptor.hpp"

namespace tv::io {

/// A file of its own under a random name, until publish() gives it another; removed again where
/// that does not happen. Each function returns 0 or an errno: what that means to the user is for
/// the caller to say.
class NewFile {
 public:
  NewFile() = default;
  NewFile(NewFile&& other) noexcept
      : folder_(other.folder_),
        name_(std::exchange(other.name_, {})),
        file_(std::move(other.file_)),
        size_(other.size_) {}
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  /// Once. Never opens what is there already, nor follows a link (O_EXCL, O_NOFOLLOW). `folder` is
  /// a descriptor which must outlive the file, or AT_FDCWD; `prefix` comes before every name, empty
  /// or ending in a slash.
  int create(int folder, std::string_view prefix, mode_t mode);
  /// All bytes, or an error.
  int write(std::span<const std::byte> bytes);
  /// Forces the bytes to the disk and closes the file.
  int sync();
  /// Gives the file its name (`prefix` is not added), replacing what had it. After sync() only.
  int publish(const std::string& name);

  /// With the prefix; empty before create() and after publish().
  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }

 private:
  int folder_ = -1;
  std::string name_;  // empty: nothing to remove
  Descriptor file_;
  std::uint64_t size_ = 0;
};

/// True for names that create() makes, without the prefix: nobody else's files look like this.
bool is_temporary_name(std::string_view name);

}  // namespace tv::io

// A file that appears under its name only when all of it is on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "model_registry/error.hpp"

namespace tv::checkpoint {

/// Writes to a temporary file beside the target; commit() renames it. Destroyed uncommitted, it
/// leaves nothing.
class AtomicFile {
 public:
  AtomicFile() = default;
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Fails: Unwritable (also where the target exists and is no regular file), NoSpace.
  Status open(const std::string& path);
  Status write(std::span<const std::byte> bytes);
  Status commit();
  std::uint64_t offset() const { return offset_; }

 private:
  Error failure(const char* doing, int error) const;

  std::string path_, temporary_;
  int fd_ = -1;
  std::uint64_t offset_ = 0;
};

}  // namespace tv::checkpoint

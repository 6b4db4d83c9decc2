// The target of a save: keeps what it had until all of the new file is on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "model_registry/error.hpp"
#include "model_registry/io/new_file.hpp"

namespace tv::checkpoint {

/// Writes to a temporary file beside the target; commit() renames it. Destroyed uncommitted, it
/// leaves nothing.
class AtomicFile {
 public:
  /// Fails: Unwritable (also where the target exists and is no regular file), NoSpace.
  Status open(const std::string& path);
  Status write(std::span<const std::byte> bytes);
  Status commit();
  std::uint64_t offset() const { return file_.size(); }

 private:
  Error failure(const char* doing, int error) const;

  std::string path_;
  io::NewFile file_;
};

}  // namespace tv::checkpoint

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
#include "model_registry/io/descriptor.hpp"
#include "model_registry/io/new_file.hpp"
#include "model_registry/io/sha256.hpp"

namespace tv::hub {

/// Whether a file in the folder may be trusted to stay what it is: it belongs to the user or the
/// administrator, and nobody else may write to it, the members of a group neither, unless it is the
/// owner's private one. The administrator may use anybody's. A folder that does not exist passes.
/// Fails: Unwritable.
Status check_cache_folder(const std::string& folder);

/// Opens the cache folder for writing, after the same check; folders that do not exist are created
/// with mode 0700. Temporary files that an earlier process of ours left behind longer ago than
/// Limits::stale_temporary are removed. Fails: Unwritable (cannot be created, or the check),
/// NoSpace.
Result<io::Descriptor> open_cache_folder(const std::string& folder, const Limits& limits);

/// A new file in the cache folder (see io::NewFile), removed again unless publish() succeeded.
/// Hashes what is written; errors say what to do about the cache folder.
class TempFile {
 public:
  /// `folder` must outlive the file; `folder_path` is for messages and path().
  /// Fails: Unwritable, NoSpace.
  static Result<TempFile> create(const io::Descriptor& folder, std::string folder_path);

  /// Fails: NoSpace (with the space that is left), Unwritable.
  Status write(std::span<const std::byte> bytes);
  /// Forces the bytes to the disk and closes the file. Fails as write() does.
  Status sync();
  /// Gives the file its final name, replacing what had it, and forces the folder to the disk. After
  /// sync() only.
  Status publish(const std::string& name);

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return file_.size(); }
  /// Digest of everything written, 64 hex digits; ask once, when done.
  std::string sha256() { return hash_.finish(); }

 private:
  TempFile(int folder, std::string path, io::NewFile file)
      : folder_(folder), path_(std::move(path)), file_(std::move(file)) {}
  Error failure(const std::string& doing, int error) const;

  int folder_;
  std::string path_;
  io::NewFile file_;
  io::Sha256 hash_;
};

}  // namespace tv::hub

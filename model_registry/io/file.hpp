// A whole file in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "model_registry/cancel.hpp"
#include "model_registry/error.hpp"

namespace tv {

/// A whole file in memory, read and hashed from one open descriptor.
struct FileBytes {
  std::shared_ptr<const std::byte> data;  ///< 64-byte aligned
  std::size_t size = 0;
  std::string path;    ///< for messages
  std::string sha256;  ///< 64 lower-case hex digits
  std::span<const std::byte> span() const { return {data.get(), size}; }
};

/// Bytes of the largest file that is read; the largest published one has 2.5 GiB.
inline constexpr std::uint64_t kLargestFile = std::uint64_t{8} << 30;

/// Reads a regular file (no directory, FIFO or device; never blocks on open). At most `max_size`
/// bytes. Fails: NotFound, Unreadable (empty files too), Unavailable (no memory), Cancelled, each
/// with the path.
Result<FileBytes> read_file(const std::string& path, std::uint64_t max_size = kLargestFile,
                            const CancelCheck& cancelled = {});

}  // namespace tv

// A zip archive of stored records, each beginning at a multiple of 64 bytes, as torch.save lays
// them out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model_registry/checkpoint/atomic_file.hpp"
#include "model_registry/error.hpp"

namespace tv::checkpoint {

class ZipWriter {
 public:
  /// `folder` comes before every record's name.
  ZipWriter(AtomicFile& file, std::string folder) : file_(file), folder_(std::move(folder)) {}

  /// Fails with Unsupported when the archive would pass 4 GiB (no zip64 is written).
  Status add(std::string_view name, std::span<const std::byte> bytes);
  Status add(std::string_view name, std::string_view text) {
    return add(name, std::as_bytes(std::span(text)));
  }
  /// The central directory. Nothing may be added after.
  Status finish();

 private:
  struct Entry {
    std::string name;
    std::uint32_t offset, size, crc32;
  };
  Status write(const std::string& bytes) { return file_.write(std::as_bytes(std::span(bytes))); }

  AtomicFile& file_;
  std::string folder_;
  std::vector<Entry> entries_;
};

}  // namespace tv::checkpoint

// The records of a zip archive, as strict as torch.save's own files are regular: records, central
// directory and end records tile the file from its first byte to its last, local and central
// headers agree, and no name is odd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "model_registry/checkpoint/budget.hpp"
#include "model_registry/error.hpp"

namespace tv::checkpoint {

struct ZipRecord {
  std::string_view name;            ///< whole, "archive/data/0"; points into the file
  std::uint64_t header_offset = 0;  ///< of the local header
  std::uint64_t data_offset = 0;
  std::uint64_t stored_size = 0;  ///< bytes in the file
  std::uint64_t size = 0;         ///< bytes after inflating; equal to stored_size unless deflated
  std::uint32_t crc32 = 0;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;  ///< 0 stored, 8 deflated
};

/// Every record of the archive, sorted by name. Folder entries are checked and left out.
/// Fails with BadCheckpoint; time O(n log n) in the records.
Result<std::vector<ZipRecord>> read_zip_directory(std::span<const std::byte> file,
                                                  std::string_view path, Budget& budget);

struct RecordBytes {
  const std::byte* data = nullptr;
  std::size_t size = 0;
  std::shared_ptr<const void> owner;  ///< of inflated bytes; null where `data` points into the file
};

/// The bytes of one record with their CRC-32 checked; inflated ones are charged to the budget.
Result<RecordBytes> open_record(std::span<const std::byte> file, std::string_view path,
                                const ZipRecord& record, Budget& budget);

}  // namespace tv::checkpoint

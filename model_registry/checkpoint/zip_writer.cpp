#include "model_registry/checkpoint/zip_writer.hpp"

#include <zlib.h>

namespace tv::checkpoint {
namespace {

constexpr std::uint64_t kAlignment = 64;
constexpr std::uint64_t kMaxArchive = 0xFFFFFFFE;
constexpr std::uint64_t kLocalSize = 30;
constexpr std::uint16_t kVersionNeeded = 20;
constexpr std::uint16_t kUtf8Flag = 1 << 11;
constexpr std::uint16_t kEpochDate = 33;  // 1980-01-01: zip has no earlier day

void put16(std::string& out, std::uint64_t value) {
  out += static_cast<char>(value & 0xFF);
  out += static_cast<char>(value >> 8 & 0xFF);
}
void put32(std::string& out, std::uint64_t value) {
  put16(out, value & 0xFFFF);
  put16(out, value >> 16 & 0xFFFF);
}

// What local and central headers share: from "version needed" to the name's length.
void put_common(std::string& out, std::uint32_t crc, std::uint32_t size, std::size_t name_length) {
  put16(out, kVersionNeeded);
  put16(out, kUtf8Flag);
  put16(out, 0);  // stored
  put16(out, 0);  // time
  put16(out, kEpochDate);
  put32(out, crc);
  put32(out, size);
  put32(out, size);
  put16(out, name_length);
}

}  // namespace

Status ZipWriter::add(std::string_view name, std::span<const std::byte> bytes) {
  Entry entry;
  entry.name = folder_ + "/" + std::string(name);
  const std::uint64_t at = file_.offset();
  if (bytes.size() > kMaxArchive || at + bytes.size() > kMaxArchive - 65536)
    return Error{Code::kUnsupported, "a weight file of more than 4 GiB cannot be written", ""};
  // The padding is an extra field, at least its own four bytes long.
  const std::uint64_t bare = at + kLocalSize + entry.name.size() + 4;
  const std::uint64_t padding = (kAlignment - bare % kAlignment) % kAlignment;
  entry.offset = static_cast<std::uint32_t>(at);
  entry.size = static_cast<std::uint32_t>(bytes.size());
  entry.crc32 = static_cast<std::uint32_t>(
      crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  std::string header;
  put32(header, 0x04034b50);
  put_common(header, entry.crc32, entry.size, entry.name.size());
  put16(header, padding + 4);
  header += entry.name;
  header += "FB";  // PyTorch's own id for this padding
  put16(header, padding);
  header.append(padding, 'Z');
  TV_RETURN_IF_ERROR(write(header));
  TV_RETURN_IF_ERROR(file_.write(bytes));
  entries_.push_back(std::move(entry));
  return {};
}

Status ZipWriter::finish() {
  const std::uint64_t begin = file_.offset();
  std::string directory;
  for (const Entry& entry : entries_) {
    put32(directory, 0x02014b50);
    put16(directory, kVersionNeeded);  // made by
    put_common(directory, entry.crc32, entry.size, entry.name.size());
    put16(directory, 0);  // extra
    put16(directory, 0);  // comment
    put16(directory, 0);  // disk
    put16(directory, 0);  // internal attributes
    put32(directory, 0);  // external attributes
    put32(directory, entry.offset);
    directory += entry.name;
  }
  if (entries_.size() >= 0xFFFF || begin + directory.size() > kMaxArchive)
    return Error{Code::kUnsupported,
                 "a weight file of more than 65534 tensors or 4 GiB cannot be written", ""};
  std::string end;
  put32(end, 0x06054b50);
  put32(end, 0);  // disks
  put16(end, entries_.size());
  put16(end, entries_.size());
  put32(end, directory.size());
  put32(end, begin);
  put16(end, 0);  // comment
  return write(directory + end);
}

}  // namespace tv::checkpoint

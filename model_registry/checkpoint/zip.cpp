#include "model_registry/checkpoint/zip.hpp"

#include <algorithm>
#include <string>
#include <tuple>

#include "model_registry/checkpoint/bytes.hpp"
#include "model_registry/checkpoint/fault.hpp"

namespace tv::checkpoint {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kLocator64Signature = 0x07064b50;
constexpr std::uint32_t kDescriptorSignature = 0x08074b50;
constexpr std::uint64_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56,
                        kLocator64Size = 20;
constexpr std::uint32_t kMax32 = 0xFFFFFFFF;
constexpr std::uint16_t kMax16 = 0xFFFF;
constexpr std::uint16_t kStored = 0, kDeflated = 8;

constexpr std::uint16_t kFlagEncrypted = 1 << 0;
constexpr std::uint16_t kFlagDescriptor = 1 << 3;
// Bits 1 and 2 tell how hard deflate tried, bit 3 a data descriptor, bit 11 that names are UTF-8.
constexpr std::uint16_t kAllowedFlags = 1 << 1 | 1 << 2 | kFlagDescriptor | 1 << 11;

class DirectoryReader {
 public:
  DirectoryReader(std::span<const std::byte> file, std::string_view path, Budget& budget)
      : file_(file), place_{path, "zip directory", 0}, budget_(budget) {}

  Result<std::vector<ZipRecord>> run() {
    TV_RETURN_IF_ERROR(read_end());
    TV_RETURN_IF_ERROR(read_central());
    TV_RETURN_IF_ERROR(check_tiling());
    std::erase_if(records_, [](const ZipRecord& r) { return r.name.ends_with('/'); });
    std::sort(records_.begin(), records_.end(), [](const auto& a, const auto& b) {
      return std::tie(a.name, a.header_offset) < std::tie(b.name, b.header_offset);
    });
    // The later copy's own header, not its entry in the directory.
    for (std::size_t i = 1; i < records_.size(); ++i)
      if (records_[i].name == records_[i - 1].name)
        return refuse({.path = place_.path, .record = ""}, records_[i].header_offset,
                      "record " + quoted(records_[i].name) + " occurs twice");
    return std::move(records_);
  }

 private:
  template <typename T>
  T load(std::uint64_t offset) const {
    return load_le<T>(file_.data() + offset);
  }
  Error bad(std::uint64_t offset, std::string_view what,
            std::string_view hint = kDamagedHint) const {
    return refuse(place_, offset, what, hint);
  }
  Status read_end();
  Status read_end64(std::uint64_t end);
  Error missing_end() const;
  Status read_central();
  Result<ZipRecord> read_entry(std::uint64_t at, std::uint64_t* next) const;
  Status apply_extra64(std::uint64_t at, std::uint64_t length, ZipRecord* record, bool size,
                       bool stored, bool offset) const;
  Status check_name(std::uint64_t at, std::string_view name) const;
  Status check_tiling();
  Status check_local(ZipRecord* record, std::uint64_t end) const;
  Status check_local_sizes(const ZipRecord& record, std::uint64_t extra_length) const;
  Status check_descriptor(const ZipRecord& record, std::uint64_t at, std::uint64_t length) const;

  std::span<const std::byte> file_;
  Place place_;
  Budget& budget_;
  std::uint64_t entries_ = 0, directory_offset_ = 0, directory_end_ = 0;
  std::vector<ZipRecord> records_;
};

Error DirectoryReader::missing_end() const {
  // Not at the very end: say whether something follows it, or it is not there at all. A comment may
  // take 65535 bytes.
  const std::uint64_t size = file_.size();
  const std::uint64_t lowest = size > kEndSize + kMax16 ? size - kEndSize - kMax16 : 0;
  for (std::uint64_t at = size - kEndSize; at-- > lowest;)
    if (load<std::uint32_t>(at) == kEndSignature)
      return bad(at,
                 std::to_string(size - at - kEndSize) + " bytes follow the end of the zip archive");
  return bad(size, "the zip archive has no end record: the file was cut short");
}

Status DirectoryReader::read_end() {
  if (file_.size() < kEndSize)
    return bad(0, "the zip archive has no end record: the file was cut short");
  const std::uint64_t end = file_.size() - kEndSize;
  if (load<std::uint32_t>(end) != kEndSignature) return missing_end();
  if (load<std::uint16_t>(end + 20) != 0)
    return bad(end, "the zip archive ends inside its comment");
  if (load<std::uint16_t>(end + 4) != 0 || load<std::uint16_t>(end + 6) != 0)
    return bad(end, "the zip archive spans several disks");
  entries_ = load<std::uint16_t>(end + 10);
  directory_offset_ = load<std::uint32_t>(end + 16);
  if (load<std::uint16_t>(end + 8) != entries_)
    return bad(end, "the zip archive spans several disks");
  std::uint64_t directory_size = load<std::uint32_t>(end + 12);
  directory_end_ = end;
  if (end >= kLocator64Size && load<std::uint32_t>(end - kLocator64Size) == kLocator64Signature) {
    TV_RETURN_IF_ERROR(read_end64(end));
    directory_size = load<std::uint64_t>(directory_end_ + 40);
  } else if (entries_ == kMax16 || directory_offset_ == kMax32 || directory_size == kMax32) {
    return bad(end, "the zip archive asks for a zip64 end record that is not there");
  }
  if (directory_offset_ > directory_end_ || directory_end_ - directory_offset_ != directory_size)
    return bad(end, "the zip directory of " + std::to_string(directory_size) + " bytes at " +
                        std::to_string(directory_offset_) +
                        " does not end where the end record begins");
  if (entries_ > directory_size / kCentralSize)
    return bad(end, "the zip directory is too small for " + std::to_string(entries_) + " records");
  return {};
}

Status DirectoryReader::read_end64(std::uint64_t end) {
  const std::uint64_t locator = end - kLocator64Size;
  if (load<std::uint32_t>(locator + 4) != 0 || load<std::uint32_t>(locator + 16) != 1)
    return bad(locator, "the zip archive spans several disks");
  if (locator < kEnd64Size || load<std::uint64_t>(locator + 8) != locator - kEnd64Size)
    return bad(locator, "the zip64 locator does not point to the zip64 end record");
  const std::uint64_t at = locator - kEnd64Size;
  if (load<std::uint32_t>(at) != kEnd64Signature || load<std::uint64_t>(at + 4) != kEnd64Size - 12)
    return bad(at, "the zip64 end record is damaged");
  if (load<std::uint32_t>(at + 16) != 0 || load<std::uint32_t>(at + 20) != 0 ||
      load<std::uint64_t>(at + 24) != load<std::uint64_t>(at + 32))
    return bad(at, "the zip archive spans several disks");
  const std::uint64_t entries = load<std::uint64_t>(at + 32);
  const std::uint64_t directory_size = load<std::uint64_t>(at + 40);
  const std::uint64_t directory_offset = load<std::uint64_t>(at + 48);
  const auto agrees = [](std::uint64_t small, std::uint64_t saturated, std::uint64_t large) {
    return small == saturated || small == large;
  };
  if (!agrees(entries_, kMax16, entries) || !agrees(directory_offset_, kMax32, directory_offset) ||
      !agrees(load<std::uint32_t>(end + 12), kMax32, directory_size))
    return bad(at, "the zip64 end record contradicts the end record");
  entries_ = entries;
  directory_offset_ = directory_offset;
  directory_end_ = at;
  return {};
}

Status DirectoryReader::read_central() {
  if (!budget_.charge(entries_ * sizeof(ZipRecord))) return over_budget(place_, directory_offset_);
  records_.reserve(entries_);
  std::uint64_t at = directory_offset_;
  for (std::uint64_t i = 0; i < entries_; ++i) {
    TV_ASSIGN_OR_RETURN(ZipRecord record, read_entry(at, &at));
    records_.push_back(record);
  }
  if (at != directory_end_)
    return bad(at, std::to_string(directory_end_ - at) +
                       " bytes follow the last entry of the zip directory");
  return {};
}

Result<ZipRecord> DirectoryReader::read_entry(std::uint64_t at, std::uint64_t* next) const {
  if (directory_end_ - at < kCentralSize || load<std::uint32_t>(at) != kCentralSignature)
    return bad(at, "the zip directory is damaged: no entry here");
  ZipRecord record;
  record.flags = load<std::uint16_t>(at + 8);
  record.method = load<std::uint16_t>(at + 10);
  record.crc32 = load<std::uint32_t>(at + 16);
  record.stored_size = load<std::uint32_t>(at + 20);
  record.size = load<std::uint32_t>(at + 24);
  const std::uint64_t name_length = load<std::uint16_t>(at + 28);
  const std::uint64_t extra_length = load<std::uint16_t>(at + 30);
  const std::uint64_t comment_length = load<std::uint16_t>(at + 32);
  record.header_offset = load<std::uint32_t>(at + 42);
  const std::uint64_t length = kCentralSize + name_length + extra_length + comment_length;
  if (directory_end_ - at < length)
    return bad(at, "an entry of the zip directory reaches beyond its end");
  *next = at + length;
  record.name = {reinterpret_cast<const char*>(file_.data()) + at + kCentralSize, name_length};
  TV_RETURN_IF_ERROR(check_name(at, record.name));
  if (load<std::uint16_t>(at + 34) != 0) return bad(at, "the zip archive spans several disks");
  if ((record.flags & kFlagEncrypted) != 0)
    return bad(at, "record " + quoted(record.name) + " is encrypted");
  if ((record.flags & ~kAllowedFlags) != 0)
    return bad(at, "record " + quoted(record.name) + " has unknown zip flags " +
                       std::to_string(record.flags));
  if (record.method != kStored && record.method != kDeflated)
    return bad(at, "record " + quoted(record.name) + " is compressed by method " +
                       std::to_string(record.method) +
                       ", only stored and deflated records are read");
  TV_RETURN_IF_ERROR(apply_extra64(at + kCentralSize + name_length, extra_length, &record,
                                   record.size == kMax32, record.stored_size == kMax32,
                                   record.header_offset == kMax32));
  if (record.method == kStored && record.size != record.stored_size)
    return bad(at, "record " + quoted(record.name) + " is stored, yet has two sizes");
  if (record.name.ends_with('/') && record.size != 0)
    return bad(at, "folder entry " + quoted(record.name) + " holds data");
  return record;
}

// Zip64 extra field: the 64-bit values of those fields that are saturated in the header, in this
// order.
Status DirectoryReader::apply_extra64(std::uint64_t at, std::uint64_t length, ZipRecord* record,
                                      bool size, bool stored, bool offset) const {
  if (!size && !stored && !offset && length == 0) return {};
  constexpr std::uint16_t kZip64 = 1;
  const std::uint64_t end = at + length;
  bool found = false;
  while (end - at >= 4) {
    const auto id = load<std::uint16_t>(at);
    const std::uint64_t field = load<std::uint16_t>(at + 2);
    at += 4;
    if (end - at < field) return bad(at, "an extra field reaches beyond its header");
    if (id == kZip64) {
      if (found) return bad(at, "two zip64 fields in one header");
      found = true;
      std::uint64_t used = 0;
      const std::pair<bool, std::uint64_t*> targets[] = {
          {size, &record->size}, {stored, &record->stored_size}, {offset, &record->header_offset}};
      for (const auto& [wanted, target] : targets) {
        if (!wanted) continue;
        if (field - used < 8) return bad(at, "a zip64 field is too short");
        *target = load<std::uint64_t>(at + used);
        used += 8;
      }
      if (used != field)
        return bad(at, "a zip64 field of " + std::to_string(field) + " bytes where " +
                           std::to_string(used) + " are asked for");
    }
    at += field;
  }
  if (at != end) return bad(at, "a damaged extra field");
  if ((size || stored || offset) && !found)
    return bad(at, "a header asks for a zip64 field that is not there");
  return {};
}

// A relative path of plain components; a folder's ends in one slash.
Status DirectoryReader::check_name(std::uint64_t at, std::string_view name) const {
  const auto odd = [&](std::string_view why) {
    return bad(at, "refused record name " + quoted(name) + ": " + std::string(why));
  };
  if (name.empty()) return odd("it is empty");
  if (name.size() > kMaxName) return odd("it is too long");
  if (name.find('\0') != name.npos) return odd("it holds a NUL byte");
  if (name.find('\\') != name.npos) return odd("it holds a backslash");
  if (name[0] == '/') return odd("it is absolute");
  if (!valid_utf8(name)) return odd("it is not UTF-8");
  std::string_view rest = name.ends_with('/') ? name.substr(0, name.size() - 1) : name;
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part == "..") return odd("it leaves its folder");
    if (part.empty() || part == ".") return odd("it has an empty part");
    if (slash == rest.npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

// Records, in the order of their headers, must follow one another without a gap from byte 0 to the
// directory.
Status DirectoryReader::check_tiling() {
  std::sort(records_.begin(), records_.end(),
            [](const auto& a, const auto& b) { return a.header_offset < b.header_offset; });
  const std::uint64_t begin = records_.empty() ? directory_offset_ : records_[0].header_offset;
  if (begin != 0) return bad(0, std::to_string(begin) + " bytes belong to no zip record");
  for (std::size_t i = 0; i < records_.size(); ++i) {
    ZipRecord& record = records_[i];
    const bool last = i + 1 == records_.size();
    const std::uint64_t end = last ? directory_offset_ : records_[i + 1].header_offset;
    if (end < record.header_offset || end > directory_offset_)
      return bad(directory_offset_, "record " + quoted(last ? record.name : records_[i + 1].name) +
                                        " begins behind the zip directory");
    if (end - record.header_offset < kLocalSize)
      return bad(end, "record " + quoted(record.name) + " overlaps another one");
    TV_RETURN_IF_ERROR(check_local(&record, end));
  }
  return {};
}

// The record's own header, all of it before `end`, must say what the directory says. Between its
// data and `end`, where the next record begins, nothing but the data descriptor that its flags
// announce may stand.
Status DirectoryReader::check_local(ZipRecord* record, std::uint64_t end) const {
  const std::uint64_t at = record->header_offset;
  const auto differs = [&](std::string_view what) {
    return bad(at, "record " + quoted(record->name) +
                       ": its own header and the zip directory disagree about its " +
                       std::string(what));
  };
  if (load<std::uint32_t>(at) != kLocalSignature)
    return bad(at, "record " + quoted(record->name) + " has no header here");
  const std::uint64_t name_length = load<std::uint16_t>(at + 26);
  const std::uint64_t extra_length = load<std::uint16_t>(at + 28);
  if (end - at < kLocalSize + name_length + extra_length) return differs("length");
  const std::string_view name(reinterpret_cast<const char*>(file_.data()) + at + kLocalSize,
                              name_length);
  if (name != record->name) return differs("name");
  if (load<std::uint16_t>(at + 6) != record->flags) return differs("flags");
  if (load<std::uint16_t>(at + 8) != record->method) return differs("compression");
  TV_RETURN_IF_ERROR(check_local_sizes(*record, extra_length));
  record->data_offset = at + kLocalSize + name_length + extra_length;
  const std::uint64_t space = end - record->data_offset;
  if (space < record->stored_size)
    return bad(at, "record " + quoted(record->name) + " of " + std::to_string(record->stored_size) +
                       " bytes overlaps what follows it");
  return check_descriptor(*record, record->data_offset + record->stored_size,
                          space - record->stored_size);
}

Status DirectoryReader::check_local_sizes(const ZipRecord& record,
                                          std::uint64_t extra_length) const {
  const std::uint64_t at = record.header_offset;
  const auto crc = load<std::uint32_t>(at + 14);
  ZipRecord local;
  local.stored_size = load<std::uint32_t>(at + 18);
  local.size = load<std::uint32_t>(at + 22);
  const bool size64 = local.size == kMax32;
  const bool stored64 = local.stored_size == kMax32;
  if (size64 || stored64)
    TV_RETURN_IF_ERROR(apply_extra64(at + kLocalSize + record.name.size(), extra_length, &local,
                                     size64, stored64, false));
  // With a descriptor the header was written before the sizes were known: zeros are as good as the
  // truth.
  const bool late = (record.flags & kFlagDescriptor) != 0;
  const auto agrees = [late](std::uint64_t own, std::uint64_t directory) {
    return own == directory || (late && own == 0);
  };
  if (agrees(crc, record.crc32) && agrees(local.size, record.size) &&
      agrees(local.stored_size, record.stored_size))
    return {};
  return bad(at, "record " + quoted(record.name) +
                     ": its own header and the zip directory disagree about its size or checksum");
}

Status DirectoryReader::check_descriptor(const ZipRecord& record, std::uint64_t at,
                                         std::uint64_t length) const {
  if ((record.flags & kFlagDescriptor) == 0) {
    if (length == 0) return {};
    return bad(at, std::to_string(length) + " bytes behind record " + quoted(record.name) +
                       " belong to no zip record");
  }
  // With or without a signature, with sizes of 32 or of 64 bits.
  const bool known = length == 12 || length == 16 || length == 20 || length == 24;
  const bool is_signed = length == 16 || length == 24;
  const bool wide = length >= 20;
  bool agrees = known && (!is_signed || load<std::uint32_t>(at) == kDescriptorSignature);
  if (agrees) {
    if (is_signed) at += 4;
    const std::uint64_t stored = wide ? load<std::uint64_t>(at + 4) : load<std::uint32_t>(at + 4);
    const std::uint64_t size = wide ? load<std::uint64_t>(at + 12) : load<std::uint32_t>(at + 8);
    agrees = load<std::uint32_t>(at) == record.crc32 && stored == record.stored_size &&
             size == record.size;
  }
  if (agrees) return {};
  return bad(
      at, "record " + quoted(record.name) + ": its data descriptor and the zip directory disagree");
}

}  // namespace

Result<std::vector<ZipRecord>> read_zip_directory(std::span<const std::byte> file,
                                                  std::string_view path, Budget& budget) {
  return DirectoryReader(file, path, budget).run();
}

}  // namespace tv::checkpoint

// The door: which format a file has, by its first bytes, and by what name a foreign one is refused.
#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "model_registry/checkpoint/checkpoint.hpp"
#include "model_registry/checkpoint/fault.hpp"
#include "model_registry/checkpoint/formats.hpp"

namespace tv {
namespace {

using checkpoint::kLegacyMagic;

constexpr std::string_view kSaveAgain = "save it with torch.save(model.state_dict(), ...)";
constexpr std::string_view kNotWeights =
    "a download page answered instead of the file: fetch it again";

struct ForeignRow {
  std::size_t offset;
  std::string_view magic;
  std::string_view what;
  std::string_view hint;
};

using namespace std::string_view_literals;
// clang-format off
constexpr std::array kForeign = {
    ForeignRow{0,   "PK\x05\x06"sv,          "an empty zip archive",        kSaveAgain},
    ForeignRow{0,   "\x1f\x8b"sv,            "a gzip file",                 "unpack it first: gunzip"},
    ForeignRow{0,   "BZh"sv,                 "a bzip2 file",                "unpack it first: bunzip2"},
    ForeignRow{0,   "\xfd" "7zXZ"sv,         "an xz file",                  "unpack it first: unxz"},
    ForeignRow{0,   "\x28\xb5\x2f\xfd"sv,    "a zstd file",                 "unpack it first: unzstd"},
    ForeignRow{0,   "7z\xbc\xaf\x27\x1c"sv,  "a 7z archive",                "unpack it first"},
    ForeignRow{257, "ustar"sv,               "a tar archive (as the earliest PyTorch wrote, or a packed folder)",
                                             "unpack it, or load it in Python with an old PyTorch and torch.save it again"},
    ForeignRow{0,   "version https://git-lfs.github.com/spec/"sv, "a Git LFS pointer, not the file itself",
                                             "fetch the file: git lfs pull"},
    ForeignRow{0,   "\x89HDF"sv,             "an HDF5 file (Keras?)",       kSaveAgain},
    ForeignRow{0,   "\x93NUMPY"sv,           "a NumPy array",               kSaveAgain},
    ForeignRow{0,   "GGUF"sv,                "a GGUF file",                 kSaveAgain},
    ForeignRow{0,   "<"sv,                   "an HTML or XML page",         kNotWeights},
};
// clang-format on

// A length of 8 bytes, then that much JSON.
bool looks_like_safetensors(std::string_view head, std::size_t file_size) {
  if (head.size() < 10 || head[8] != '{') return false;
  std::uint64_t length;
  std::memcpy(&length, head.data(), sizeof length);
  return length >= 2 && length <= file_size - 8;
}

Error foreign(const FileBytes& file, std::string_view what, std::string_view hint) {
  return {Code::kBadCheckpoint,
          checkpoint::printable(file.path) + ": offset 0: refused " + std::string(what) +
              ", expected a file written by torch.save",
          std::string(hint)};
}

Error refuse_foreign(const FileBytes& file) {
  const std::string_view all(reinterpret_cast<const char*>(file.data.get()), file.size);
  for (const ForeignRow& row : kForeign)
    if (all.size() >= row.offset && all.substr(row.offset).starts_with(row.magic))
      return foreign(file, row.what, row.hint);
  if (looks_like_safetensors(all, file.size))
    return foreign(file, "a safetensors file",
                   "convert it in Python: torch.save(safetensors.torch.load_file(PATH), NEW_PATH)");
  const std::size_t text = all.substr(0, 256).find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (text != all.npos && all[text] == '<')
    return foreign(file, "an HTML or XML page", kNotWeights);
  if (all[0] == '\x80' && all.size() > 1) {
    const int protocol = static_cast<unsigned char>(all[1]);
    if (protocol == 2 && all.size() < sizeof kLegacyMagic &&
        std::memcmp(all.data(), kLegacyMagic, all.size()) == 0)
      return foreign(file, "the first " + std::to_string(all.size()) + " bytes of a legacy file",
                     checkpoint::kDamagedHint);
    if (protocol == 2)
      return foreign(file, "a Python pickle that torch.save did not write", kSaveAgain);
    if (protocol <= 5)
      return foreign(file, "a pickle of protocol " + std::to_string(protocol),
                     "save it again with torch.save's default pickle_protocol");
  }
  return foreign(
      file, "a file of unknown format that begins with " + checkpoint::quoted(all.substr(0, 16)),
      kSaveAgain);
}

}  // namespace

const CheckpointValue* Checkpoint::find(std::string_view name) const {
  for (const auto& [key, value] : entries)
    if (key == name) return &value;
  return nullptr;
}

Result<Checkpoint> read_checkpoint(const FileBytes& file, const CancelCheck& cancelled) {
  try {
    const std::string_view head(reinterpret_cast<const char*>(file.data.get()), file.size);
    if (head.empty())
      return Error{Code::kBadCheckpoint, checkpoint::printable(file.path) + ": the file is empty",
                   std::string(checkpoint::kDamagedHint)};
    checkpoint::Budget budget;
    if (head.starts_with("PK\x03\x04"))
      return checkpoint::read_zip_checkpoint(file, budget, cancelled);
    if (head.size() >= sizeof kLegacyMagic &&
        std::memcmp(head.data(), kLegacyMagic, sizeof kLegacyMagic) == 0)
      return checkpoint::read_legacy_checkpoint(file, budget);
    return refuse_foreign(file);
  } catch (const std::bad_alloc&) {
    return Error{Code::kUnavailable, checkpoint::printable(file.path) + ": out of memory", ""};
  } catch (const std::exception& e) {
    return Error{Code::kInternal, checkpoint::printable(file.path) + ": " + e.what(), ""};
  }
}

}  // namespace tv

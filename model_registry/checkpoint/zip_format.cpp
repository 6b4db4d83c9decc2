#include <algorithm>
#include <string>

#include "model_registry/checkpoint/bytes.hpp"
#include "model_registry/checkpoint/fault.hpp"
#include "model_registry/checkpoint/flatten.hpp"
#include "model_registry/checkpoint/formats.hpp"
#include "model_registry/checkpoint/pickle.hpp"
#include "model_registry/checkpoint/rebuild.hpp"
#include "model_registry/checkpoint/zip.hpp"

namespace tv::checkpoint {
namespace {

constexpr std::string_view kTorchScriptHint =
    "save the state dict of the Python model: torch.save(model.state_dict(), ...)";

class ZipCheckpoint {
 public:
  ZipCheckpoint(const FileBytes& file, Budget& budget, const CancelCheck& cancelled)
      : file_(file), budget_(budget), cancelled_(cancelled), place_{file.path, {}, 0} {}

  Result<Checkpoint> run() {
    TV_ASSIGN_OR_RETURN(records_, read_zip_directory(file_.span(), file_.path, budget_));
    TV_RETURN_IF_ERROR(find_folder());
    TV_RETURN_IF_ERROR(check_version());
    const ZipRecord* record = find("data.pkl");
    TV_ASSIGN_OR_RETURN(const RecordBytes pickle,
                        open_record(file_.span(), file_.path, *record, budget_));
    const Place place{file_.path, "data.pkl", 0};
    Heap heap;
    TensorMaker maker(heap, budget_, place,
                      [&](Blob& blob, std::uint64_t at) { return find_blob(blob, place, at); });
    PickleMachine machine({pickle.data, pickle.size}, place, heap, budget_, &maker);
    TV_ASSIGN_OR_RETURN(const Value root, machine.run());
    if (machine.consumed() != pickle.size)
      return refuse(place, machine.consumed(),
                    std::to_string(pickle.size - machine.consumed()) + " bytes follow the pickle");
    return flatten(heap, root, CheckpointFormat::kZip, file_.size, place, budget_);
  }

 private:
  // `name` below the archive's folder, or null.
  const ZipRecord* find(std::string_view name) const {
    const std::string whole = std::string(folder_) + "/" + std::string(name);
    const auto at =
        std::lower_bound(records_.begin(), records_.end(), whole,
                         [](const ZipRecord& r, const std::string& n) { return r.name < n; });
    return at != records_.end() && at->name == whole ? &*at : nullptr;
  }
  Status find_folder();
  Status check_version() const;
  Result<std::string> read_note(std::string_view name) const;
  Status find_blob(Blob& blob, const Place& place, std::uint64_t at) const;

  const FileBytes& file_;
  Budget& budget_;
  const CancelCheck& cancelled_;
  Place place_;
  std::vector<ZipRecord> records_;
  std::string_view folder_;
};

Status ZipCheckpoint::find_folder() {
  for (const ZipRecord& record : records_) {
    const std::size_t slash = record.name.find('/');
    if (slash == record.name.npos || record.name.substr(slash + 1) != "data.pkl") continue;
    if (!folder_.empty())
      return refuse_named(place_, "zip directory", "two records are called data.pkl");
    folder_ = record.name.substr(0, slash);
  }
  if (folder_.empty())
    return refuse_named(
        place_, "zip directory",
        "no record \"<folder>/data.pkl\" among " + std::to_string(records_.size()) + " records",
        "this zip archive was not written by torch.save");
  for (const ZipRecord& record : records_) {
    if (record.name.size() <= folder_.size() || !record.name.starts_with(folder_) ||
        record.name[folder_.size()] != '/')
      return refuse_named(
          place_, "zip directory",
          "record " + quoted(record.name) + " lies outside of folder " + quoted(folder_));
    const std::string_view name = record.name.substr(folder_.size() + 1);
    if (name == "constants.pkl" || name.starts_with("code/"))
      return refuse_named(place_, "record " + quoted(record.name),
                          "refused a TorchScript archive: it is a program", kTorchScriptHint);
  }
  return {};
}

// "3\n", "little": records of a few bytes.
Result<std::string> ZipCheckpoint::read_note(std::string_view name) const {
  constexpr std::uint64_t kMaxNote = 16;
  const ZipRecord* record = find(name);
  if (record == nullptr) return std::string();
  if (record->size > kMaxNote)
    return refuse_named(place_, "record " + quoted(record->name),
                        "it has " + std::to_string(record->size) + " bytes");
  TV_ASSIGN_OR_RETURN(const RecordBytes bytes,
                      open_record(file_.span(), file_.path, *record, budget_));
  std::string text(reinterpret_cast<const char*>(bytes.data), bytes.size);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

Status ZipCheckpoint::check_version() const {
  // PyTorch's reader takes file formats 1 to 10; 3 is the one that torch.save writes.
  TV_ASSIGN_OR_RETURN(const std::string version, read_note("version"));
  const bool digits =
      !version.empty() && version.size() <= 2 &&
      std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
  const int number = digits ? std::stoi(version) : 0;
  if (number < 1 || number > 10)
    return refuse_named(place_, "record \"version\"",
                        "file format " + quoted(version) + ", expected 1 to 10");
  TV_ASSIGN_OR_RETURN(const std::string order, read_note("byteorder"));
  if (!order.empty() && order != "little")
    return refuse_named(place_, "record \"byteorder\"",
                        "byte order " + quoted(order) + ", expected \"little\"",
                        "save it again on a little-endian machine");
  return {};
}

Status ZipCheckpoint::find_blob(Blob& blob, const Place& place, std::uint64_t at) const {
  const ZipRecord* record = find("data/" + std::string(blob.key));
  if (record == nullptr)
    return refuse(place, at, "no record \"data/" + std::string(blob.key) + "\" in the archive");
  std::int64_t bytes = 0;
  if (!checked_multiply(blob.numel, static_cast<std::int64_t>(dtype_size(blob.dtype)), &bytes) ||
      static_cast<std::uint64_t>(bytes) != record->size)
    return refuse(place, at,
                  "storage " + quoted(blob.key) + " of " + std::to_string(blob.numel) + " x " +
                      std::string(dtype_name(blob.dtype)) + ", but its record has " +
                      std::to_string(record->size) + " bytes");
  // Its checksum takes time.
  TV_RETURN_IF_ERROR(check_cancelled(cancelled_, "reading " + printable(file_.path)));
  TV_ASSIGN_OR_RETURN(RecordBytes data, open_record(file_.span(), file_.path, *record, budget_));
  blob.data = data.data;
  blob.owner = data.owner ? std::move(data.owner) : file_.data;
  return {};
}

}  // namespace

Result<Checkpoint> read_zip_checkpoint(const FileBytes& file, Budget& budget,
                                       const CancelCheck& cancelled) {
  return ZipCheckpoint(file, budget, cancelled).run();
}

}  // namespace tv::checkpoint

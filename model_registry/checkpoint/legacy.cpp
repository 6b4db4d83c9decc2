#include <algorithm>
#include <string>

#include "model_registry/checkpoint/bytes.hpp"
#include "model_registry/checkpoint/fault.hpp"
#include "model_registry/checkpoint/flatten.hpp"
#include "model_registry/checkpoint/formats.hpp"
#include "model_registry/checkpoint/pickle.hpp"
#include "model_registry/checkpoint/rebuild.hpp"

namespace tv::checkpoint {
namespace {

constexpr std::int64_t kProtocolVersion = 1001;

class LegacyCheckpoint {
 public:
  LegacyCheckpoint(const FileBytes& file, Budget& budget) : file_(file), budget_(budget) {}

  Result<Checkpoint> run() {
    position_ = sizeof kLegacyMagic;
    TV_RETURN_IF_ERROR(read_protocol());
    TV_RETURN_IF_ERROR(read_system());
    const Place place{file_.path, "object pickle", position_};
    TensorMaker maker(heap_, budget_, place, [](Blob&, std::uint64_t) { return Status(); });
    TV_ASSIGN_OR_RETURN(const Value root, read_pickle(place, &maker));
    TV_RETURN_IF_ERROR(read_storages());
    return flatten(heap_, root, CheckpointFormat::kLegacy, file_.size, place, budget_);
  }

 private:
  Result<Value> read_pickle(const Place& place, ObjectMaker* maker) {
    PickleMachine machine(file_.span().subspan(position_), place, heap_, budget_, maker);
    TV_ASSIGN_OR_RETURN(const Value value, machine.run());
    position_ += machine.consumed();
    return value;
  }
  Status read_protocol();
  Status read_system();
  Status read_storages();
  Status read_storage(Blob& blob, const Place& place);

  const FileBytes& file_;
  Budget& budget_;
  Heap heap_;
  std::size_t position_ = 0;
};

Status LegacyCheckpoint::read_protocol() {
  const Place place{file_.path, "protocol pickle", position_};
  TV_ASSIGN_OR_RETURN(const Value version, read_pickle(place, nullptr));
  if (version.kind == Kind::kInt && version.integer == kProtocolVersion) return {};
  return refuse(place, 0, "the legacy protocol version is not " + std::to_string(kProtocolVersion));
}

Status LegacyCheckpoint::read_system() {
  const Place place{file_.path, "system pickle", position_};
  TV_ASSIGN_OR_RETURN(const Value system, read_pickle(place, nullptr));
  if (system.kind != Kind::kDict) return refuse(place, 0, "the system information is no dict");
  for (const auto& [key, value] : heap_.dicts[system.index].items) {
    if (key.kind != Kind::kString || key.string() != "little_endian") continue;
    if (value.kind == Kind::kBool && value.integer == 1) return {};
    return refuse(place, 0, "refused big-endian numbers",
                  "save it again on a little-endian machine");
  }
  return refuse(place, 0, "the system information does not tell the byte order");
}

// The list of keys, then for each of them the element count and the raw bytes, up to the end of the
// file.
Status LegacyCheckpoint::read_storages() {
  const Place keys_place{file_.path, "storage list", position_};
  TV_ASSIGN_OR_RETURN(const Value keys, read_pickle(keys_place, nullptr));
  if (keys.kind != Kind::kList) return refuse(keys_place, 0, "the storage list is no list");
  const Place place{file_.path, "storages", 0};
  for (std::size_t i = 0; i < heap_.size(keys); ++i) {
    const Value& key = heap_.item(keys, i);
    const bool usable = key.kind == Kind::kString && key.length <= kMaxStorageKey;
    const auto found = usable ? heap_.blob_by_key.find(key.string()) : heap_.blob_by_key.end();
    if (found == heap_.blob_by_key.end())
      return refuse(keys_place, 0,
                    "key " + std::to_string(i) + " of the storage list belongs to no tensor");
    Blob& blob = heap_.blobs[found->second];
    if (blob.data != nullptr)
      return refuse(keys_place, 0, "storage " + quoted(blob.key) + " is listed twice");
    TV_RETURN_IF_ERROR(read_storage(blob, place));
  }
  for (const Blob& blob : heap_.blobs)
    if (blob.data == nullptr)
      return refuse(keys_place, 0, "storage " + quoted(blob.key) + " is not listed");
  if (position_ != file_.size)
    return refuse(place, position_,
                  std::to_string(file_.size - position_) + " bytes follow the last storage");
  return {};
}

Status LegacyCheckpoint::read_storage(Blob& blob, const Place& place) {
  constexpr std::size_t kCount = sizeof(std::int64_t);
  const std::string name = "storage " + quoted(blob.key);
  const std::size_t left = file_.size - position_;
  if (left < kCount) return refuse(place, position_, "the file was cut short before " + name);
  const auto numel = load_le<std::int64_t>(file_.data.get() + position_);
  if (numel != blob.numel)
    return refuse(place, position_,
                  name + " has " + std::to_string(numel) + " elements, but its tensors were told " +
                      std::to_string(blob.numel));
  std::int64_t bytes = 0;
  if (!checked_multiply(numel, static_cast<std::int64_t>(dtype_size(blob.dtype)), &bytes) ||
      static_cast<std::uint64_t>(bytes) > left - kCount)
    return refuse(place, position_,
                  "the file was cut short inside " + name + ": " + std::to_string(numel) + " x " +
                      std::string(dtype_name(blob.dtype)) + " announced, " +
                      std::to_string(left - kCount) + " bytes left");
  blob.data = file_.data.get() + position_ + kCount;
  blob.owner = file_.data;
  position_ += kCount + static_cast<std::size_t>(bytes);
  return {};
}

}  // namespace

Result<Checkpoint> read_legacy_checkpoint(const FileBytes& file, Budget& budget) {
  return LegacyCheckpoint(file, budget).run();
}

}  // namespace tv::checkpoint

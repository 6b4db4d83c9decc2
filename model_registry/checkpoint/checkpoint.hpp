// Reads what torch.save wrote: zip (torch >= 1.6) and legacy stream format, by a restricted pickle
// reader of our own. The bytes are hostile until parsed: checked arithmetic, bounded depth, items
// and memory, an allow-list of opcodes and globals; nothing in a file is ever executed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model_registry/cancel.hpp"
#include "model_registry/checkpoint/tensor.hpp"
#include "model_registry/error.hpp"
#include "model_registry/io/file.hpp"

namespace tv {

struct CheckpointValue;
using CheckpointList = std::vector<CheckpointValue>;

/// One value of a state dict: nearly always a tensor; packed quantised parameters are lists, dtypes
/// are their names.
struct CheckpointValue {
  std::variant<std::monostate, TensorView, std::int64_t, double, bool, std::string, CheckpointList>
      value;
  const TensorView* tensor() const { return std::get_if<TensorView>(&value); }
};

enum class CheckpointFormat : std::uint8_t { kZip, kLegacy };

struct Checkpoint {
  CheckpointFormat format = CheckpointFormat::kZip;
  /// Entries in file order; nested dicts are flattened with "." between the keys. Where the file
  /// holds a bare tensor there is one entry named "".
  std::vector<std::pair<std::string, CheckpointValue>> entries;
  /// `_metadata[module]["version"]` of the state dict, module path -> version; below a nested dict
  /// the path begins with its name, as the entries do.
  std::map<std::string, std::int64_t> versions;

  const CheckpointValue* find(std::string_view name) const;
};

/// Parses a file. Fails: BadCheckpoint, naming the path, record, byte offset and what was refused;
/// Unavailable when memory runs out; Cancelled, asked before each storage. CPU time is linear in
/// the file's size; memory at most the file plus 64 MiB.
///
/// What is read: dicts and ordered dicts (keys: strings, integers), lists, tuples, tensors,
/// parameters, quantised tensors, numbers of 64 bits, bools, strings, None, dtypes; an
/// argparse.Namespace, as training scripts save theirs, is read as None. Lists and
/// tuples that hold a dict are flattened by position ("optimizer.param_groups.0.lr"). Storages of
/// any device come to the CPU. Limits: 64 levels, 1048576 values, names of 4096 bytes, strings of 1
/// MiB; all views together reach at most 8 times the file plus 64 MiB (expanded tensors count in
/// full).
///
/// Every record of a zip file that is used is held against its CRC-32. Legacy files carry no
/// checksum: a damaged one may be read with other values, and only its digest tells.
Result<Checkpoint> read_checkpoint(const FileBytes& file, const CancelCheck& cancelled = {});

/// Writes a tensor so that Python's torch.load(weights_only=True) reads it back; zip format,
/// written beside the target and renamed, so that a reader sees the old file or the new one. The
/// file holds a contiguous copy. Fails: InvalidArgument, Unwritable, NoSpace, Unsupported (4 GiB or
/// more).
Status write_tensor(const std::string& path, const TensorView& tensor);

/// Writes an OrderedDict state dict so that Python's load_state_dict(torch.load(...)) takes it; as
/// write_tensor(). `versions` becomes the dict's `_metadata` attribute, as of a Module's
/// state_dict(): module path -> version ("" is the whole model). Where a module is not listed,
/// Python takes the file to be older than all versions: torchvision's MNASNet refuses that, and
/// BatchNorm does not miss num_batches_tracked. Names must differ.
Status write_state_dict(const std::string& path,
                        const std::vector<std::pair<std::string, TensorView>>& entries,
                        const std::map<std::string, std::int64_t>& versions = {});

}  // namespace tv

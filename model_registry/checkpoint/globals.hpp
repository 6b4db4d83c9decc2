// The names that a weight file may mention. Everything else is refused by name.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model_registry/checkpoint/tensor.hpp"

namespace tv::checkpoint {

enum class GlobalId : std::uint8_t {
  kOrderedDict,
  kRebuildTensor,
  kRebuildTensorV2,
  kRebuildParameter,
  kRebuildQTensor,
  kSize,
  kParameter,
  kPerTensorAffine,
  kPerChannelAffine,
  kNamespace,    ///< argparse's: an object that is never looked into
  kStorageType,  ///< with the dtype of its elements
  kDType,        ///< with itself
};

struct GlobalRow {
  std::string_view module;
  std::string_view name;
  GlobalId id;
  DType dtype = DType::kFloat32;
};

/// The whole allow-list.
std::span<const GlobalRow> allowed_globals();
/// Position in allowed_globals(), or -1.
int find_global(std::string_view module, std::string_view name);

/// Whether a global that is not allowed tells of a whole model: the class of a module.
bool is_module_class(std::string_view module);

/// The storage class that torch.save names for a dtype: "FloatStorage".
std::string_view storage_class(DType dtype);

}  // namespace tv::checkpoint

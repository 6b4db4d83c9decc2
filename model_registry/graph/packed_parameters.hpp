// The names that int8 layers had in files over the years.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model_registry/checkpoint/checkpoint.hpp"

namespace tv::graph {

/// Name and value; the value belongs to the checkpoint.
using NamedValues = std::vector<std::pair<std::string, const CheckpointValue*>>;

/// The entries of a file, as they are.
NamedValues plain_entries(const Checkpoint& checkpoint);

/// The entries of a file, with torch.ao.nn.quantized.Linear brought to its first form, which is
/// that of convolutions: "fc.weight" and "fc.bias".
///  - version 2: "fc._packed_params.weight" and "fc._packed_params.bias";
///  - version 3: "fc._packed_params._packed_params", a tuple of both;
///  - "fc._packed_params.dtype" says qint8 in both, and is dropped. Another dtype stays, and is
///  unexpected.
NamedValues unpacked_entries(const Checkpoint& checkpoint);

}  // namespace tv::graph

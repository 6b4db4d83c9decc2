// torchvision's own entries, found by builder or enum. Letter case counts.
#pragma once

#include <span>
#include <string_view>

#include "model_registry/registry/weights.hpp"

namespace tv {

/// All 129 entries in torchvision's order.
std::span<const Weights* const> builtin_weights();

/// The names of the 92 builders, sorted.
std::span<const std::string_view> builtin_builders();

/// The entry that DEFAULT stands for; nullptr for an unknown builder.
const Weights* builtin_default(std::string_view builder);

/// The first entry of an enum; nullptr for an unknown enum.
const Weights* builtin_enum(std::string_view enum_name);

}  // namespace tv

// Names to weights: torchvision's get_weight, get_model_weights and list_models.
// Thread-safe. Loading user-defined entries happens once, on first use.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model_registry/error.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// torchvision.models.get_weight: exactly "Enum.ENTRY" or "Enum.DEFAULT", case-sensitive. NotFound
/// otherwise.
Result<const Weights*> get_weight(std::string_view name);

/// What people type: get_weight's names in any letter case where that is unambiguous, "resnet50"
/// and "resnet50.DEFAULT" (the builder's DEFAULT entry), "resnet50.IMAGENET1K_V1". NotFound with up
/// to three nearest names in the hint.
Result<const Weights*> resolve_weights(std::string_view name);

/// torchvision.models.get_model_weights: every entry of a builder's enum (builder or enum name), in
/// declaration order; a user's additions (for a builder: from any enum) follow. A builder's letter
/// case does not matter, as in torchvision. NotFound for an unknown builder.
Result<std::vector<const Weights*>> get_model_weights(std::string_view builder_or_enum);

/// torchvision.models.list_models over the classification builders: sorted names; include and
/// exclude are fnmatch patterns (case-sensitive; * ? [seq] [!seq]), union of includes minus
/// excludes; an empty list is "not given".
std::vector<std::string_view> list_models(std::span<const std::string_view> include = {},
                                          std::span<const std::string_view> exclude = {});

/// Every entry, torchvision's in its order, then the user's.
std::vector<const Weights*> all_weights();

/// Whether the entry's network tells classes, which the one of VGG16_Weights.IMAGENET1K_FEATURES
/// does not. Fails: Unsupported, naming the builder's DEFAULT entry.
Status check_classifier(const Weights& weights);

/// Up to `count` names nearest to `name`, best first: case-folded edit distance in which letters
/// that are still to be typed cost less than wrong ones (see typing_distance() in text.hpp).
std::vector<std::string> nearest_weights(std::string_view name, std::size_t count = 3);

/// Problems met in user-defined entry files, one Error a file (such a file adds nothing).
const std::vector<Error>& user_weights_errors();

}  // namespace tv

// The ways of choosing weights that torchvision deprecated in 0.13 and still understands:
// `pretrained=True` and positional arguments. Each is mapped as handle_legacy_interface maps it,
// and warned about with its replacement spelled out.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model_registry/error.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// The builder whose enum a builder takes without quantize: "resnet18" of "quantized_resnet18", and
/// of "resnet18" itself.
std::string_view float_builder(std::string_view builder);

/// What somebody passed in an old way.
struct LegacyArguments {
  bool pretrained = false;
  bool positional = false;  ///< as the first argument, `resnet50(true)`, rather than by its name
  bool quantize = false;    ///< quantized builders: which of their two enums
};

/// What it means today.
struct LegacyChoice {
  const Weights* weights = nullptr;   ///< nullptr: random initialisation
  std::vector<std::string> warnings;  ///< one sentence each; the caller passes them on
};

/// pretrained=true means IMAGENET1K_V1 (of a quantized builder with quantize: its FBGEMM_V1 or
/// QNNPACK_V1 entry; without: the float builder's V1), never DEFAULT; false means random
/// initialisation. Fails: NotFound for an unknown builder, and where there is no V1 entry
/// (vit_h_14, regnet_y_128gf).
Result<LegacyChoice> legacy_weights(std::string_view builder, const LegacyArguments& arguments);

/// The warning about `builder(weights, progress)` without keywords.
std::string positional_warning(std::string_view builder);

/// Gets one sentence. Called on the thread that used the old way; must not throw.
using WarningHandler = std::function<void(std::string_view)>;
/// Who hears warn() from now on; an empty handler: nobody, as at the start. Thread-safe.
void set_warning_handler(WarningHandler handler);
/// Passes a sentence to the handler; each sentence once in a process, as Python's default filter.
void warn(const std::string& sentence);

}  // namespace tv

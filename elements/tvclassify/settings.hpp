// What the user asked for. Property setters store it, start() judges it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "elements/inference/engine.hpp"
#include "model_registry/registry/weights.hpp"
#include "model_registry/transforms/plan.hpp"

namespace tv {

enum class Precision : std::uint8_t { kAuto, kFp32 };

/// Plain data; copied at the top of each vfunc. "Live" ones act on the next frame, the others at
/// the next start.
struct Settings {
  std::string weights;  ///< any form that resolve_weights() takes, "none"; empty: none chosen
  std::string model;    ///< builder; empty: that of the weights
  std::optional<bool> pretrained;  ///< nullopt: never set
  std::uint64_t seed = 0;          ///< of random initialisation
  std::string weights_file;        ///< local file for the architecture; empty: the entry's own
  std::string device = "auto";
  Precision precision = Precision::kAuto;
  unsigned top_k = 5;     ///< 1..1000; live
  double threshold = 0;   ///< 0..1; live
  unsigned interval = 1;  ///< frames, >= 1; live
  int crop_size = 0;      ///< pixels; 0: the entry's own
  int resize_size = 0;    ///< pixels; 0: the entry's own
  TransformsBackend transforms_backend = TransformsBackend::kTensor;
  bool post_messages = false;              ///< live
  unsigned max_consecutive_failures = 30;  ///< 0: never an error; live
  inference::Executor executor = inference::Executor::kFused;
  bool offline = false;

  /// The overrides of the entry's recipe.
  TransformsOverrides overrides() const {
    TransformsOverrides over;
    if (crop_size > 0) over.crop_size = crop_size;
    if (resize_size > 0) over.resize_size = resize_size;
    return over;
  }
};

}  // namespace tv

// What the user asked for. Property setters store it, start() judges it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "elements/inference/engine.hpp"
#include "elements/tvclassify/smoothing.hpp"
#include "model_registry/registry/weights.hpp"
#include "model_registry/transforms/plan.hpp"

namespace tv {

enum class LatencyMode : std::uint8_t {
  kComplete,  ///< every frame is classified; a slow model slows the stream down
  kLive,      ///< frames leave in time; one that inference does not reach carries the newest result
};

enum class InferenceRegion : std::uint8_t {
  kFullFrame,
  kRoiList,  ///< each region of interest that elements in front put on the buffer
};

/// What acts on the next frame; copied for each of them, so without allocations.
struct LiveSettings {
  unsigned top_k = 5;     ///< 1..1000
  double threshold = 0;   ///< 0..1
  unsigned interval = 1;  ///< frames, >= 1
  bool post_messages = false;
  unsigned max_consecutive_failures = 30;  ///< 0: never an error
  bool qos = false;                        ///< late frames pass without being classified
  std::uint64_t stats_interval_ns = 0;     ///< between two messages; 0: none
  Smoothing smoothing;                     ///< its threshold is the one above
  unsigned reclassify_interval = 1;        ///< frames, of tracked regions
};

/// Plain data; copied at the top of each vfunc. The live ones act on the next frame, those that say
/// which model load it in the background while running, the others act at the next start.
struct Settings {
  LiveSettings live;
  std::string weights;  ///< any form that resolve_weights() takes, "none"; empty: none chosen
  std::string model;    ///< builder; empty: that of the weights
  std::optional<bool> pretrained;  ///< nullopt: never set
  std::uint64_t seed = 0;          ///< of random initialisation
  std::string weights_file;        ///< local file for the architecture; empty: the entry's own
  std::string device = "auto";
  inference::Precision precision = inference::Precision::kAuto;
  int crop_size = 0;    ///< pixels; 0: the entry's own
  int resize_size = 0;  ///< pixels; 0: the entry's own
  TransformsBackend transforms_backend = TransformsBackend::kTensor;
  inference::Executor executor = inference::Executor::kFused;
  bool offline = false;
  bool share = true;        ///< one loaded model for all elements that want the same one
  std::string model_id;     ///< of a group that shares among itself alone; empty: everybody
  unsigned batch_size = 1;  ///< >= 1
  std::uint64_t batch_timeout_ns = 0;
  unsigned max_in_flight = 4;  ///< frames, >= 1
  LatencyMode latency_mode = LatencyMode::kComplete;
  std::uint64_t max_latency_ns = 0;  ///< of live mode
  InferenceRegion inference_region = InferenceRegion::kFullFrame;
  std::string object_class;      ///< of regions, comma-separated; empty: all
  unsigned min_region_size = 1;  ///< pixels, of both sides

  /// The overrides of the entry's recipe.
  TransformsOverrides overrides() const {
    TransformsOverrides over;
    if (crop_size > 0) over.crop_size = crop_size;
    if (resize_size > 0) over.resize_size = resize_size;
    return over;
  }
};

}  // namespace tv

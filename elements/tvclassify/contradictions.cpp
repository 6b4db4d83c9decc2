#include "elements/tvclassify/contradictions.hpp"

#include <string>

#include "elements/tvclassify/selection.hpp"

namespace tv {
namespace {

bool is_full_frame(const Settings& s) {
  return s.inference_region == InferenceRegion::kFullFrame;
}
bool is_smoothed(const Settings& s, SmoothingKind kind) {
  return s.live.smoothing.kind == kind;
}

// clang-format off
const Contradiction kTable[] = {
  {"share=false", "model-id", [](const Settings& s) { return !s.share && !s.model_id.empty(); },
   "a group of elements that share a model, and no sharing", "leave out one of them", "share=false model-id=a"},
  {"batch-timeout", "batch-size=1", [](const Settings& s) { return s.batch_timeout_ns > 0 && s.batch_size == 1; },
   "waiting for company, and none is wanted", "set batch-size to 2 or more, or leave batch-timeout at 0", "batch-timeout=1"},
  {"batch-size", "max-in-flight", [](const Settings& s) {
     return !s.share && is_full_frame(s) && s.batch_size > s.max_in_flight;
   }, "without share=true a batch can never be full", "set max-in-flight to the batch-size at least", "share=false batch-size=5"},
  {"batch-size", "latency-mode=live", [](const Settings& s) {
     return !s.share && is_full_frame(s) && s.batch_size > 1 && s.latency_mode == LatencyMode::kLive;
   }, "live video has one picture at the model at a time: without share=true a batch can never be full",
   "leave batch-size at 1", "share=false batch-size=2 latency-mode=live"},
  {"max-latency", "latency-mode=complete", [](const Settings& s) {
     return s.max_latency_ns > 0 && s.latency_mode == LatencyMode::kComplete;
   }, "frames that wait for their result however long it takes have no limit", "set latency-mode=live", "max-latency=1"},
  {"batch-timeout", "max-latency", [](const Settings& s) {
     return s.latency_mode == LatencyMode::kLive && s.batch_timeout_ns > 0 && s.batch_timeout_ns >= s.max_latency_ns;
   }, "frames leave before their batch does", "set max-latency above batch-timeout", "latency-mode=live batch-size=2 batch-timeout=5 max-latency=5"},
  {"object-class", "inference-region=full-frame", [](const Settings& s) {
     return is_full_frame(s) && !s.object_class.empty();
   }, "the whole frame is no object", "set inference-region=roi-list", "object-class=car"},
  {"min-region-size", "inference-region=full-frame", [](const Settings& s) {
     return is_full_frame(s) && s.min_region_size > 1;
   }, "the whole frame is no region", "set inference-region=roi-list", "min-region-size=2"},
  {"reclassify-interval", "inference-region=full-frame", [](const Settings& s) {
     return is_full_frame(s) && s.live.reclassify_interval > 1;
   }, "the whole frame is no tracked object", "set inference-region=roi-list, or interval for whole frames", "reclassify-interval=2"},
  {"smoothing", "inference-region=roi-list", [](const Settings& s) {
     return !is_full_frame(s) && !is_smoothed(s, SmoothingKind::kNone);
   }, "regions are not smoothed", "leave smoothing at none", "inference-region=roi-list smoothing=ema"},
  {"class-hysteresis", "inference-region=roi-list", [](const Settings& s) {
     return !is_full_frame(s) && s.live.smoothing.hysteresis > 0;
   }, "regions post no class-changed", "leave class-hysteresis at 0", "inference-region=roi-list class-hysteresis=0.1"},
  {"smoothing-half-life", "smoothing", [](const Settings& s) {
     return s.live.smoothing.half_life_ns != Smoothing{}.half_life_ns && !is_smoothed(s, SmoothingKind::kEma);
   }, "only an average has a half-life", "set smoothing=ema", "smoothing=majority smoothing-half-life=1"},
  {"smoothing-window", "smoothing", [](const Settings& s) {
     return s.live.smoothing.window_ns != Smoothing{}.window_ns && !is_smoothed(s, SmoothingKind::kMajority);
   }, "only a majority has a window", "set smoothing=majority", "smoothing-window=1"},
  {"smoothing=ema", "smoothing-half-life=0", [](const Settings& s) {
     return is_smoothed(s, SmoothingKind::kEma) && s.live.smoothing.half_life_ns == 0;
   }, "without a past nothing is smoothed", "set smoothing-half-life above 0, or smoothing=none", "smoothing=ema smoothing-half-life=0"},
  {"smoothing=majority", "smoothing-window=0", [](const Settings& s) {
     return is_smoothed(s, SmoothingKind::kMajority) && s.live.smoothing.window_ns == 0;
   }, "one frame is no majority", "set smoothing-window above 0, or smoothing=none", "smoothing=majority smoothing-window=0"},
  {"seed", "weights", [](const Settings& s) { return s.seed != 0 && asks_for_trained(s); },
   "trained numbers are not drawn", "leave seed at 0, or set model and weights=none", "seed=1"},
};
// clang-format on

}  // namespace

std::span<const Contradiction> contradictions() {
  return kTable;
}

Status check_contradictions(const Settings& settings) {
  for (const Contradiction& row : kTable)
    if (row.holds(settings))
      return Error{Code::kInvalidArgument,
                   std::string("properties ") + row.first + " and " + row.second +
                       " contradict each other: " + row.why,
                   row.hint};
  return {};
}

}  // namespace tv

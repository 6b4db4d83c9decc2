// Frame in, scores out: the whole flow. No GStreamer, no threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "elements/inference/engine.hpp"
#include "elements/tvclassify/prepare.hpp"
#include "model_registry/error.hpp"
#include "model_registry/transforms/plan.hpp"

namespace tv {

/// Scores of one frame and where the time went.
struct Scores {
  std::vector<inference::Score> top;  ///< highest first
  std::uint64_t preprocess_ns = 0;
  std::uint64_t inference_ns = 0;
};

/// The k best classes of a picture's logits. Fails: BadCheckpoint (NaN or infinite logits).
Status best_classes(std::span<const float> logits, int k, std::vector<inference::Score>& best);

/// A loaded model with its preprocessing. One thread at a time, always the same one: LibTorch keeps
/// caches by thread.
class Flow {
 public:
  Flow(std::unique_ptr<inference::LoadedModel> model, const Transforms& recipe,
       TransformsBackend backend);

  /// The k best classes of a frame. A new frame size costs a new Plan, never a new model.
  /// Fails: InvalidArgument (a size that the recipe cannot take), BadCheckpoint (NaN or infinite
  /// logits), Device, Internal.
  Result<Scores> classify(const FrameView& frame, int k);

 private:
  std::unique_ptr<inference::LoadedModel> model_;
  Preparation preparation_;
  std::vector<float> input_;  // [1, 3, crop, crop]
};

}  // namespace tv

// Frames of any size to the network's input. No GStreamer, no threads.
#pragma once

#include <memory>
#include <span>

#include "elements/preprocess/preprocess.hpp"
#include "model_registry/error.hpp"
#include "model_registry/transforms/plan.hpp"

namespace tv {

/// One recipe for frames of any size. One thread at a time.
class Preparation {
 public:
  Preparation(const Transforms& recipe, TransformsBackend backend)
      : recipe_(recipe), backend_(backend) {}

  /// Writes [3, crop_size, crop_size]. A new frame size costs a new Plan.
  /// Fails: InvalidArgument (a size that the recipe cannot take), Preprocessor::run()'s.
  Status run(const FrameView& frame, std::span<float> input);

  /// For a model that preprocesses by itself: the plan for frames of that size, the same object as
  /// long as the size is. Fails: InvalidArgument (a size that the recipe cannot take).
  Result<std::shared_ptr<const Plan>> plan_of(int width, int height);

  const Transforms& recipe() const { return recipe_; }

 private:
  Transforms recipe_;
  TransformsBackend backend_;
  std::unique_ptr<Preprocessor> preprocessor_;  // for the size of the last frame
  std::shared_ptr<const Plan> plan_;            // likewise
};

}  // namespace tv

#include "elements/tvclassify/classify.hpp"

#include <chrono>
#include <utility>

namespace tv {
namespace {

using Clock = std::chrono::steady_clock;

std::uint64_t nanoseconds(Clock::duration span) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(span).count());
}

}  // namespace

Status best_classes(std::span<const float> logits, int k, std::vector<inference::Score>& best) {
  inference::top_k(logits, k, best);
  if (best.empty()) return inference::not_finite();
  return {};
}

Flow::Flow(std::unique_ptr<inference::LoadedModel> model, const Transforms& recipe,
           TransformsBackend backend)
    : model_(std::move(model)), preparation_(recipe, backend) {
  const auto side = static_cast<std::size_t>(recipe.crop_size);
  input_.resize(3 * side * side);
}

Result<Scores> Flow::classify(const FrameView& frame, int k) {
  Scores scores;
  const auto begin = Clock::now();
  TV_RETURN_IF_ERROR(preparation_.run(frame, input_));
  const auto ready = Clock::now();
  const std::int64_t side = preparation_.recipe().crop_size;
  TV_ASSIGN_OR_RETURN(const std::vector<float> logits, model_->run(input_, {1, 3, side, side}));
  TV_RETURN_IF_ERROR(best_classes(logits, k, scores.top));
  const auto end = Clock::now();
  scores.preprocess_ns = nanoseconds(ready - begin);
  scores.inference_ns = nanoseconds(end - ready);
  return scores;
}

}  // namespace tv

#include "elements/tvclassify/prepare.hpp"

#include <utility>

namespace tv {

Status Preparation::run(const FrameView& frame, std::span<float> input) {
  if (!preprocessor_ || preprocessor_->plan().width != frame.width ||
      preprocessor_->plan().height != frame.height) {
    TV_ASSIGN_OR_RETURN(Plan plan, make_plan(recipe_, frame.width, frame.height, backend_));
    TV_ASSIGN_OR_RETURN(preprocessor_, make_preprocessor(std::move(plan)));
  }
  return preprocessor_->run(frame, input);
}

Result<std::shared_ptr<const Plan>> Preparation::plan_of(int width, int height) {
  if (!plan_ || plan_->width != width || plan_->height != height) {
    TV_ASSIGN_OR_RETURN(Plan plan, make_plan(recipe_, width, height, backend_));
    plan_ = std::make_shared<const Plan>(std::move(plan));
  }
  return plan_;
}

}  // namespace tv

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

}  // namespace tv

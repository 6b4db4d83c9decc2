#include "elements/tvclassify/history.hpp"

#include <utility>

namespace tv {

FrameResult History::skipped(std::string_view reason) const {
  FrameResult result;
  result.status = FrameStatus::kSkipped;
  result.reason = reason;
  if (last_) {
    result.labels = last_->labels;
    result.age = last_->age + 1;
  }
  return result;
}

std::optional<History::Change> History::note(const FrameResult& result) {
  if (last_) ++last_->age;
  ++since_attempt_;
  if (result.status == FrameStatus::kOk || result.status == FrameStatus::kFailed) {
    attempted_ = true;
    since_attempt_ = 0;
  }
  if (result.status == FrameStatus::kFailed) {
    ++consecutive_failures_;
    ++failures_;
  }
  if (result.status != FrameStatus::kOk) return std::nullopt;

  consecutive_failures_ = 0;
  last_ = result;
  last_->age = 0;
  Label top = result.labels.empty() ? Label{} : result.labels.front();
  Label previous = std::exchange(top_, top);
  if (previous.index == top.index) return std::nullopt;
  return Change{std::move(previous), std::move(top)};
}

void History::forget() {
  attempted_ = false;
  since_attempt_ = 0;
  last_.reset();
  top_ = {};
}

}  // namespace tv

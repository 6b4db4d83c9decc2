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
  if (result.status == FrameStatus::kFailed) {
    ++consecutive_failures_;
    ++failures_;
  }
  return result.status == FrameStatus::kOk ? replace(result, 0) : std::nullopt;
}

std::optional<History::Change> History::note_late(const FrameResult& result, std::uint32_t age) {
  // skipped() adds the one frame that it is asked for.
  return replace(result, age - 1);
}

std::optional<History::Change> History::replace(const FrameResult& result, std::uint32_t age) {
  consecutive_failures_ = 0;
  last_ = result;
  last_->age = age;
  Label top = result.labels.empty() ? Label{} : result.labels.front();
  Label previous = std::exchange(top_, top);
  if (previous.index == top.index) return std::nullopt;
  return Change{std::move(previous), std::move(top)};
}

void History::forget() {
  last_.reset();
  top_ = {};
}

}  // namespace tv

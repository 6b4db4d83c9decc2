#include "elements/tvclassify/history.hpp"

#include <utility>

namespace tv {

void History::skipped(std::string_view reason, FrameResult& result) const {
  result.clear();
  result.status = FrameStatus::kSkipped;
  result.reason = reason;
  if (last_) {
    result.labels = last_->labels;
    result.age = last_->age + 1;
  }
}

void History::note(const FrameResult& result) {
  if (last_) ++last_->age;
  if (result.status == FrameStatus::kFailed) note_failure();
  if (result.status == FrameStatus::kOk) replace(result, 0);
}

void History::note_late(const FrameResult& result, std::uint32_t age) {
  // skipped() adds the one frame that it is asked for.
  replace(result, age - 1);
}

void History::replace(const FrameResult& result, std::uint32_t age) {
  consecutive_failures_ = 0;
  last_ = result;
  last_->age = age;
}

void History::forget() {
  last_.reset();
}

}  // namespace tv

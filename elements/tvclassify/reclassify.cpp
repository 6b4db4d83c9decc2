#include "elements/tvclassify/reclassify.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

namespace tv {
namespace {

constexpr std::string_view kReason = "reclassify-interval";

}  // namespace

std::uint64_t Reclassify::enter() {
  ++frame_;
  while (!order_.empty() && frame_ - order_.back().seen > kForgetFrames) {
    objects_.erase(order_.back().id);
    order_.pop_back();
  }
  return frame_;
}

/// The object, known or new, in front of all others.
Reclassify::Object& Reclassify::met(std::uint64_t object) {
  if (const auto found = objects_.find(object); found != objects_.end()) {
    order_.splice(order_.begin(), order_, found->second);
  } else {
    if (order_.size() == kMostObjects) {
      objects_.erase(order_.back().id);
      order_.pop_back();
    }
    order_.push_front({.id = object, .seen = 0, .attempt = 0, .answered = 0, .labels = {}});
    objects_.emplace(object, order_.begin());
  }
  order_.front().seen = frame_;
  return order_.front();
}

void Reclassify::see(std::uint64_t object) {
  met(object);
}

bool Reclassify::due(std::uint64_t object, unsigned interval) {
  Object& front = met(object);
  if (interval > 1 && front.attempt != 0 && frame_ - front.attempt < interval) return false;
  front.attempt = frame_;
  return true;
}

void Reclassify::note(std::uint64_t frame, std::uint64_t object, const FrameResult& result) {
  const auto found = objects_.find(object);
  if (frame <= forgotten_ || found == objects_.end()) return;
  Object& held = *found->second;
  switch (result.status) {
    case FrameStatus::kOk:
      held.answered = frame;
      held.labels = result.labels;
      break;
    case FrameStatus::kFailed:
      break;
    case FrameStatus::kSkipped:
    case FrameStatus::kGap:
      // A later region may have been tried since.
      if (held.attempt == frame) held.attempt = 0;
      break;
  }
}

FrameResult Reclassify::reused(std::uint64_t frame, std::uint64_t object) const {
  FrameResult result;
  result.status = FrameStatus::kSkipped;
  result.reason = kReason;
  const auto found = objects_.find(object);
  if (found == objects_.end() || found->second->answered == 0) return result;
  const Object& held = *found->second;
  result.labels = held.labels;
  const std::uint64_t age = frame - held.answered;
  result.age = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(age, std::numeric_limits<std::uint32_t>::max()));
  return result;
}

void Reclassify::forget() {
  forgotten_ = frame_;
  order_.clear();
  objects_.clear();
}

}  // namespace tv

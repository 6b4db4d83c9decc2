#include "elements/tvclassify/smoothing.hpp"

#include <algorithm>
#include <cmath>

namespace tv {
namespace {

// About 13 days: a full window of such steps is still less than the clock's range.
constexpr std::uint64_t kLongestStepNs = std::uint64_t{1} << 50;
static_assert(Smoother::kWindowFrames < UINT64_MAX / kLongestStepNs);

/// The best class; the first of equals.
int best_of(std::span<const float> scores) {
  return static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

}  // namespace

Smoother::Smoother(std::size_t window_frames)
    : window_frames_(std::clamp<std::size_t>(window_frames, 1, kWindowFrames)) {}

void Smoother::reset() {
  begin(0, kind_);
  current_ = kAbsent;
  last_time_ = kUnknownTime;
  last_step_ = kNominalStepNs;
}

void Smoother::begin(std::size_t classes, SmoothingKind kind) {
  kind_ = kind;
  first_ = true;
  smoothed_.assign(classes, 0);
  oldest_ = count_ = 0;
  tally_.clear();
  if (kind == SmoothingKind::kMajority && classes > 0) {
    tally_.assign(classes, 0);
    votes_.resize(window_frames_);
  }
}

std::uint64_t Smoother::step_to(std::uint64_t stream_time_ns) {
  const bool both = stream_time_ns != kUnknownTime && last_time_ != kUnknownTime;
  // The distance of two unsigned times, whichever is the later one.
  const std::uint64_t distance = !both                         ? 0
                                 : stream_time_ns > last_time_ ? stream_time_ns - last_time_
                                                               : last_time_ - stream_time_ns;
  last_time_ = stream_time_ns;
  if (distance > 0) last_step_ = std::min(distance, kLongestStepNs);
  return last_step_;
}

void Smoother::average(std::span<const float> scores, std::uint64_t step, std::uint64_t half_life) {
  const double past = first_ || half_life == 0
                          ? 0
                          : std::exp2(-static_cast<double>(step) / static_cast<double>(half_life));
  for (std::size_t i = 0; i < scores.size(); ++i)
    smoothed_[i] = static_cast<float>(past * static_cast<double>(smoothed_[i]) +
                                      (1 - past) * static_cast<double>(scores[i]));
}

// back = 0: the newest. Only as many as there are.
const Smoother::Vote& Smoother::vote_before(std::size_t back) const {
  return votes_[(oldest_ + count_ - 1 - back) % votes_.size()];
}

void Smoother::vote(std::span<const float> scores, std::uint64_t step, const Smoothing& smoothing) {
  clock_ += step;
  const auto drop_oldest = [&] {
    const Vote& gone = votes_[oldest_];
    if (gone.index != kAbsent) --tally_[static_cast<std::size_t>(gone.index)];
    oldest_ = (oldest_ + 1) % votes_.size();
    --count_;
  };
  const auto too_old = [&](const Vote& each) {
    return clock_ - each.at >= smoothing.window_ns;  // right past an overflow, too
  };
  while (count_ > 0 && (count_ == votes_.size() || too_old(votes_[oldest_]))) drop_oldest();

  const int best = best_of(scores);
  const auto at = static_cast<std::size_t>(best);
  const bool present = static_cast<double>(scores[at]) >= smoothing.threshold;
  votes_[(oldest_ + count_) % votes_.size()] = {clock_, present ? best : kAbsent};
  ++count_;
  if (present) ++tally_[at];

  for (std::size_t i = 0; i < tally_.size(); ++i)
    smoothed_[i] = static_cast<float>(tally_[i]) / static_cast<float>(count_);
  const std::uint32_t most = *std::max_element(tally_.begin(), tally_.end());
  if (most == 0 || std::count(tally_.begin(), tally_.end(), most) == 1) return;
  for (std::size_t back = 0; back < count_; ++back) {
    const std::int32_t index = vote_before(back).index;
    if (index == kAbsent || tally_[static_cast<std::size_t>(index)] != most) continue;
    float& share = smoothed_[static_cast<std::size_t>(index)];
    share = std::nextafter(share, 2.0f);
    return;
  }
}

Smoother::Change Smoother::hold(const Smoothing& smoothing) {
  const int best = best_of(smoothed_);
  const double best_score = static_cast<double>(smoothed_[static_cast<std::size_t>(best)]);
  const bool present = best_score >= smoothing.threshold;
  const int candidate = present ? best : kAbsent;
  Change change{current_, current_};
  if (current_ == kAbsent) {
    change.current = candidate;
  } else {
    // No class at all counts as one that is just at the threshold.
    const double challenge = present ? best_score : smoothing.threshold;
    const double held = static_cast<double>(smoothed_[static_cast<std::size_t>(current_)]);
    if (challenge - held > smoothing.hysteresis) change.current = candidate;
  }
  current_ = change.current;
  return change;
}

Smoother::Change Smoother::add(std::span<const float> scores, std::uint64_t stream_time_ns,
                               const Smoothing& smoothing) {
  const auto finite = [](float score) { return std::isfinite(score); };
  if (scores.empty() || !std::all_of(scores.begin(), scores.end(), finite))
    return {current_, current_};
  if (smoothed_.size() != scores.size()) {
    reset();
    begin(scores.size(), smoothing.kind);
  } else if (kind_ != smoothing.kind) {
    begin(scores.size(), smoothing.kind);
  }
  const std::uint64_t step = step_to(stream_time_ns);
  switch (smoothing.kind) {
    case SmoothingKind::kNone:
      std::copy(scores.begin(), scores.end(), smoothed_.begin());
      break;
    case SmoothingKind::kEma:
      average(scores, step, smoothing.half_life_ns);
      break;
    case SmoothingKind::kMajority:
      vote(scores, step, smoothing);
      break;
  }
  first_ = false;
  return hold(smoothing);
}

}  // namespace tv

#include "elements/tvclassify/outlet.hpp"

#include <algorithm>
#include <utility>

#include "elements/common/bus.hpp"
#include "elements/common/log.hpp"
#include "elements/tvclassify/classify.hpp"
#include "elements/tvclassify/info.hpp"
#include "elements/tvclassify/messages.hpp"
#include "model_registry/hub/hub.hpp"

namespace tv {
namespace {

// Frames that left before their result came; in live mode there is one inference at a time.
constexpr std::size_t kMostLate = 16;

std::string category(const Weights* weights, int index) {
  const auto i = static_cast<std::size_t>(index);
  if (!weights || i >= weights->categories.size()) return std::to_string(index);
  return std::string(weights->categories[i]);
}

std::uint64_t between(inference::Job::Clock::time_point begin,
                      inference::Job::Clock::time_point end) {
  const auto span = std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count();
  return static_cast<std::uint64_t>(std::max<decltype(span)>(0, span));
}

FrameCost cost_of(const Passing& frame) {
  const inference::Job& job = *frame.job;
  return {.preprocess_ns = frame.preprocess_ns,
          .queue_ns = between(job.submitted, job.begun),
          .inference_ns = between(job.begun, job.ended),
          .total_ns = between(frame.mapped, job.ended),
          .batch = job.batch};
}

/// For debug texts.
std::string about(const Active& active) {
  const std::string& sha256 = active.model().sha256();
  return source_of(active.choice()) + (sha256.empty() ? "" : ", sha256 " + sha256);
}

}  // namespace

std::string source_of(const Choice& choice) {
  const std::string weights = "weights " + choice.name();
  if (!choice.spec.weights_file.empty()) return weights + ", file " + choice.spec.weights_file;
  if (!choice.weights()) return weights + ", seed " + std::to_string(choice.spec.seed);
  return weights + ", file " + cache_path(*choice.weights());
}

/// Other weights have other classes: nothing of before may be said in their name.
void Outlet::begin_with(const Passing& frame) {
  if (frame.active == active_) return;
  if (active_) {
    post_weights_changed(element_, active_->identity(), frame.active->identity(), frame.times);
    GST_INFO_OBJECT(element_, "frames are classified with %s from now on",
                    frame.active->identity().weights.c_str());
  }
  forget();
  active_ = frame.active;
}

FrameResult Outlet::read(const inference::Job& job, const Active& active,
                         const LiveSettings& live) {
  FrameResult result;
  result.status = FrameStatus::kFailed;
  Result<std::vector<inference::Score>> best =
      job.error ? Result<std::vector<inference::Score>>(*job.error)
                : best_classes(job.logits, static_cast<int>(live.top_k));
  if (!best) {
    failure_ = std::move(best.error());
    result.reason = failure_.what;
    return result;
  }
  result.status = FrameStatus::kOk;
  for (const inference::Score& score : *best)
    if (static_cast<double>(score.probability) >= live.threshold)
      result.labels.push_back(
          {score.index, category(active.choice().weights(), score.index), score.probability});
  return result;
}

FrameResult Outlet::result_of(const Passing& frame, bool in_time) {
  FrameResult result;
  switch (frame.plan) {
    case FrameStatus::kSkipped:
      return history_.skipped(frame.reason);
    case FrameStatus::kGap:
      result.status = FrameStatus::kGap;
      result.reason = frame.reason;
      return result;
    case FrameStatus::kFailed:
      result.status = FrameStatus::kFailed;
      failure_ = *frame.failure;
      result.reason = failure_.what;
      return result;
    case FrameStatus::kOk:
      break;
  }
  if (!in_time) return history_.skipped("late");
  result = read(*frame.job, *frame.active, frame.live);
  if (result.status == FrameStatus::kOk)
    result.latency_ns = between(frame.mapped, frame.job->ended);
  return result;
}

/// The newest result may come after its frame has left.
void Outlet::collect_late(const Passing& next) {
  while (!late_.empty() && late_.front().job->done) {
    const Late late = std::move(late_.front());
    late_.pop_front();
    const FrameResult result = read(*late.job, *late.active, late.live);
    if (result.status != FrameStatus::kOk) continue;
    const auto change =
        history_.note_late(result, static_cast<std::uint32_t>(number_ - late.number));
    if (change)
      post_class_changed(element_, next.active->identity(), change->previous, change->current,
                         late.times);
  }
}

bool Outlet::report_failure(const Passing& frame) {
  const unsigned in_a_row = history_.consecutive_failures();
  const unsigned most = frame.live.max_consecutive_failures;
  const Error error{failure_.code, "cannot classify a frame: " + failure_.what, failure_.hint};
  if (most > 0 && in_a_row >= most) {
    announcer_->post(
        {error.code, error.what + " (" + std::to_string(in_a_row) + " in a row)", error.hint},
        Stage::kFrame, about(*frame.active));
    return false;
  }
  if (history_.failure_is_news())
    post_warning(element_,
                 {error.code, error.what + " (" + std::to_string(history_.failures()) + " so far)",
                  error.hint},
                 Stage::kFrame, about(*frame.active));
  return true;
}

bool Outlet::finish(Passing& frame, bool in_time, Counters& counters) {
  begin_with(frame);
  collect_late(frame);
  const FrameResult result = result_of(frame, in_time);
  if (frame.plan == FrameStatus::kOk && !in_time) {
    if (late_.size() == kMostLate) late_.pop_front();
    late_.push_back({frame.job, frame.active, frame.live, frame.times, number_});
  }
  ++number_;
  const std::optional<History::Change> change = history_.note(result);
  const ModelIdentity& identity = frame.active->identity();
  // The struct alone is copied where somebody else has the buffer, too; the pixels are shared.
  frame.buffer.reset(gst_buffer_make_writable(frame.buffer.release()));
  add_metadata(frame.buffer.get(), identity, result);
  if (result.status == FrameStatus::kOk) counters.classified(cost_of(frame));
  counters.left(result.status);
  GST_LOG_OBJECT(element_, "%s, %zu labels, age %u", status_name(result.status).data(),
                 result.labels.size(), result.age);

  const bool go_on = result.status != FrameStatus::kFailed || report_failure(frame);
  if (result.status == FrameStatus::kOk && frame.live.post_messages)
    post_result(element_, identity, result, frame.times);
  if (change)
    post_class_changed(element_, identity, change->previous, change->current, frame.times);
  if (frame.live.stats_interval_ns > 0) {
    const GstClockTime now = gst_util_get_timestamp();
    if (!GST_CLOCK_TIME_IS_VALID(stats_posted_)) stats_posted_ = now;
    if (now - stats_posted_ >= frame.live.stats_interval_ns) {
      post_stats(element_, identity, counters.stats());
      stats_posted_ = now;
    }
  }
  return go_on;
}

void Outlet::forget() {
  history_.forget();
  late_.clear();
}

}  // namespace tv

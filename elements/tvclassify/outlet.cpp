#include "elements/tvclassify/outlet.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "elements/common/bus.hpp"
#include "elements/common/log.hpp"
#include "elements/tvclassify/classify.hpp"
#include "elements/tvclassify/info.hpp"
#include "elements/tvclassify/messages.hpp"
#include "model_registry/hub/hub.hpp"

namespace tv {
namespace {

// Pictures whose frame left before their result came. In live mode they are of one frame, or of
// two.
constexpr std::size_t kMostLate = 1024;

Label label_of(const inference::Score& score, const Active& active) {
  return {score.index, active.category(score.index), score.probability};
}

void set_labels(std::span<const inference::Score> best, const Active& active,
                const LiveSettings& live, std::vector<Label>& labels) {
  labels.clear();
  for (const inference::Score& score : best)
    if (static_cast<double>(score.probability) >= live.threshold)
      labels.push_back(label_of(score, active));
}

std::uint64_t between(inference::Job::Clock::time_point begin,
                      inference::Job::Clock::time_point end) {
  const auto span = std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count();
  return static_cast<std::uint64_t>(std::max<decltype(span)>(0, span));
}

FrameCost cost_of(inference::Job::Clock::time_point mapped, const inference::Job& job,
                  std::uint64_t preprocess_ns) {
  return {.preprocess_ns = preprocess_ns,
          .queue_ns = between(job.submitted, job.begun),
          .inference_ns = between(job.begun, job.ended),
          .total_ns = between(mapped, job.ended),
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

void Outlet::fail(const Error& error, FrameResult& result) {
  if (!lost_) failure_ = error;
  lost_ = lost_ || error.code == Code::kDeviceLost;
  result.status = FrameStatus::kFailed;
  result.reason = error.what;
}

void Outlet::read(const inference::Job& job, const Active& active, const LiveSettings& live,
                  FrameResult& result) {
  if (job.error) return fail(*job.error, result);
  if (!job.top.empty()) {  // found on the device; the batch may have wanted more than this frame
    const auto wanted = std::min<std::size_t>(job.top.size(), live.top_k);
    result.status = FrameStatus::kOk;
    return set_labels(std::span(job.top).first(wanted), active, live, result.labels);
  }
  const Status found = best_classes(job.logits, static_cast<int>(live.top_k), best_);
  if (!found) return fail(found.error(), result);
  result.status = FrameStatus::kOk;
  set_labels(best_, active, live, result.labels);
}

void Outlet::smooth(FrameResult& result, const inference::Job& job, const Active& active,
                    const LiveSettings& live, const FrameTimes& times) {
  Smoothing smoothing = live.smoothing;
  smoothing.threshold = live.threshold;
  if (smoothing.kind == SmoothingKind::kNone && smoothing.hysteresis == 0) {
    // The usual case needs one class, not a thousand scores.
    smoother_.reset();
    const Label now = result.labels.empty() ? Label{} : result.labels.front();
    if (now.index != holds_.index) held_before_ = std::exchange(holds_, now);
    return;
  }
  inference::softmax(job.logits, scores_);
  const Smoother::Change change = smoother_.add(scores_, times.stream_time, smoothing);
  if (smoothing.kind != SmoothingKind::kNone) {
    result.raw.swap(result.labels);
    inference::largest(smoother_.scores(), static_cast<int>(live.top_k), best_);
    set_labels(best_, active, live, result.labels);
  }
  if (!change.changed()) return;
  Label now;
  if (change.current != Smoother::kAbsent)
    now = label_of({change.current, smoother_.scores()[static_cast<std::size_t>(change.current)]},
                   active);
  // The same one, when smoothing was switched on between two frames.
  if (now.index != holds_.index) held_before_ = std::exchange(holds_, std::move(now));
}

void Outlet::post_change(const ModelIdentity& identity, const FrameTimes& times) {
  if (!held_before_) return;
  post_class_changed(element_, identity, *held_before_, holds_, times);
  held_before_.reset();
}

void Outlet::remember_late(const Passing& frame, const inference::JobRef& job,
                           std::optional<Region> region, std::uint64_t preprocess_ns) {
  if (late_.size() == kMostLate) late_.pop_front();
  late_.push_back({.job = job,
                   .active = frame.active,
                   .live = frame.live,
                   .times = frame.times,
                   .number = number_,
                   .region = std::move(region),
                   .tracked_frame = frame.tracked_frame,
                   .mapped = frame.mapped,
                   .preprocess_ns = preprocess_ns});
}

FrameResult Outlet::result_of_region(const Passing& frame, const RegionLook& look) {
  const std::optional<std::uint64_t> object = look.region.object;
  FrameResult result;
  if (look.plan == FrameStatus::kSkipped) {
    // What is known of an object stays true of a region that is too small to be looked at.
    if (object) result = tracked_->reused(frame.tracked_frame, *object);
    result.status = FrameStatus::kSkipped;
    result.reason = look.reason;
    return result;
  }
  if (look.plan == FrameStatus::kFailed) {
    fail(*look.failure, result);
  } else if (look.job->done) {
    read(*look.job, *frame.active, frame.live, result);
    result.latency_ns = between(frame.mapped, look.job->ended);
  } else {
    if (object) result = tracked_->reused(frame.tracked_frame, *object);
    result.status = FrameStatus::kSkipped;
    result.reason = "late";
    remember_late(frame, look.job, look.region, look.preprocess_ns);
  }
  if (object) tracked_->note(frame.tracked_frame, *object, result);
  return result;
}

/// Of the frame as a whole; each region gets its own.
void Outlet::result_of_regions(Passing& frame, Counters& counters, FrameResult& whole) {
  whole.status = FrameStatus::kSkipped;
  whole.reason = "no-regions";
  int slot = 0;
  for (const RegionLook& look : frame.regions) {
    const FrameResult result = result_of_region(frame, look);
    attach_to_region(frame.buffer.get(), look.region, frame.active->identity(), result, slot++);
    if (result.status == FrameStatus::kOk) {
      counters.classified(cost_of(frame.mapped, *look.job, look.preprocess_ns));
      whole.latency_ns = std::max(whole.latency_ns, result.latency_ns);
      if (frame.live.post_messages)
        post_region(element_, frame.active->identity(), result, frame.times, look.region);
    }
    // The best that can be said: ok, else failed, else why the last one was left out.
    if (whole.status == FrameStatus::kOk) continue;
    if (whole.status == FrameStatus::kFailed && result.status == FrameStatus::kSkipped) continue;
    whole.status = result.status;
    whole.reason = result.reason;
  }
}

void Outlet::result_of(Passing& frame, bool in_time, Counters& counters, FrameResult& result) {
  int slot = 0;
  switch (frame.plan) {
    case FrameStatus::kSkipped:
      for (const RegionLook& look : frame.regions)
        attach_to_region(frame.buffer.get(), look.region, frame.active->identity(),
                         result_of_region(frame, look), slot++);
      return history_.skipped(frame.reason, result);
    case FrameStatus::kGap:
      result.status = FrameStatus::kGap;
      result.reason = frame.reason;
      return;
    case FrameStatus::kFailed:
      return fail(*frame.failure, result);
    case FrameStatus::kOk:
      break;
  }
  if (!frame.job) return result_of_regions(frame, counters, result);
  if (!in_time) {
    remember_late(frame, frame.job, std::nullopt, frame.preprocess_ns);
    return history_.skipped("late", result);
  }
  read(*frame.job, *frame.active, frame.live, result);
  if (result.status != FrameStatus::kOk) return;
  result.latency_ns = between(frame.mapped, frame.job->ended);
  smooth(result, *frame.job, *frame.active, frame.live, frame.times);
  counters.classified(cost_of(frame.mapped, *frame.job, frame.preprocess_ns));
}

/// The newest result may come after its frame has left. False: the stream has ended.
bool Outlet::collect_late(Counters& counters) {
  bool go_on = true;
  while (!late_.empty() && late_.front().job->done) {
    const Late late = std::move(late_.front());
    late_.pop_front();
    // Cancelled: a flush, the stop, or other weights.
    if (late.job->error && late.job->error->code == Code::kCancelled) continue;
    go_on = collect(late, counters) && go_on;
  }
  return go_on;
}

bool Outlet::collect(const Late& late, Counters& counters) {
  const ModelIdentity& identity = late.active->identity();
  FrameResult result;
  read(*late.job, *late.active, late.live, result);
  result.latency_ns = between(late.mapped, late.job->ended);
  const bool has_object = late.region && late.region->object;
  if (has_object) tracked_->note(late.tracked_frame, *late.region->object, result);
  if (result.status != FrameStatus::kOk) {
    history_.note_failure();
    return report_failure(late.live, *late.active);
  }
  counters.classified(cost_of(late.mapped, *late.job, late.preprocess_ns));
  if (late.region) {
    if (late.live.post_messages) post_region(element_, identity, result, late.times, *late.region);
    return true;
  }
  smooth(result, *late.job, *late.active, late.live, late.times);
  if (late.live.post_messages) post_result(element_, identity, result, late.times);
  post_change(identity, late.times);
  history_.note_late(result, static_cast<std::uint32_t>(number_ - late.number));
  return true;
}

bool Outlet::report_failure(const LiveSettings& live, const Active& active) {
  if (has_ended_) return false;
  const unsigned in_a_row = history_.consecutive_failures();
  const unsigned most = live.max_consecutive_failures;
  const Error error{failure_.code, "cannot classify a frame: " + failure_.what, failure_.hint};
  if (lost_) {
    has_ended_ = true;
    announcer_->post(error, Stage::kFrame, about(active));
    return false;
  }
  if (most > 0 && in_a_row >= most) {
    has_ended_ = true;
    announcer_->post(
        {error.code, error.what + " (" + std::to_string(in_a_row) + " in a row)", error.hint},
        Stage::kFrame, about(active));
    return false;
  }
  if (history_.failure_is_news())
    post_warning(element_,
                 {error.code, error.what + " (" + std::to_string(history_.failures()) + " so far)",
                  error.hint},
                 Stage::kFrame, about(active));
  return true;
}

void Outlet::post(const Passing& frame, const FrameResult& result, const Counters& counters) {
  const ModelIdentity& identity = frame.active->identity();
  if (result.status == FrameStatus::kOk && frame.live.post_messages && frame.regions.empty())
    post_result(element_, identity, result, frame.times);
  post_change(identity, frame.times);
  if (frame.live.stats_interval_ns == 0) return;
  const GstClockTime now = gst_util_get_timestamp();
  if (!GST_CLOCK_TIME_IS_VALID(stats_posted_)) stats_posted_ = now;
  if (now - stats_posted_ < frame.live.stats_interval_ns) return;
  post_stats(element_, identity, counters.stats());
  stats_posted_ = now;
}

bool Outlet::finish(Passing& frame, bool in_time, Counters& counters) {
  begin_with(frame);
  const bool go_on = collect_late(counters);
  // The struct alone is copied where somebody else has the buffer, too; the pixels are shared.
  frame.buffer.reset(gst_buffer_make_writable(frame.buffer.release()));
  FrameResult& result = result_;
  result.clear();
  result_of(frame, in_time, counters, result);
  ++number_;
  history_.note(result);
  add_metadata(frame.buffer.get(), frame.active->identity(), result);
  counters.left(result.status);
  GST_LOG_OBJECT(element_, "%s, %zu labels, age %u", status_name(result.status).data(),
                 result.labels.size(), result.age);
  post(frame, result, counters);
  // A frame is as good as its best region, but a lost device ends the stream.
  if (result.status != FrameStatus::kFailed && !lost_) return go_on;
  return report_failure(frame.live, *frame.active) && go_on;
}

void Outlet::forget() {
  has_ended_ = lost_;
  history_.forget();
  smoother_.reset();
  holds_ = {};
  late_.clear();
}

}  // namespace tv

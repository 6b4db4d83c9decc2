#include "elements/tvclassify/intake.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "elements/common/log.hpp"
#include "elements/tvclassify/frame.hpp"
#include "elements/tvclassify/messages.hpp"

namespace tv {
namespace {

using Clock = std::chrono::steady_clock;

/// Why a buffer has nothing to classify; empty: it has.
std::string_view gap_reason(GstBuffer* buffer) {
  if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP)) return "gap-flag";
  if (gst_buffer_get_size(buffer) == 0) return "empty";
  if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED)) return "corrupted";
  return {};
}

std::uint64_t nanoseconds(Clock::duration span) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(span).count());
}

}  // namespace

Result<GstVideoInfo> Intake::judge_caps(GstCaps* caps, const Transforms& recipe) const {
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  const char* interlace = gst_structure_get_string(structure, "interlace-mode");
  if (interlace && std::string_view(interlace) == "alternate")
    return Error{Code::kUnsupported,
                 "interlace-mode=alternate: a buffer holds one field, not a picture",
                 "put a deinterlacer in front"};
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, caps))
    return Error{Code::kInvalidArgument,
                 std::string("caps that describe no video frame: ") +
                     GCharPtr(gst_caps_to_string(caps)).get(),
                 ""};
  const Result<Plan> plan =
      make_plan(recipe, GST_VIDEO_INFO_WIDTH(&info), GST_VIDEO_INFO_HEIGHT(&info), backend_);
  if (!plan) return plan.error();
  return info;
}

Status Intake::set_caps(GstCaps* caps, const Transforms& recipe) {
  info_.reset();
  // Refused caps are sticky on the pad in front and come again with each push.
  if (refused_ && gst_caps_is_equal(refused_.get(), caps))
    return Error{Code::kCancelled, "the same caps again", ""};
  Result<GstVideoInfo> info = judge_caps(caps, recipe);
  refused_.reset(info ? nullptr : gst_caps_ref(caps));
  if (!info) return info.error();
  info_ = *info;
  return {};
}

Status Intake::fits(const Transforms& recipe) const {
  if (!info_) return {};
  const Result<Plan> plan =
      make_plan(recipe, GST_VIDEO_INFO_WIDTH(&*info_), GST_VIDEO_INFO_HEIGHT(&*info_), backend_);
  if (!plan) return plan.error();
  return {};
}

/// The frame in GPU memory, if the model can read it there, else in the computer's.
Result<Intake::Mapped> Intake::map(const Passing& frame) {
  GstBuffer* const buffer = frame.buffer.get();
  const std::optional<CudaPlace> cuda = cuda_place(buffer);
  const std::optional<int> gpu = frame.active->choice().gpu;
  if (cuda && gpu && frame.active->model().takes_frames()) {
    TV_ASSIGN_OR_RETURN(std::optional<inference::Picture> there,
                        cuda_frames_.map(buffer, *info_, *cuda, *gpu));
    if (there) return Mapped{.picture = std::move(*there), .frame = {}};
  }
  if (cuda && !told_of_copies_) {
    told_of_copies_ = true;
    GST_INFO_OBJECT(element_,
                    "frames in the memory of GPU %d are copied to the CPU: the model on %s cannot "
                    "read them there",
                    cuda->device, frame.active->model().device().c_str());
  }
  TV_ASSIGN_OR_RETURN(Frame mapped,
                      map_frame(buffer, *info_, {.layout = cuda ? cuda->layout : nullptr}));
  const FrameView view = mapped.view;
  if (!frame.active->model().takes_frames())
    return Mapped{.picture = {.view = view, .plan = nullptr, .pixels = nullptr},
                  .frame = std::move(mapped)};
  // With the buffer: its pool is not to write into the frame while a model reads it.
  struct Held {
    BufferRef buffer;
    Frame frame;
  };
  const auto held =
      std::make_shared<Held>(Held{BufferRef(gst_buffer_ref(buffer)), std::move(mapped)});
  return Mapped{.picture = {.view = view, .plan = nullptr, .pixels = held}, .frame = {}};
}

/// A part of a picture made ready for the network, or as it is for a model that does that.
Result<inference::JobRef> Intake::make_job(const FrameView& part, const inference::Picture& picture,
                                           const Passing& frame) {
  inference::JobRef job = frame.active->model().make_job();
  if (!frame.active->model().takes_frames()) {
    TV_RETURN_IF_ERROR(preparation_->run(part, job->input));
    return job;
  }
  job->picture = picture;
  job->picture->view = part;
  TV_ASSIGN_OR_RETURN(job->picture->plan, preparation_->plan_of(part.width, part.height));
  const bool smooth =
      frame.live.smoothing.kind != SmoothingKind::kNone || frame.live.smoothing.hysteresis != 0;
  job->top_k = smooth ? 0 : frame.live.top_k;
  return job;
}

RegionLook Intake::look_at(const Region& region, const inference::Picture& picture,
                           const Passing& frame) {
  RegionLook look{.region = region};
  look.reason = left_out_reason(region, filter_);
  if (look.reason.empty() && region.object &&
      !tracked_->due(*region.object, frame.live.reclassify_interval))
    look.reason = "reclassify-interval";
  if (!look.reason.empty()) {
    look.plan = FrameStatus::kSkipped;
    return look;
  }
  const auto begin = Clock::now();
  const std::optional<FrameView> part = part_of(picture.view, region.part);
  auto job = part ? make_job(*part, picture, frame)
                  : Result<inference::JobRef>(
                        Error{Code::kInternal, "a region outside of its picture", ""});
  look.preprocess_ns = nanoseconds(Clock::now() - begin);
  if (job) {
    look.job = std::move(*job);
  } else {
    look.plan = FrameStatus::kFailed;
    look.failure = std::move(job.error());
  }
  return look;
}

Status Intake::prepare_regions(Passing& frame) {
  if (!info_) return Error{Code::kInternal, "a frame before its caps", ""};
  frame.mapped = Clock::now();
  frame.tracked_frame = tracked_->enter();
  const std::vector<Region> regions = find_regions(
      frame.buffer.get(), GST_VIDEO_INFO_WIDTH(&*info_), GST_VIDEO_INFO_HEIGHT(&*info_));
  if (regions.empty()) return {};
  TV_ASSIGN_OR_RETURN(const Mapped mapped, map(frame));
  for (const Region& region : regions)
    if (left_out_reason(region, filter_) != "object-class")
      frame.regions.push_back(look_at(region, mapped.picture, frame));
  return {};
}

/// A frame without inference; its regions carry what is known of their objects.
void Intake::skip(Passing& frame, std::string_view reason) {
  frame.plan = FrameStatus::kSkipped;
  frame.reason = reason;
  if (!by_region_ || !info_) return;
  frame.tracked_frame = tracked_->enter();
  for (const Region& region : find_regions(frame.buffer.get(), GST_VIDEO_INFO_WIDTH(&*info_),
                                           GST_VIDEO_INFO_HEIGHT(&*info_))) {
    if (left_out_reason(region, filter_) == "object-class") continue;
    if (region.object) tracked_->see(*region.object);
    frame.regions.push_back(
        {.region = region, .plan = FrameStatus::kSkipped, .reason = frame.reason});
  }
}

Status Intake::prepare(Passing& frame) {
  if (by_region_) return prepare_regions(frame);
  if (!info_) return Error{Code::kInternal, "a frame before its caps", ""};
  frame.mapped = Clock::now();
  TV_ASSIGN_OR_RETURN(const Mapped mapped, map(frame));
  TV_ASSIGN_OR_RETURN(frame.job, make_job(mapped.picture.view, mapped.picture, frame));
  frame.preprocess_ns = nanoseconds(Clock::now() - frame.mapped);
  return {};
}

Passing Intake::judge(BufferRef buffer, std::shared_ptr<const Active> active,
                      const LiveSettings& live, const Counters& counters) {
  if (active != active_) {
    cadence_.forget();
    last_job_.reset();
    tracked_->forget();
    preparation_.emplace(active->choice().recipe, backend_);
    active_ = active;
  }
  Passing frame{
      .buffer = std::move(buffer), .times = {}, .active = std::move(active), .live = live};
  frame.times = FrameTimes::of(frame.buffer.get(), &segment_);
  const GstClockTime earliest = earliest_;
  const bool late = live.qos && GST_CLOCK_TIME_IS_VALID(earliest) &&
                    GST_CLOCK_TIME_IS_VALID(frame.times.running_time) &&
                    frame.times.running_time <= earliest;
  const bool busy = live_ && last_job_ && !last_job_->done;
  if (const std::string_view reason = gap_reason(frame.buffer.get()); !reason.empty()) {
    frame.plan = FrameStatus::kGap;
    frame.reason = reason;
  } else if (!cadence_.due(live.interval)) {
    skip(frame, "interval");
  } else if (late || busy) {
    skip(frame, late ? "qos" : "busy");
    post_qos(element_, frame.times, counters.stats(), proportion_, earliest);
  } else if (Status ready = prepare(frame); !ready) {
    frame.plan = FrameStatus::kFailed;
    frame.failure = std::move(ready.error());
  } else if (live_) {
    last_job_ = frame.job;
    for (const RegionLook& look : frame.regions)
      if (look.job) last_job_ = look.job;
  }
  cadence_.note(frame.plan == FrameStatus::kOk || frame.plan == FrameStatus::kFailed);
  return frame;
}

void Intake::forget() {
  cadence_.forget();
  tracked_->forget();
  last_job_.reset();
  earliest_ = GST_CLOCK_TIME_NONE;
}

void Intake::note_qos(double proportion, GstClockTime earliest_time) {
  proportion_ = proportion;
  earliest_ = earliest_time;
}

}  // namespace tv

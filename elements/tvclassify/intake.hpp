// The streaming thread's half: what is to become of a frame, and its picture made ready for the
// network.
#pragma once

#include <gst/video/video.h>

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "elements/common/gst_ptr.hpp"
#include "elements/tvclassify/active.hpp"
#include "elements/tvclassify/counters.hpp"
#include "elements/tvclassify/cuda_memory.hpp"
#include "elements/tvclassify/frame.hpp"
#include "elements/tvclassify/history.hpp"
#include "elements/tvclassify/passing.hpp"
#include "elements/tvclassify/prepare.hpp"
#include "elements/tvclassify/settings.hpp"
#include "elements/tvclassify/tracked.hpp"

namespace tv {

/// Streaming thread only, apart from note_qos().
class Intake {
 public:
  /// The element, whose bus hears of late frames, must outlive the intake.
  Intake(GstElement* element, const Settings& settings, std::shared_ptr<TrackedObjects> tracked)
      : element_(element),
        backend_(settings.transforms_backend),
        live_(settings.latency_mode == LatencyMode::kLive),
        by_region_(settings.inference_region == InferenceRegion::kRoiList),
        filter_{.classes = parse_classes(settings.object_class),
                .min_width = static_cast<int>(settings.min_region_size),
                .min_height = static_cast<int>(settings.min_region_size)},
        tracked_(std::move(tracked)) {}

  /// The caps of the frames that follow. Fails: Unsupported (interlace-mode=alternate), Cancelled
  /// (refused before), InvalidArgument (a size that the recipe cannot take).
  Status set_caps(GstCaps* caps, const Transforms& recipe);
  void set_segment(const GstSegment& segment) { segment_ = segment; }
  /// Of the caps.
  const std::optional<GstVideoInfo>& info() const { return info_; }

  /// The recipe of other weights works for frames of these caps. Fails: make_plan()'s.
  Status fits(const Transforms& recipe) const;

  /// Decides; a frame that is to be classified gets a job, not yet submitted.
  Passing judge(BufferRef buffer, std::shared_ptr<const Active> active, const LiveSettings& live,
                const Counters& counters);

  /// Any thread: a QoS event from downstream.
  void note_qos(double proportion, GstClockTime earliest_time);
  /// A flush or a new stream.
  void forget();
  /// The jobs that are at the model come to nothing.
  void forget_jobs() { last_job_.reset(); }

 private:
  Result<GstVideoInfo> judge_caps(GstCaps* caps, const Transforms& recipe) const;
  struct Mapped {
    inference::Picture picture;
    std::optional<Frame> frame;  // of a model that reads the pixels at once: keeps them until then
  };
  Result<Mapped> map(const Passing& frame);
  Result<inference::JobRef> make_job(const FrameView& part, const inference::Picture& picture,
                                     const Passing& frame);
  Status prepare(Passing& frame);
  Status prepare_regions(Passing& frame);
  void skip(Passing& frame, std::string_view reason);
  RegionLook look_at(const Region& region, const inference::Picture& picture, const Passing& frame);

  GstElement* const element_;
  const TransformsBackend backend_;
  const bool live_;
  const bool by_region_;
  const RegionFilter filter_;
  const std::shared_ptr<TrackedObjects> tracked_;
  GstSegment segment_ = make_segment();
  std::optional<GstVideoInfo> info_;
  CapsRef refused_;
  Cadence cadence_;
  std::shared_ptr<const Active> active_;  // of the last frame
  std::optional<Preparation> preparation_;
  CudaFrames cuda_frames_;
  bool told_of_copies_ = false;  // from the GPU to the CPU
  inference::JobRef last_job_;   // in live mode: its end decides whether another one begins
  std::atomic<double> proportion_{1};
  std::atomic<GstClockTime> earliest_{GST_CLOCK_TIME_NONE};

  static GstSegment make_segment() {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_UNDEFINED);
    return segment;
  }
};

}  // namespace tv

// One run of the element, start() to stop(): the model, and what goes through between the pads.
#pragma once

#include <gst/video/video.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "elements/common/announcer.hpp"
#include "elements/common/gst_ptr.hpp"
#include "elements/inference/deferred_end.hpp"
#include "elements/tvclassify/active.hpp"
#include "elements/tvclassify/choice.hpp"
#include "elements/tvclassify/counters.hpp"
#include "elements/tvclassify/intake.hpp"
#include "elements/tvclassify/loading.hpp"
#include "elements/tvclassify/outlet.hpp"
#include "elements/tvclassify/passing.hpp"
#include "elements/tvclassify/settings.hpp"

namespace tv {

/// The State of a run. The streaming thread puts buffers and serialized events into one ordered
/// queue, the source thread takes them out.
class Run {
 public:
  /// The element and its source pad must outlive the run, which may be destroyed on any thread,
  /// also by somebody who hears of the loading. `loop`, given the element, is what the pad's task
  /// calls again and again.
  Run(GstElement* element, GstPad* source, GstTaskFunction loop, Choice choice,
      const Settings& settings, std::shared_ptr<Counters> counters);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// Starts loading; progress and errors go to the bus. Once, before all else but destroying.
  /// Fails: Unavailable (no thread can be made), which goes nowhere.
  Status load();

  // ---- streaming thread

  /// The caps of the frames that follow. Fails: Intake::set_caps()'s.
  Status set_caps(GstCaps* caps);
  void set_segment(const GstSegment& segment) { intake_.set_segment(segment); }
  /// Waits for the model, then for room; takes the frame in and sends it on its way. OK, or what
  /// became of the stream: FLUSHING, ERROR (reported), or downstream's answer.
  GstFlowReturn accept(BufferRef buffer, const LiveSettings& live);
  /// Behind all that came before. False: nothing goes through any longer, and the event is lost. A
  /// sticky one then stays on the source pad instead, as in GStreamer's queue.
  bool pass(EventRef event);
  /// Waits until all that came before has left. False: nothing goes through any longer.
  bool drain();

  // ---- source thread

  /// Waits for the next frame or event, and pushes it. Anything but OK: the end, for now.
  GstFlowReturn deliver();
  /// After the end: pauses the pad's task, unless somebody has resumed meanwhile.
  void rest();

  // ---- any thread

  /// Lets frames and events in, and starts the source pad's task; not after close(). False: no
  /// task.
  bool resume();
  /// Discards what is inside and sends everybody back with `flow`. Sticky events stay on the source
  /// pad: nobody would send them again.
  void shut(GstFlowReturn flow);
  /// shut(FLUSHING) and resume(), for a flush; in between nobody waits for the model either, and
  /// the source pad's task is paused.
  void begin_flush();
  /// Before FLUSH_STOP goes downstream, where perhaps no FLUSH_START came before: waits for the
  /// source thread, whose frame must not come behind it.
  void halt();
  bool end_flush();
  /// The end is near: shuts, cancels a download.
  void close();
  /// What downstream answered last.
  GstFlowReturn flow() const { return flow_; }
  /// True when the ERROR was posted here.
  bool has_reported() const { return reported_; }

  /// Other weights: loads them in the background and changes over at a frame boundary. Until then,
  /// and when that fails (a WARNING says why), nothing changes.
  /// `turn` grows with the settings: an older choice never replaces a newer one.
  void change_weights(Choice choice, std::uint64_t turn);

  /// Posts an error of the streaming thread.
  void report(const Error& error, Stage stage,
              const std::source_location& where = std::source_location::current());
  /// What runs.
  Choice choice() const;
  /// As they were at the start, whatever was set since.
  const Settings& settings() const { return settings_; }
  /// A QoS event from downstream.
  void note_qos(double proportion, GstClockTime earliest_time) {
    intake_.note_qos(proportion, earliest_time);
  }
  /// What this element adds to a LATENCY query, nanoseconds. max: NONE when it is not known.
  struct Latency {
    GstClockTime min = 0, max = GST_CLOCK_TIME_NONE;
  };
  Latency latency() const;

 private:
  std::shared_ptr<const Active> activate(Choice choice,
                                         std::shared_ptr<inference::SharedModel> model);
  /// The model of the next frame; nullptr: not there yet.
  std::shared_ptr<const Active> current();
  std::shared_ptr<const Active> active() const;
  GstFlowReturn wait_for_room();
  std::string about() const;
  void measure();
  void tell_latency();
  std::vector<StreamQueue::Entry> stop_with(GstFlowReturn flow);
  bool keep(const StreamItem& item);
  void discard(const std::vector<StreamQueue::Entry>& rest);

  /// Models that gave way to others: neither of the stream's threads waits for their inference.
  /// First: its end, which waits, is the last of the run.
  const std::shared_ptr<inference::DeferredEnd> ends_ = std::make_shared<inference::DeferredEnd>();
  GstElement* const element_;
  GstPad* const source_;
  const GstTaskFunction loop_;
  const std::string name_;  ///< of the element, as it was at the start
  const Settings settings_;
  const std::shared_ptr<Counters> counters_;
  const std::shared_ptr<Announcer> announcer_;
  const std::shared_ptr<StreamQueue> queue_ = std::make_shared<StreamQueue>();
  const std::shared_ptr<TrackedObjects> tracked_ = std::make_shared<TrackedObjects>();
  Intake intake_;
  Outlet outlet_;
  std::vector<inference::JobRef> jobs_;  // of one frame; streaming thread
  std::atomic<GstFlowReturn> flow_{GST_FLOW_FLUSHING};
  std::atomic<bool> reported_{false};
  std::atomic<GstClockTime> frame_duration_{GST_CLOCK_TIME_NONE};
  std::atomic<GstClockTime> measured_{0};  // from picture to result
  std::atomic<bool> cancelled_{false};     // jobs came to nothing
  std::uint64_t since_measured_ = 0;       // frames; source thread
  GstClockTime measured_at_ = 0;           // source thread
  std::uint64_t passed_ = 0;               // events; streaming thread

  std::mutex kept_mutex_;                       // guards what follows
  std::map<GstEventType, std::uint64_t> kept_;  // the newest event of a type on the source pad

  mutable std::mutex mutex_;  // guards what follows
  Choice choice_;             // of active_, or before that of loading_
  std::shared_ptr<const Active> active_;
  std::unique_ptr<Loading> loading_;  // of the start; from load() on
  std::unique_ptr<Loading> next_;     // of other weights
  std::optional<Choice> next_choice_;
  std::uint64_t next_turn_ = 0;
  std::vector<std::unique_ptr<Loading>> given_up_;  // closed, until their threads have ended
  bool closed_ = false;
};

}  // namespace tv

// One run of the element, start() to stop(): the model, and what becomes of each frame.
#pragma once

#include <gst/video/video.h>

#include <atomic>
#include <memory>
#include <optional>
#include <source_location>
#include <string>

#include "elements/common/announcer.hpp"
#include "elements/common/gst_ptr.hpp"
#include "elements/tvclassify/choice.hpp"
#include "elements/tvclassify/classifier.hpp"
#include "elements/tvclassify/history.hpp"
#include "elements/tvclassify/metadata.hpp"
#include "elements/tvclassify/result.hpp"
#include "elements/tvclassify/settings.hpp"

namespace tv {

/// The State of a run. Streaming thread only, apart from what says otherwise.
class Run {
 public:
  /// Starts loading; progress and errors go to the bus. The element must outlive the run, which may
  /// be destroyed on any thread, also by somebody who hears of the loading.
  Run(GstElement* element, Choice choice, const Settings& settings);

  /// The caps of the frames that follow. Fails: Unsupported (interlace-mode=alternate), Cancelled
  /// (refused before), InvalidArgument (a size that the recipe cannot take).
  Status set_caps(GstCaps* caps);

  /// Decides, classifies, and writes the result on the (writable) buffer. `stats` are of the frames
  /// before; the status of this one is the returned result's. OK, ERROR (reported), or FLUSHING.
  struct Outcome {
    GstFlowReturn flow = GST_FLOW_OK;
    FrameResult result;            ///< when the frame was judged
    std::optional<Scores> scores;  ///< when it was classified
    bool judged = false;
  };
  Outcome judge(GstBuffer* buffer, const GstSegment* segment, const Settings& settings,
                bool qos_enabled, const Stats& stats);

  /// Forget earlier results: a flush or a new stream.
  void forget();

  /// Any thread: makes the streaming thread return, or lets it in again.
  void set_flushing(bool flushing);
  /// Any thread: the end is near; cancels a download.
  void close();
  /// Posts an error of the streaming thread.
  void report(const Error& error, Stage stage,
              const std::source_location& where = std::source_location::current()) {
    announcer_->post(error, stage, about(), where);
  }
  /// What runs.
  const Choice& choice() const { return choice_; }
  /// Any thread: a QoS event from downstream.
  void note_qos(double proportion, GstClockTime earliest_time);

 private:
  Result<GstVideoInfo> judge_caps(GstCaps* caps) const;
  FrameResult classify(GstBuffer* buffer, const Settings& settings, std::optional<Scores>& scores,
                       bool& stopped);
  /// A warning, or an error when there have been too many in a row.
  GstFlowReturn report_failure(const Settings& settings);
  ModelIdentity identity() const;
  /// For debug texts.
  std::string about() const;

  GstElement* const element_;
  const std::shared_ptr<Announcer> announcer_;
  const Choice choice_;
  const TransformsBackend backend_;
  std::optional<GstVideoInfo> info_;
  CapsRef refused_;
  History history_;
  Error failure_;  // of the last failed frame

  std::atomic<double> proportion_{1};
  std::atomic<GstClockTime> earliest_{GST_CLOCK_TIME_NONE};

  std::unique_ptr<Classifier> classifier_;
};

}  // namespace tv

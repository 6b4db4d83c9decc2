// The source thread's half: what is said about a frame, on its buffer and on the bus.
#pragma once

#include <gst/gst.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "elements/common/announcer.hpp"
#include "elements/tvclassify/counters.hpp"
#include "elements/tvclassify/history.hpp"
#include "elements/tvclassify/passing.hpp"

namespace tv {

/// Source thread only.
class Outlet {
 public:
  /// The element must outlive the outlet.
  Outlet(GstElement* element, std::shared_ptr<Announcer> announcer)
      : element_(element), announcer_(std::move(announcer)) {}

  /// Decides the frame's result, writes it on the buffer (which it makes writable) and posts what
  /// is to be posted. `in_time`: false when the frame leaves before inference reached it. False:
  /// there have been too many failures, and an error was posted.
  bool finish(Passing& frame, bool in_time, Counters& counters);

  /// Forgets earlier results: a flush or a new stream.
  void forget();

 private:
  /// A frame that left before its result came.
  struct Late {
    inference::JobRef job;
    std::shared_ptr<const Active> active;
    LiveSettings live;
    FrameTimes times;
    std::uint64_t number = 0;
  };

  void begin_with(const Passing& frame);
  void collect_late(const Passing& next);
  FrameResult result_of(const Passing& frame, bool in_time);
  FrameResult read(const inference::Job& job, const Active& active, const LiveSettings& live);
  bool report_failure(const Passing& frame);

  GstElement* const element_;
  const std::shared_ptr<Announcer> announcer_;
  History history_;
  Error failure_;                         // of the last failed frame
  std::shared_ptr<const Active> active_;  // of the last frame
  std::deque<Late> late_;
  std::uint64_t number_ = 0;  // of the next frame
  GstClockTime stats_posted_ = GST_CLOCK_TIME_NONE;
};

/// Which weights from where, for debug texts.
std::string source_of(const Choice& choice);

}  // namespace tv

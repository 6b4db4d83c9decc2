// The source thread's half: what is said about a frame, on its buffer and on the bus.
#pragma once

#include <gst/gst.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elements/common/announcer.hpp"
#include "elements/tvclassify/counters.hpp"
#include "elements/tvclassify/history.hpp"
#include "elements/tvclassify/passing.hpp"
#include "elements/tvclassify/tracked.hpp"

namespace tv {

/// Source thread only.
class Outlet {
 public:
  /// The element must outlive the outlet.
  Outlet(GstElement* element, std::shared_ptr<Announcer> announcer,
         std::shared_ptr<TrackedObjects> tracked)
      : element_(element), announcer_(std::move(announcer)), tracked_(std::move(tracked)) {}

  /// Decides the frame's result, writes it on the buffer (which it makes writable) and posts what
  /// is to be posted. `in_time`: false when the frame leaves before inference reached it. False:
  /// there have been too many failures, or the device is lost, and an error was posted.
  bool finish(Passing& frame, bool in_time, Counters& counters);

  /// Forgets earlier results: a flush or a new stream.
  void forget();

 private:
  /// A picture whose frame left before its result came.
  struct Late {
    inference::JobRef job;
    std::shared_ptr<const Active> active;
    LiveSettings live;
    FrameTimes times;
    std::uint64_t number = 0;      ///< of the frame
    std::optional<Region> region;  ///< the picture is of this one
    std::uint64_t tracked_frame = 0;
    std::chrono::steady_clock::time_point mapped;  ///< Passing's
    std::uint64_t preprocess_ns = 0;
  };

  void begin_with(const Passing& frame);
  bool collect_late(Counters& counters);
  bool collect(const Late& late, Counters& counters);
  // They begin with a clear result, and fill it.
  void result_of(Passing& frame, bool in_time, Counters& counters, FrameResult& result);
  void result_of_regions(Passing& frame, Counters& counters, FrameResult& whole);
  FrameResult result_of_region(const Passing& frame, const RegionLook& look);
  void fail(const Error& error, FrameResult& result);
  void read(const inference::Job& job, const Active& active, const LiveSettings& live,
            FrameResult& result);
  /// Takes a frame's scores into the smoothed ones, which become its labels; notes when another
  /// class holds.
  void smooth(FrameResult& result, const inference::Job& job, const Active& active,
              const LiveSettings& live, const FrameTimes& times);
  void remember_late(const Passing& frame, const inference::JobRef& job,
                     std::optional<Region> region, std::uint64_t preprocess_ns);
  void post_change(const ModelIdentity& identity, const FrameTimes& times);
  void post(const Passing& frame, const FrameResult& result, const Counters& counters);
  bool report_failure(const LiveSettings& live, const Active& active);

  GstElement* const element_;
  const std::shared_ptr<Announcer> announcer_;
  const std::shared_ptr<TrackedObjects> tracked_;
  History history_;
  Smoother smoother_;
  Label holds_;                           // the class that holds, as it was when it began to
  std::optional<Label> held_before_;      // when that is news
  std::vector<float> scores_;             // of the last frame
  std::vector<inference::Score> best_;    // of them; like scores_ and result_ kept for its memory
  FrameResult result_;                    // of the last frame
  Error failure_;                         // of the last failed frame
  bool has_ended_ = false;                // an ERROR was posted: no other one follows it
  bool lost_ = false;                     // and none after a flush either: the device is lost
  std::shared_ptr<const Active> active_;  // of the last frame
  std::deque<Late> late_;
  std::uint64_t number_ = 0;  // of the next frame
  GstClockTime stats_posted_ = GST_CLOCK_TIME_NONE;
};

/// Which weights from where, for debug texts.
std::string source_of(const Choice& choice);

}  // namespace tv

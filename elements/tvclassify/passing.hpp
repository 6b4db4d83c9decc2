// What goes through a stream: frames on their way from the intake to the outlet, and events.
#pragma once

#include <gst/gst.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "elements/common/gst_ptr.hpp"
#include "elements/inference/job.hpp"
#include "elements/inference/ordered_queue.hpp"
#include "elements/tvclassify/active.hpp"
#include "elements/tvclassify/messages.hpp"
#include "elements/tvclassify/regions.hpp"
#include "elements/tvclassify/result.hpp"
#include "elements/tvclassify/settings.hpp"

namespace tv {

/// One region of a frame.
struct RegionLook {
  Region region;
  FrameStatus plan = FrameStatus::kOk;  ///< kOk: `job` says what becomes of it
  std::string_view reason = {};         ///< of skipped; static
  std::optional<Error> failure = {};
  inference::JobRef job = {};
  std::uint64_t preprocess_ns = 0;
};

/// A frame with what the intake knows about it.
struct Passing {
  BufferRef buffer;
  FrameTimes times;
  std::shared_ptr<const Active> active;
  LiveSettings live;
  FrameStatus plan = FrameStatus::kOk;  ///< kOk: `job` or the regions say what becomes of it
  std::string_view reason = {};         ///< of gap and skipped; static
  std::optional<Error> failure = {};    ///< of failed
  inference::JobRef job = {};           ///< of the whole frame
  std::vector<RegionLook> regions = {};
  std::uint64_t tracked_frame = 0;                    ///< TrackedObjects::enter()
  std::chrono::steady_clock::time_point mapped = {};  ///< when the picture was ready to be read
  std::uint64_t preprocess_ns = 0;
};

/// A buffer or a serialized event; exactly one is there.
struct StreamItem {
  std::optional<Passing> frame;
  EventRef event;
  std::uint64_t order = 0;  ///< of the event, among events
};

using StreamQueue = inference::OrderedQueue<StreamItem>;

}  // namespace tv

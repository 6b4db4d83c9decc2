// The counters of a run. Thread-safe; no GStreamer.
#pragma once

#include <mutex>
#include <optional>

#include "elements/tvclassify/result.hpp"

namespace tv {

/// Where the time of a classified frame went, nanoseconds.
struct FrameCost {
  std::uint64_t preprocess_ns = 0, queue_ns = 0, inference_ns = 0, total_ns = 0;
  unsigned batch = 0;  ///< pictures that ran together
};

class Counters {
 public:
  void reset() {
    change([](Stats& stats) { stats = {}; });
  }
  void entered() {
    change([](Stats& stats) {
      ++stats.frames_in;
      stats.inside.add(stats.in_flight());
    });
  }
  /// Frames that entered and will not leave.
  void flushed(std::uint64_t count) {
    change([count](Stats& stats) {
      stats.frames_in -= count;
      stats.flushed += count;
    });
  }
  void left(FrameStatus status) {
    change([status](Stats& stats) { ++stats.by_status[static_cast<std::size_t>(status)]; });
  }
  void classified(const FrameCost& cost) {
    change([&cost](Stats& stats) {
      stats.preprocess.add(cost.preprocess_ns);
      stats.queue.add(cost.queue_ns);
      stats.inference.add(cost.inference_ns);
      stats.total.add(cost.total_ns);
      stats.batch.add(cost.batch);
      stats.last_batch.add(cost.batch);
    });
  }
  Stats stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  template <typename F>
  void change(F&& body) {
    const std::lock_guard lock(mutex_);
    body(stats_);
  }

  mutable std::mutex mutex_;
  Stats stats_;
};

}  // namespace tv

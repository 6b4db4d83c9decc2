// What earlier frames of a stream mean for the next one. Plain data, one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "elements/tvclassify/result.hpp"

namespace tv {

/// Which frames are to be classified.
class Cadence {
 public:
  /// True for the first frame, and for the n-th after the last attempt (n = interval).
  bool due(unsigned interval) const { return !attempted_ || since_attempt_ + 1 >= interval; }
  /// Each frame once: whether it was attempted.
  void note(bool attempted) {
    since_attempt_ = attempted ? 0 : since_attempt_ + 1;
    attempted_ = attempted_ || attempted;
  }
  /// A new stream, a flush, other weights: the next frame is due.
  void forget() { *this = {}; }

 private:
  bool attempted_ = false;
  std::uint32_t since_attempt_ = 0;  // frames after the last attempt
};

class History {
 public:
  /// The result of a frame that is left out: the last labels with their age.
  void skipped(std::string_view reason, FrameResult& result) const;

  /// Takes note of a frame's result, each frame once.
  void note(const FrameResult& result);

  /// Takes note of a failure alone, of a frame that has left.
  void note_failure() {
    ++consecutive_failures_;
    ++failures_;
  }

  /// Takes note of a result that came after its frame had left, `age` frames before the next one.
  void note_late(const FrameResult& result, std::uint32_t age);

  /// Failures since the last classified frame; gaps and skipped frames do not count.
  unsigned consecutive_failures() const { return consecutive_failures_; }
  /// True for the 1st, 2nd, 4th, 8th, ... failure: what is worth a warning.
  bool failure_is_news() const { return (failures_ & (failures_ - 1)) == 0; }
  std::uint64_t failures() const { return failures_; }

  /// A new stream or a flush: results from before must not be carried over.
  void forget();

 private:
  void replace(const FrameResult& result, std::uint32_t age);

  std::optional<FrameResult> last_;  // of the last classified frame; its age grows
  unsigned consecutive_failures_ = 0;
  std::uint64_t failures_ = 0;
};

}  // namespace tv

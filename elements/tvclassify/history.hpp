// What earlier frames of a stream mean for the next one. Plain data, streaming thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "elements/tvclassify/result.hpp"

namespace tv {

class History {
 public:
  /// A change of the top label; an absent one has index -1.
  struct Change {
    Label previous, current;
  };

  /// True when a frame is to be classified: the first one, and the n-th after the last attempt (n =
  /// interval).
  bool due(unsigned interval) const { return !attempted_ || since_attempt_ + 1 >= interval; }

  /// The result of a frame that is left out: the last labels with their age.
  FrameResult skipped(std::string_view reason) const;

  /// Takes note of a frame's result, each frame once. Says when the top label is another than that
  /// of the last classified frame.
  std::optional<Change> note(const FrameResult& result);

  /// Failures since the last classified frame; gaps and skipped frames do not count.
  unsigned consecutive_failures() const { return consecutive_failures_; }
  /// True for the 1st, 2nd, 4th, 8th, ... failure: what is worth a warning.
  bool failure_is_news() const { return (failures_ & (failures_ - 1)) == 0; }
  std::uint64_t failures() const { return failures_; }

  /// A new stream or a flush: results from before must not be carried over.
  void forget();

 private:
  bool attempted_ = false;
  std::uint32_t since_attempt_ = 0;  // frames after the last attempt
  std::optional<FrameResult> last_;  // of the last classified frame; its age grows
  Label top_;                        // of the last classified frame
  unsigned consecutive_failures_ = 0;
  std::uint64_t failures_ = 0;
};

}  // namespace tv

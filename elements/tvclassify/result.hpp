// What the element says about one frame, and the counters over all frames.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tv {

/// Exactly one for each buffer that enters.
enum class FrameStatus : std::uint8_t {
  kOk,       ///< this frame was classified
  kGap,      ///< nothing to classify: flagged GAP or CORRUPTED, or without pixels
  kSkipped,  ///< left out on purpose (interval, QoS); carries the last labels with their age
  kFailed,   ///< the attempt failed; no labels
};

/// "ok", "gap", "skipped", "failed"
constexpr std::string_view status_name(FrameStatus status) {
  constexpr std::string_view kNames[] = {"ok", "gap", "skipped", "failed"};
  return kNames[static_cast<std::size_t>(status)];
}

/// One class with its score.
struct Label {
  int index = -1;    ///< class
  std::string text;  ///< category, UTF-8; the index as text where the entry has no categories
  float score = 0;   ///< softmax probability, 0..1

  bool operator==(const Label&) const = default;
};

struct FrameResult {
  FrameStatus status = FrameStatus::kGap;
  std::string reason;  ///< why not ok: "gap-flag", "interval", "qos", an error text; empty when ok
  std::vector<Label> labels;     ///< highest score first, at most top-k, none below the threshold
  std::uint32_t age = 0;         ///< frames between the one that was classified and this one
  std::uint64_t latency_ns = 0;  ///< from the mapped frame to the labels; 0 when not classified
};

/// Durations of one kind, nanoseconds.
struct Timing {
  std::uint64_t last = 0, largest = 0, sum = 0, count = 0;
  void add(std::uint64_t value) {
    last = value;
    if (value > largest) largest = value;
    sum += value;
    ++count;
  }
  std::uint64_t mean() const { return count == 0 ? 0 : sum / count; }
};

/// in = ok + gap + skipped + failed at any moment when no frame is inside.
struct Stats {
  std::uint64_t frames_in = 0;
  std::array<std::uint64_t, 4> by_status{};  ///< index = FrameStatus
  Timing preprocess, inference, total;       ///< of classified frames

  /// Counts one frame; the durations are of a classified one.
  void add(FrameStatus status) {
    ++frames_in;
    ++by_status[static_cast<std::size_t>(status)];
  }
  std::uint64_t count(FrameStatus status) const {
    return by_status[static_cast<std::size_t>(status)];
  }
};

}  // namespace tv

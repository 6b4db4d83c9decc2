// What the element says about one frame, and the counters over all frames.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "elements/tvclassify/quantiles.hpp"

namespace tv {

/// Exactly one for each buffer that enters.
enum class FrameStatus : std::uint8_t {
  kOk,       ///< this frame was classified
  kGap,      ///< nothing to classify: flagged GAP or CORRUPTED, or without pixels
  kSkipped,  ///< left out on purpose (interval, QoS), or inference did not reach it in time;
             ///< carries the newest labels with their age
  kFailed,   ///< the attempt failed; no labels
};

/// "ok", "gap", "skipped", "failed"
constexpr std::string_view status_name(FrameStatus status) {
  constexpr std::string_view kNames[] = {"ok", "gap", "skipped", "failed"};
  return kNames[static_cast<std::size_t>(status)];
}

/// One class with its score.
struct Label {
  int index = -1;  ///< class
  /// Category, UTF-8; the index as text where the entry has no categories. With a zero behind it,
  /// of memory that stays (a literal, g_intern_string()): labels are copied for every frame.
  std::string_view text = "";
  float score = 0;  ///< softmax probability, 0..1

  bool operator==(const Label&) const = default;
};

struct FrameResult {
  FrameStatus status = FrameStatus::kGap;
  /// Why not ok: "gap-flag", "interval", "qos", "busy", "late", an error text; empty when ok.
  std::string reason;
  std::vector<Label> raw;        ///< of this frame alone, where `labels` are smoothed; else empty
  std::vector<Label> labels;     ///< highest score first, at most top-k, none below the threshold
  std::uint32_t age = 0;         ///< frames between the one that was classified and this one
  std::uint64_t latency_ns = 0;  ///< from the mapped frame to the labels; 0 when not classified

  /// As new, in the memory that it has.
  void clear() {
    status = FrameStatus::kGap;
    reason.clear();
    raw.clear();
    labels.clear();
    age = 0;
    latency_ns = 0;
  }
};

/// Counts of one kind.
struct Tally {
  std::uint64_t largest = 0, sum = 0, count = 0;
  void add(std::uint64_t value) {
    if (value > largest) largest = value;
    sum += value;
    ++count;
  }
  double mean() const {
    return count == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(count);
  }
};

/// in = ok + gap + skipped + failed + in_flight at any moment.
struct Stats {
  std::uint64_t frames_in = 0;                  ///< without those that were flushed
  std::uint64_t flushed = 0;                    ///< discarded by a flush or a stop
  std::array<std::uint64_t, 4> by_status{};     ///< index = FrameStatus
  Samples preprocess, queue, inference, total;  ///< of classified pictures
  Tally batch;                                  ///< pictures that ran together
  Samples last_batch;                           ///< the same
  Samples inside;                               ///< frames, each time that one has entered

  std::uint64_t in_flight() const {
    std::uint64_t left = 0;
    for (const std::uint64_t count : by_status) left += count;
    return frames_in - left;
  }
  std::uint64_t count(FrameStatus status) const {
    return by_status[static_cast<std::size_t>(status)];
  }
};

}  // namespace tv

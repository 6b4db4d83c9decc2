// Scores of one stream, or of one tracked region, smoothed over time; and which class holds. Plain
// data, one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tv {

enum class SmoothingKind : std::uint8_t {
  kNone,      ///< the scores as they are
  kEma,       ///< exponential moving average: the past weighs 2^(-dt / half-life)
  kMajority,  ///< the share of the window's frames whose best class it was
};

/// Each may change between two frames; another kind begins anew and keeps the class that holds.
struct Smoothing {
  SmoothingKind kind = SmoothingKind::kNone;
  std::uint64_t half_life_ns = 500'000'000;  ///< kEma: stream time; 0: no past
  std::uint64_t window_ns = 1'000'000'000;   ///< kMajority: stream time; 0: this frame alone
  double threshold = 0;                      ///< 0..1: a class below it is absent
  double hysteresis = 0;                     ///< 0..1: see Smoother::add()
};

class Smoother {
 public:
  /// Of a stream without times, and of a frame before any step is known: 30 frames a second.
  /// second.
  static constexpr std::uint64_t kNominalStepNs = 33'333'333;
  /// Frames that a majority looks at, at most: more of them forget the oldest.
  static constexpr std::size_t kWindowFrames = 4096;
  static constexpr std::uint64_t kUnknownTime = UINT64_MAX;
  /// No class.
  static constexpr int kAbsent = -1;

  /// `window_frames`: a smaller bound than kWindowFrames, for one of many regions; at least 1. A
  /// majority takes 16 bytes for each at its first frame.
  explicit Smoother(std::size_t window_frames = kWindowFrames);

  struct Change {
    int previous = kAbsent, current = kAbsent;  ///< classes
    bool changed() const { return previous != current; }
  };

  /// Takes in the scores of a classified frame: of all classes, 0..1, finite. `stream_time_ns` may
  /// go backwards (the distance counts); where it is unknown or does not move, the frame is as far
  /// from the one before as the last two that moved were from each other. Another number of classes
  /// begins anew. Scores that are not finite, or none at all, are left out: nothing changes.
  ///
  /// The class that holds: the first frame's best one, if it reaches the threshold. From then on
  /// another class takes its place when it reaches the threshold and its smoothed score is more
  /// than `hysteresis` above that of the class that holds. The class is lost, and none holds, when
  /// it is more than `hysteresis` below the threshold and no class reaches that. With a hysteresis
  /// of 1 the first class stays.
  ///
  /// Allocates at the first frame of its kind, then no more.
  Change add(std::span<const float> scores, std::uint64_t stream_time_ns,
             const Smoothing& smoothing);

  /// The smoothed scores after the last frame, one for each class; empty before the first. With
  /// kMajority they are shares: a frame without a class at the threshold votes for none, and of
  /// classes with equal shares the one that was best most recently is one ulp above the others, so
  /// that it is found first. Valid until the next add() or reset().
  std::span<const float> scores() const { return smoothed_; }
  int current() const { return current_; }

  /// Forgets everything: a flush, a new stream, another network.
  void reset();

 private:
  struct Vote {
    std::uint64_t at;  // nanoseconds of this object's own clock, which never goes backwards
    std::int32_t index;
  };

  void begin(std::size_t classes, SmoothingKind kind);
  std::uint64_t step_to(std::uint64_t stream_time_ns);
  void average(std::span<const float> scores, std::uint64_t step, std::uint64_t half_life);
  void vote(std::span<const float> scores, std::uint64_t step, const Smoothing& smoothing);
  const Vote& vote_before(std::size_t back) const;
  Change hold(const Smoothing& smoothing);

  std::size_t window_frames_;
  SmoothingKind kind_ = SmoothingKind::kNone;
  bool first_ = true;  // nothing smoothed yet
  int current_ = kAbsent;
  std::vector<float> smoothed_;
  std::uint64_t last_time_ = kUnknownTime;
  std::uint64_t last_step_ = kNominalStepNs;
  std::uint64_t clock_ = 0;
  std::vector<Vote> votes_;             // a ring
  std::size_t oldest_ = 0, count_ = 0;  // of the ring
  std::vector<std::uint32_t> tally_;    // votes for each class
};

}  // namespace tv

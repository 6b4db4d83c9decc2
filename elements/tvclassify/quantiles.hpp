// Numbers of the last frames, and what is said about them. Plain data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tv {

/// Of the samples that are kept, in their unit; all 0 when there are none.
struct Summary {
  std::uint64_t last = 0;  ///< the newest
  std::uint64_t mean = 0;  ///< rounded down
  std::uint64_t largest = 0;
  /// The smallest sample that at least 50 (95, 99) of 100 do not exceed (nearest rank): one that
  /// was measured, never a mixture of two.
  std::uint64_t p50 = 0, p95 = 0, p99 = 0;
  std::uint64_t count = 0;  ///< how many were ever added, kept or not

  bool operator==(const Summary&) const = default;
};

/// The last kKept numbers of one kind: nanoseconds, pictures, frames. add() costs two stores; a
/// copy is 4 KiB, and what is shared between threads is copied under the owner's lock and summed up
/// outside of it. Nothing allocates.
class Samples {
 public:
  static constexpr std::size_t kKept = 512;

  void add(std::uint64_t sample) {
    kept_[count_ % kKept] = sample;
    ++count_;
  }
  /// How many were ever added.
  std::uint64_t count() const { return count_; }
  Summary summary() const;

 private:
  std::array<std::uint64_t, kKept> kept_{};
  std::uint64_t count_ = 0;
};

}  // namespace tv

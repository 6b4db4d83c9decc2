// What a hostile file may cost: every allocation made on its behalf is charged before it is made.
#pragma once

#include <cstdint>

namespace tv::checkpoint {

/// Bytes that reading may allocate beyond the file itself. A little under the documented 64 MiB:
/// the rest is the allocator's own overhead.
inline constexpr std::uint64_t kMaxExtraBytes = std::uint64_t{56} << 20;

/// Nesting of dicts and lists.
inline constexpr int kMaxDepth = 64;
/// Values met while flattening; shared containers count each time they are met.
inline constexpr std::uint64_t kMaxVisits = std::uint64_t{1} << 20;
/// Bytes of one string, of one flattened entry name, of one storage key, of one part of a global's
/// name.
inline constexpr std::uint64_t kMaxString = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kMaxName = 4096;
inline constexpr std::uint64_t kMaxStorageKey = 64;
inline constexpr std::uint64_t kMaxGlobalName = 128;
inline constexpr std::uint64_t kMaxDims = 64;
/// Bytes that all views together reach, counted once a view: this many times the file, plus 64 MiB.
/// Expanded and shared tensors are legal, but whoever walks all of them must not need more than
/// time linear in the file.
inline constexpr std::uint64_t kMaxViewFactor = 8;
inline constexpr std::uint64_t kMaxViewSlack = std::uint64_t{64} << 20;

/// Cumulative: what was charged is never given back, so that it also bounds the work done.
class Budget {
 public:
  explicit Budget(std::uint64_t limit = kMaxExtraBytes) : left_(limit) {}
  /// False, and nothing is taken, when `bytes` exceed what is left.
  [[nodiscard]] bool charge(std::uint64_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }
  std::uint64_t left() const { return left_; }

 private:
  std::uint64_t left_;
};

}  // namespace tv::checkpoint

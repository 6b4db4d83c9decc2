#include "elements/tvclassify/quantiles.hpp"

#include <algorithm>
#include <span>

namespace tv {
namespace {

/// `sorted` is not empty.
std::uint64_t nearest_rank(std::span<const std::uint64_t> sorted, std::size_t percent) {
  return sorted[(sorted.size() * percent + 99) / 100 - 1];
}

/// Without the sum, which could overflow.
std::uint64_t mean_of(std::span<const std::uint64_t> values) {
  const std::uint64_t n = values.size();
  std::uint64_t mean = 0, rest = 0;
  for (const std::uint64_t value : values) {
    mean += value / n;
    rest += value % n;
  }
  return mean + rest / n;
}

}  // namespace

Summary Samples::summary() const {
  Summary summary;
  summary.count = count_;
  if (count_ == 0) return summary;
  std::array<std::uint64_t, kKept> copy = kept_;
  const std::span sorted(copy.data(), std::min<std::uint64_t>(count_, kKept));
  std::sort(sorted.begin(), sorted.end());
  summary.last = kept_[(count_ - 1) % kKept];
  summary.mean = mean_of(sorted);
  summary.largest = sorted.back();
  summary.p50 = nearest_rank(sorted, 50);
  summary.p95 = nearest_rank(sorted, 95);
  summary.p99 = nearest_rank(sorted, 99);
  return summary;
}

}  // namespace tv

// Batch sizes that are prepared: a graph and its memory for each.
#pragma once

#include <bit>
#include <cstddef>

namespace tv::inference {

/// The next of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, ...: at most half as many pictures again are
/// computed in vain, and few sizes have to be prepared. n >= 1.
constexpr std::size_t prepared_batch(std::size_t n) {
  const std::size_t power = std::bit_ceil(n);
  const std::size_t between = power / 4 * 3;
  return between >= n && power >= 4 ? between : power;
}

}  // namespace tv::inference

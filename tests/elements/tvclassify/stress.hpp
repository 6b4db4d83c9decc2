// What the stress programs share: counts, random numbers that can be had again, memory in use.
//   TV_STRESS=full    the full counts, not those that suit every change
//   TV_STRESS_SEED=N  the seed that a run printed
#pragma once

#include <malloc.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>

namespace tv::test {

using Random = std::mt19937_64;

/// How much of something: on every change, and in full.
struct Count {
  int usual, full;
};
inline int times(Count count) {
  const char* wanted = std::getenv("TV_STRESS");
  return wanted && std::string_view(wanted) == "full" ? count.full : count.usual;
}

inline Random make_random() {
  static const std::uint64_t seed = [] {
    const char* text = std::getenv("TV_STRESS_SEED");
    const std::uint64_t chosen = text ? std::strtoull(text, nullptr, 10) : std::random_device{}();
    std::printf("TV_STRESS_SEED=%llu\n", static_cast<unsigned long long>(chosen));
    std::fflush(stdout);
    return chosen;
  }();
  return Random(seed);
}
/// 0 to end - 1.
inline int below(Random& random, int end) {
  return static_cast<int>(random() % static_cast<unsigned>(end));
}

/// Bytes in use, of all that malloc has given.
inline std::int64_t in_use() {
  malloc_trim(0);
  const struct mallinfo2 info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

}  // namespace tv::test

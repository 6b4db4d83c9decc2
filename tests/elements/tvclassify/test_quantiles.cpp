// The record of numbers against the definitions, written out.
#include "elements/tvclassify/quantiles.hpp"

#include <algorithm>
#include <deque>
#include <random>
#include <type_traits>
#include <vector>

#include "tests/suite.hpp"

using namespace tv;

static_assert(std::is_trivially_copyable_v<Samples>);

namespace {

void expect(const Summary& found, const Summary& expected) {
  ck_assert_uint_eq(found.count, expected.count);
  ck_assert_uint_eq(found.last, expected.last);
  ck_assert_uint_eq(found.mean, expected.mean);
  ck_assert_uint_eq(found.largest, expected.largest);
  ck_assert_uint_eq(found.p50, expected.p50);
  ck_assert_uint_eq(found.p95, expected.p95);
  ck_assert_uint_eq(found.p99, expected.p99);
  ck_assert(found == expected);
}

START_TEST(nothing_is_zero) {
  expect(Samples{}.summary(), {});
}
END_TEST

START_TEST(small_records) {
  Samples samples;
  samples.add(7);
  expect(samples.summary(),
         {.last = 7, .mean = 7, .largest = 7, .p50 = 7, .p95 = 7, .p99 = 7, .count = 1});
  samples.add(2);  // half of two: the smaller one
  expect(samples.summary(),
         {.last = 2, .mean = 4, .largest = 7, .p50 = 2, .p95 = 7, .p99 = 7, .count = 2});
  samples.add(0);
  expect(samples.summary(),
         {.last = 0, .mean = 3, .largest = 7, .p50 = 2, .p95 = 7, .p99 = 7, .count = 3});
}
END_TEST

START_TEST(ranks_of_a_hundred) {
  Samples samples;
  for (std::uint64_t i = 1; i <= 100; ++i) samples.add(i * 37 % 101);  // 1..100 in some order
  expect(samples.summary(),
         {.last = 64, .mean = 50, .largest = 100, .p50 = 50, .p95 = 95, .p99 = 99, .count = 100});
}
END_TEST

START_TEST(old_ones_slide_out) {
  Samples samples;
  samples.add(1'000'000'000);
  for (std::size_t i = 0; i < Samples::kKept - 1; ++i) samples.add(10);
  ck_assert_uint_eq(samples.summary().largest, 1'000'000'000);
  samples.add(20);
  expect(samples.summary(),
         {.last = 20, .mean = 10, .largest = 20, .p50 = 10, .p95 = 10, .p99 = 10, .count = 513});
}
END_TEST

START_TEST(longest_durations_do_not_overflow) {
  Samples samples;
  for (int i = 0; i < 600; ++i) samples.add(UINT64_MAX - static_cast<std::uint64_t>(i % 2));
  const Summary summary = samples.summary();
  ck_assert_uint_eq(summary.mean, UINT64_MAX - 1);
  ck_assert_uint_eq(summary.p50, UINT64_MAX - 1);
  ck_assert_uint_eq(summary.largest, UINT64_MAX);
}
END_TEST

START_TEST(agrees_with_a_sorted_list) {
  std::mt19937_64 random(static_cast<std::uint64_t>(_i));
  Samples samples;
  std::deque<std::uint64_t> kept;
  for (int i = 0; i < 1500; ++i) {
    const std::uint64_t value = random() % 50'000'000;
    samples.add(value);
    kept.push_back(value);
    if (kept.size() > 512) kept.pop_front();
    if (i % 97 != 0) continue;
    std::vector<std::uint64_t> sorted(kept.begin(), kept.end());
    std::sort(sorted.begin(), sorted.end());
    // The smallest value that enough do not exceed.
    const auto rank = [&](std::size_t percent) {
      for (std::size_t n = 1;; ++n)
        if (n * 100 >= percent * sorted.size()) return sorted[n - 1];
    };
    std::uint64_t sum = 0;
    for (const std::uint64_t each : sorted) sum += each;
    expect(samples.summary(), {.last = value,
                               .mean = sum / sorted.size(),
                               .largest = sorted.back(),
                               .p50 = rank(50),
                               .p95 = rank(95),
                               .p99 = rank(99),
                               .count = static_cast<std::uint64_t>(i) + 1});
  }
}
END_TEST

// A snapshot is one: what comes later is not in it.
START_TEST(copies_are_apart) {
  Samples samples;
  samples.add(5);
  const Samples copy = samples;
  samples.add(9);
  ck_assert_uint_eq(copy.summary().largest, 5);
  ck_assert_uint_eq(copy.count(), 1);
  ck_assert_uint_eq(samples.count(), 2);
}
END_TEST

}  // namespace

int main() {
  using tv::test::Loop;
  return tv::test::run_suite("quantiles", 60, nothing_is_zero, small_records, ranks_of_a_hundred,
                             old_ones_slide_out, longest_durations_do_not_overflow,
                             Loop{agrees_with_a_sorted_list, 10}, copies_are_apart);
}

// Smoothed scores against their definitions written out, and the class that holds.
#include "elements/tvclassify/smoothing.hpp"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>
#include <random>
#include <vector>

#include "tests/suite.hpp"

using namespace tv;

// Allocations of this program, to show that there are none.
static std::size_t allocations = 0;
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kUnknown = Smoother::kUnknownTime;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Floats = std::vector<float>;

Smoothing ema(std::uint64_t half_life_ms) {
  return {.kind = SmoothingKind::kEma, .half_life_ns = half_life_ms * kMs};
}
Smoothing majority(std::uint64_t window_ms, double threshold = 0) {
  return {.kind = SmoothingKind::kMajority, .window_ns = window_ms * kMs, .threshold = threshold};
}

/// Scores of `n` classes whose best is `best`.
Floats scores_for(int best, int n = 3, float top = 0.8f) {
  Floats scores(static_cast<std::size_t>(n), (1 - top) / static_cast<float>(n - 1));
  scores[static_cast<std::size_t>(best)] = top;
  return scores;
}

Floats copy(const Smoother& smoother) {
  return {smoother.scores().begin(), smoother.scores().end()};
}

void expect_scores(const Smoother& smoother, const Floats& expected) {
  ck_assert_uint_eq(smoother.scores().size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    ck_assert_msg(std::fabs(smoother.scores()[i] - expected[i]) < 1e-6f, "class %zu: %g, not %g", i,
                  static_cast<double>(smoother.scores()[i]), static_cast<double>(expected[i]));
}

// ---- scores -----------------------------------------------------------------------------------

START_TEST(none_changes_nothing) {
  Smoother smoother;
  ck_assert(smoother.scores().empty());
  for (const int best : {0, 2, 1}) {
    const Floats scores = scores_for(best);
    smoother.add(scores, static_cast<std::uint64_t>(best) * kMs, {});
    ck_assert(copy(smoother) == scores);
  }
}
END_TEST

START_TEST(ema_halves_in_a_half_life) {
  Smoother smoother;
  smoother.add(Floats{1, 0}, 1000 * kMs, ema(100));
  expect_scores(smoother, {1, 0});
  smoother.add(Floats{0, 1}, 1100 * kMs, ema(100));
  expect_scores(smoother, {0.5f, 0.5f});
  smoother.add(Floats{0, 1}, 1300 * kMs, ema(100));
  expect_scores(smoother, {0.125f, 0.875f});
  // Backwards, as in reverse playback: the distance counts.
  smoother.add(Floats{1, 0}, 1200 * kMs, ema(100));
  expect_scores(smoother, {0.5625f, 0.4375f});
  // Another half-life acts at once, and none forgets all.
  smoother.add(Floats{0, 1}, 1250 * kMs, ema(25));
  expect_scores(smoother, {0.140625f, 0.859375f});
  smoother.add(Floats{1, 0}, 1251 * kMs, ema(0));
  expect_scores(smoother, {1, 0});
}
END_TEST

// What two frames of half the step do is what one of the whole step does, where the scores stay.
START_TEST(ema_is_a_matter_of_time_not_of_frames) {
  Smoother coarse, fine;
  coarse.add(Floats{1, 0}, 0, ema(500));
  fine.add(Floats{1, 0}, 0, ema(500));
  for (std::uint64_t t = 1; t <= 1000; ++t) fine.add(Floats{0.2f, 0.8f}, t * kMs, ema(500));
  for (std::uint64_t t = 250; t <= 1000; t += 250)
    coarse.add(Floats{0.2f, 0.8f}, t * kMs, ema(500));
  ck_assert_float_eq_tol(fine.scores()[0], coarse.scores()[0], 1e-4f);
  ck_assert_float_eq_tol(fine.scores()[0], 0.4f, 1e-4f);
}
END_TEST

START_TEST(unknown_times_are_equal_steps) {
  // None is known: the nominal step.
  Smoother timeless;
  const Smoothing half{.kind = SmoothingKind::kEma, .half_life_ns = Smoother::kNominalStepNs};
  timeless.add(Floats{1, 0}, kUnknown, half);
  timeless.add(Floats{0, 1}, kUnknown, half);
  expect_scores(timeless, {0.5f, 0.5f});
  // The last known step: before, at and after an unknown time, and where time stands still.
  Smoother smoother;
  smoother.add(Floats{1, 0}, 0, ema(40));
  smoother.add(Floats{1, 0}, 40 * kMs, ema(40));
  float expected = 1;
  for (const std::uint64_t time : {kUnknown, kUnknown, 500 * kMs, 500 * kMs, 540 * kMs}) {
    smoother.add(Floats{0, 1}, time, ema(40));
    expected /= 2;
    expect_scores(smoother, {expected, 1 - expected});
  }
}
END_TEST

START_TEST(majority_counts_the_window) {
  Smoother smoother;
  const int bests[] = {0, 0, 1, 0};
  for (std::uint64_t i = 0; i < 4; ++i)
    smoother.add(scores_for(bests[i]), i * 10 * kMs, majority(100));
  expect_scores(smoother, {0.75f, 0.25f, 0});
  // At 100 ms the frame of 0 ms is just out of the window, that of 10 ms is in it.
  smoother.add(scores_for(2), 100 * kMs, majority(100));
  expect_scores(smoother, {0.5f, 0.25f, 0.25f});
  // Far away: this frame alone, backwards as well.
  smoother.add(scores_for(1), 900 * kMs, majority(100));
  expect_scores(smoother, {0, 1, 0});
  smoother.add(scores_for(2), 0, majority(100));
  expect_scores(smoother, {0, 0, 1});
  smoother.add(scores_for(0), 1 * kMs, majority(0));
  expect_scores(smoother, {1, 0, 0});
}
END_TEST

START_TEST(majority_ties_go_to_the_most_recent) {
  Smoother smoother;
  smoother.add(scores_for(0), 0, majority(1000));
  smoother.add(scores_for(2), 10 * kMs, majority(1000));
  ck_assert_float_eq(smoother.scores()[0], 0.5f);
  ck_assert_float_eq(smoother.scores()[2], std::nextafter(0.5f, 1.0f));
  smoother.add(scores_for(1), 20 * kMs, majority(1000));
  smoother.add(scores_for(0), 30 * kMs, majority(1000));
  ck_assert_float_eq(smoother.scores()[0], 0.5f);  // no tie, nothing added
  smoother.add(scores_for(1), 40 * kMs, majority(1000));
  ck_assert(smoother.scores()[1] > smoother.scores()[0]);
  // A newer class with fewer votes does not matter.
  smoother.add(scores_for(2, 3), 45 * kMs, majority(1000));
  smoother.add(scores_for(0), 50 * kMs, majority(1000));
  smoother.add(scores_for(1), 60 * kMs, majority(1000));  // 3 : 3 : 2
  ck_assert(smoother.scores()[1] > smoother.scores()[0]);
  ck_assert_float_eq(smoother.scores()[2], 0.25f);
}
END_TEST

START_TEST(majority_frames_without_a_class_vote_for_none) {
  Smoother smoother;
  smoother.add(scores_for(0, 3, 0.8f), 0, majority(1000, 0.5));
  smoother.add(scores_for(0, 3, 0.4f), 10 * kMs, majority(1000, 0.5));
  smoother.add(scores_for(0, 3, 0.4f), 20 * kMs, majority(1000, 0.5));
  smoother.add(scores_for(1, 3, 0.5f), 30 * kMs, majority(1000, 0.5));
  ck_assert_float_eq(smoother.scores()[0], 0.25f);
  ck_assert(smoother.scores()[1] > 0.25f);
  ck_assert_float_eq(smoother.scores()[2], 0);
  ck_assert_int_eq(smoother.current(), Smoother::kAbsent);  // neither has half of the frames
}
END_TEST

START_TEST(majority_window_is_bounded) {
  Smoother smoother(4);
  for (std::uint64_t i = 0; i < 100; ++i) smoother.add(scores_for(0), i, majority(1000));
  smoother.add(scores_for(1), 100, majority(1000));
  expect_scores(smoother, {0.75f, 0.25f, 0});
  Smoother largest(1 << 30);  // is not believed
  for (std::uint64_t i = 0; i < Smoother::kWindowFrames; ++i)
    largest.add(scores_for(0), i, majority(1000));
  for (std::uint64_t i = 0; i < Smoother::kWindowFrames / 4; ++i)
    largest.add(scores_for(1), 5000 + i, majority(1000));
  expect_scores(largest, {0.75f, 0.25f, 0});
}
END_TEST

// A window counted by hand over random frames, directions and unknown times.
START_TEST(majority_agrees_with_a_plain_count) {
  std::mt19937 random(static_cast<unsigned>(_i));
  Smoother smoother(16);
  struct Seen {
    double at;
    int best;
  };
  std::vector<Seen> seen;
  double clock = 0, step = static_cast<double>(Smoother::kNominalStepNs);
  std::uint64_t last = kUnknown;
  for (int frame = 0; frame < 500; ++frame) {
    const std::uint64_t time = random() % 5 == 0 ? kUnknown : random() % 8 * kMs;
    if (time != kUnknown && last != kUnknown && time != last)
      step = std::fabs(static_cast<double>(time) - static_cast<double>(last));
    last = time;
    clock += step;
    const int best = static_cast<int>(random() % 5);
    seen.push_back({clock, best});
    smoother.add(scores_for(best, 5), time, majority(30));
    Floats expected(5, 0);
    int count = 0;
    for (auto each = seen.rbegin(); each != seen.rend() && count < 16; ++each) {
      if (clock - each->at >= 30.0 * static_cast<double>(kMs)) break;
      ++expected[static_cast<std::size_t>(each->best)];
      ++count;
    }
    for (float& share : expected) share /= static_cast<float>(count);
    expect_scores(smoother, expected);
  }
}
END_TEST

// ---- the class that holds ---------------------------------------------------------------------

struct HoldRow {
  const char* what;
  double threshold, hysteresis;
  std::vector<Floats> frames;
  std::vector<int> expected;
};

const std::vector<HoldRow>& hold_rows() {
  static const std::vector<HoldRow> kRows = {
      {"no margin: the best one", 0, 0, {{0.6f, 0.4f}, {0.49f, 0.51f}, {0.6f, 0.4f}}, {0, 1, 0}},
      {"equals: what was there stays", 0, 0, {{0.4f, 0.6f}, {0.5f, 0.5f}}, {1, 1}},
      {"inside the margin nothing changes",
       0,
       0.25,
       {{0.6f, 0.4f}, {0.4f, 0.6f}, {0.375f, 0.625f}, {0.37f, 0.63f}, {0.6f, 0.4f}, {0.7f, 0.3f}},
       {0, 0, 0, 1, 1, 0}},
      {"the first frame needs no margin", 0, 0.9, {{0.4f, 0.6f}}, {1}},
      {"a margin of 1 keeps the first class", 0, 1, {{1, 0}, {0, 1}, {0, 1}}, {0, 0, 0}},
      {"below the threshold: absent",
       0.5,
       0,
       {{0.6f, 0.4f}, {0.45f, 0.4f}, {0.3f, 0.5f}},
       {0, -1, 1}},
      {"absent at first", 0.5, 0.3, {{0.4f, 0.3f}, {0.4f, 0.5f}}, {-1, 1}},
      {"it is lost only below threshold - margin",
       0.5,
       0.25,
       {{0.6f, 0.2f}, {0.3f, 0.3f}, {0.25f, 0.3f}, {0.24f, 0.3f}, {0.49f, 0.2f}, {0.5f, 0.2f}},
       {0, 0, 0, -1, -1, 0}},
      {"a better one below the threshold does not take over",
       0.5,
       0.1,
       {{0.6f, 0.1f}, {0.42f, 0.49f}, {0.38f, 0.49f}, {0.1f, 0.5f}},
       {0, 0, -1, 1}},
  };
  return kRows;
}

START_TEST(class_that_holds) {
  const HoldRow& row = hold_rows()[static_cast<std::size_t>(_i)];
  const Smoothing smoothing{.threshold = row.threshold, .hysteresis = row.hysteresis};
  Smoother smoother;
  int before = Smoother::kAbsent;
  for (std::size_t i = 0; i < row.frames.size(); ++i) {
    const auto change = smoother.add(row.frames[i], i * 40 * kMs, smoothing);
    ck_assert_msg(change.current == row.expected[i], "%s: frame %zu has class %d, not %d", row.what,
                  i, change.current, row.expected[i]);
    ck_assert_int_eq(change.previous, before);
    ck_assert_int_eq(smoother.current(), change.current);
    ck_assert_int_eq(change.changed(), change.previous != change.current);
    before = change.current;
  }
}
END_TEST

// One frame that flickers is smoothed away, a lasting change comes through.
START_TEST(flicker_is_no_change) {
  for (const Smoothing& smoothing : {ema(200), majority(200)}) {
    Smoother smoother;
    int changes = 0;
    for (std::uint64_t i = 0; i < 40; ++i) {
      const int best = i == 10 || i == 14 ? 1 : i < 20 ? 0 : 2;
      changes += smoother.add(scores_for(best), i * 40 * kMs, smoothing).changed();
    }
    ck_assert_int_eq(changes, 2);  // the first one, and the lasting one
    ck_assert_int_eq(smoother.current(), 2);
  }
}
END_TEST

// ---- beginnings -------------------------------------------------------------------------------

START_TEST(reset_forgets_all) {
  for (const Smoothing& smoothing : {Smoothing{}, ema(1000), majority(1000)}) {
    Smoother used, fresh;
    for (std::uint64_t i = 0; i < 7; ++i) used.add(scores_for(0), i * 3 * kMs, smoothing);
    used.reset();
    ck_assert(used.scores().empty());
    ck_assert_int_eq(used.current(), Smoother::kAbsent);
    for (const std::uint64_t time : {kUnknown, kUnknown, 5 * kMs, 9 * kMs}) {
      const int best = static_cast<int>(time % 3);
      const auto one = used.add(scores_for(best), time, smoothing);
      const auto other = fresh.add(scores_for(best), time, smoothing);
      ck_assert_int_eq(one.previous, other.previous);
      ck_assert_int_eq(one.current, other.current);
      ck_assert(copy(used) == copy(fresh));
    }
  }
}
END_TEST

START_TEST(other_networks_and_kinds_begin_anew) {
  Smoother smoother;
  smoother.add(scores_for(2, 3), 0, ema(1000));
  const auto change = smoother.add(scores_for(1, 5), kMs, ema(1000));
  ck_assert(copy(smoother) == scores_for(1, 5));
  ck_assert_int_eq(change.previous, Smoother::kAbsent);
  ck_assert_int_eq(change.current, 1);
  // Another kind: no scores of the old one, but the class holds and has to be beaten.
  Smoothing next = majority(1000);
  next.hysteresis = 1;
  ck_assert_int_eq(smoother.add(scores_for(3, 5), 2 * kMs, next).current, 1);
  expect_scores(smoother, {0, 0, 0, 1, 0});
  smoother.add(scores_for(0, 5), 3 * kMs, ema(1000));
  ck_assert(copy(smoother) == scores_for(0, 5));
  smoother.add(scores_for(0, 5), 4 * kMs, majority(1000));
  expect_scores(smoother, {1, 0, 0, 0, 0});  // the vote for 3 is forgotten
}
END_TEST

START_TEST(scores_that_are_no_numbers_are_left_out) {
  for (const Smoothing& smoothing : {Smoothing{}, ema(1000), majority(1000)}) {
    Smoother smoother;
    smoother.add(scores_for(1), 0, smoothing);
    const Floats before = copy(smoother);
    const Floats bad[] = {{kNan, 0, 0}, {0, 1, std::numeric_limits<float>::infinity()}, {}};
    for (const Floats& scores : bad) {
      const auto change = smoother.add(scores, 10 * kMs, smoothing);
      ck_assert(!change.changed());
      ck_assert_int_eq(change.current, 1);
      ck_assert(copy(smoother) == before);
    }
  }
}
END_TEST

START_TEST(extreme_times) {
  for (const Smoothing& smoothing : {ema(1), majority(1)}) {
    Smoother smoother;
    for (int i = 0; i < 10'000; ++i) {
      smoother.add(scores_for(i % 3), i % 2 ? 0 : UINT64_MAX - 1, smoothing);
      expect_scores(smoother, smoothing.kind == SmoothingKind::kEma ? scores_for(i % 3)
                                                                    : scores_for(i % 3, 3, 1));
    }
  }
}
END_TEST

START_TEST(allocates_at_the_first_frame_alone) {
  for (const Smoothing& smoothing : {Smoothing{}, ema(1000), majority(1'000'000)}) {
    Smoother smoother;
    const Floats scores = scores_for(3, 1000);
    smoother.add(scores, 0, smoothing);
    const std::size_t before = allocations;
    for (std::uint64_t i = 1; i < 5000; ++i) smoother.add(scores, i * kMs, smoothing);
    ck_assert_uint_eq(allocations - before, 0);
  }
}
END_TEST

}  // namespace

int main() {
  using tv::test::Loop;
  return tv::test::run_suite(
      "smoothing", 60, none_changes_nothing, ema_halves_in_a_half_life,
      ema_is_a_matter_of_time_not_of_frames, unknown_times_are_equal_steps,
      majority_counts_the_window, majority_ties_go_to_the_most_recent,
      majority_frames_without_a_class_vote_for_none, majority_window_is_bounded,
      Loop{majority_agrees_with_a_plain_count, 20},
      Loop{class_that_holds, static_cast<int>(hold_rows().size())}, flicker_is_no_change,
      reset_forgets_all, other_networks_and_kinds_begin_anew,
      scores_that_are_no_numbers_are_left_out, extreme_times, allocates_at_the_first_frame_alone);
}

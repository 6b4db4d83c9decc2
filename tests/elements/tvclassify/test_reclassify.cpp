// Which regions of tracked objects are due, and what the others reuse.
#include "elements/tvclassify/reclassify.hpp"

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "tests/suite.hpp"

using namespace tv;

namespace {

FrameResult ok(int index) {
  FrameResult result;
  result.status = FrameStatus::kOk;
  result.labels = {{index, "class " + std::to_string(index), 0.5f}};
  return result;
}

FrameResult without_labels(FrameStatus status) {
  FrameResult result;
  result.status = status;
  return result;
}

void expect_reused(const Reclassify& reclassify, std::uint64_t frame, std::uint64_t object,
                   int index, std::uint32_t age) {
  const FrameResult result = reclassify.reused(frame, object);
  ck_assert(result.status == FrameStatus::kSkipped);
  tv::test::expect_equal(result.reason, "reclassify-interval");
  ck_assert_uint_eq(result.age, age);
  ck_assert_uint_eq(result.labels.size(), index < 0 ? 0 : 1);
  if (index >= 0) ck_assert_int_eq(result.labels[0].index, index);
}

START_TEST(every_nth_frame_is_due) {
  for (const unsigned interval : {0u, 1u, 2u, 5u}) {
    Reclassify reclassify;
    for (unsigned i = 0; i < 20; ++i) {
      const std::uint64_t frame = reclassify.enter();
      ck_assert_uint_eq(frame, i + 1);
      const bool due = reclassify.due(7, interval);
      ck_assert_int_eq(due, i % std::max(interval, 1u) == 0);
      if (due)
        reclassify.note(frame, 7, ok(static_cast<int>(i)));
      else
        expect_reused(reclassify, frame, 7, static_cast<int>(i - i % interval), i % interval);
    }
  }
}
END_TEST

START_TEST(objects_are_apart) {
  Reclassify reclassify;
  std::uint64_t frame = reclassify.enter();
  ck_assert(reclassify.due(1, 3));
  reclassify.note(frame, 1, ok(10));
  frame = reclassify.enter();
  ck_assert(!reclassify.due(1, 3));
  ck_assert(reclassify.due(2, 3));
  reclassify.note(frame, 2, ok(20));
  frame = reclassify.enter();
  expect_reused(reclassify, frame, 1, 10, 2);
  expect_reused(reclassify, frame, 2, 20, 1);
  expect_reused(reclassify, frame, 3, -1, 0);
  // The interval counts frames, also those without the object; a shorter one acts at once.
  frame = reclassify.enter();
  ck_assert(reclassify.due(1, 3));
  ck_assert(!reclassify.due(2, 3));
  ck_assert(reclassify.due(2, 2));
}
END_TEST

// Two regions that claim to be one object: an interval of 1 still means all of them.
START_TEST(twins_in_a_frame) {
  Reclassify reclassify;
  for (int i = 0; i < 3; ++i) {
    reclassify.enter();
    ck_assert(reclassify.due(1, 1) && reclassify.due(1, 1));
  }
  reclassify.enter();
  ck_assert(!reclassify.due(1, 2));
  reclassify.enter();
  ck_assert(reclassify.due(1, 2) && !reclassify.due(1, 2));
}
END_TEST

// Frames come in before the results of those in front of them are there.
START_TEST(results_come_later) {
  Reclassify reclassify;
  for (int i = 0; i < 4; ++i) {
    reclassify.enter();
    ck_assert_int_eq(reclassify.due(5, 3), i % 3 == 0);
  }
  expect_reused(reclassify, 0, 5, -1, 0);  // nothing known yet
  reclassify.note(1, 5, ok(1));
  expect_reused(reclassify, 2, 5, 1, 1);
  expect_reused(reclassify, 3, 5, 1, 2);
  reclassify.note(4, 5, ok(2));
  reclassify.enter();
  expect_reused(reclassify, 5, 5, 2, 1);
}
END_TEST

START_TEST(failures_keep_the_earlier_result) {
  Reclassify reclassify;
  std::uint64_t frame = reclassify.enter();
  ck_assert(reclassify.due(1, 2));
  reclassify.note(frame, 1, ok(4));
  reclassify.enter();
  ck_assert(!reclassify.due(1, 2));
  frame = reclassify.enter();
  ck_assert(reclassify.due(1, 2));
  reclassify.note(frame, 1, without_labels(FrameStatus::kFailed));
  frame = reclassify.enter();
  ck_assert(!reclassify.due(1, 2));  // it was an attempt
  expect_reused(reclassify, frame, 1, 4, 3);
}
END_TEST

START_TEST(what_was_not_tried_is_due_again) {
  for (const FrameStatus status : {FrameStatus::kSkipped, FrameStatus::kGap}) {
    Reclassify reclassify;
    const std::uint64_t frame = reclassify.enter();
    ck_assert(reclassify.due(1, 10));
    reclassify.note(frame, 1, without_labels(status));
    reclassify.enter();
    ck_assert(reclassify.due(1, 10));
    // News of the first one that come after the second attempt do not undo it.
    reclassify.note(frame, 1, without_labels(status));
    reclassify.enter();
    ck_assert(!reclassify.due(1, 10));
  }
}
END_TEST

START_TEST(unseen_objects_are_forgotten) {
  Reclassify reclassify;
  std::uint64_t frame = reclassify.enter();
  reclassify.due(1, 100'000);
  reclassify.note(frame, 1, ok(1));
  for (std::uint64_t i = 0; i < Reclassify::kForgetFrames; ++i) frame = reclassify.enter();
  expect_reused(reclassify, frame, 1, 1, 300);
  ck_assert(!reclassify.due(1, 100'000));  // seen again: the count begins anew
  for (std::uint64_t i = 0; i <= Reclassify::kForgetFrames; ++i) frame = reclassify.enter();
  ck_assert_uint_eq(reclassify.size(), 0);
  expect_reused(reclassify, frame, 1, -1, 0);
  reclassify.note(frame, 1, ok(9));  // a late result brings nothing back
  expect_reused(reclassify, frame, 1, -1, 0);
  ck_assert(reclassify.due(1, 100'000));
}
END_TEST

START_TEST(memory_is_bounded) {
  Reclassify reclassify;
  const std::uint64_t frame = reclassify.enter();
  for (std::uint64_t id = 0; id < Reclassify::kMostObjects; ++id) {
    ck_assert(reclassify.due(id, 50));
    reclassify.note(frame, id, ok(1));
  }
  reclassify.enter();
  ck_assert(!reclassify.due(0, 50));  // is now the one seen last
  ck_assert(reclassify.due(1'000'000, 50));
  ck_assert_uint_eq(reclassify.size(), Reclassify::kMostObjects);
  expect_reused(reclassify, 2, 0, 1, 1);
  expect_reused(reclassify, 2, 1, -1, 0);  // had to go
  expect_reused(reclassify, 2, 2, 1, 1);
  // More than fit in one frame: all are classified, none is held twice.
  std::mt19937_64 random(3);
  for (int i = 0; i < 100; ++i) {
    reclassify.enter();
    std::set<std::uint64_t> ids;
    while (ids.size() < 3000) ids.insert(random());
    for (const std::uint64_t id : ids) ck_assert(reclassify.due(id, 50));
    ck_assert_uint_eq(reclassify.size(), Reclassify::kMostObjects);
  }
}
END_TEST

START_TEST(forget_begins_anew) {
  Reclassify reclassify;
  reclassify.enter();
  reclassify.due(1, 10);
  reclassify.note(1, 1, ok(1));
  reclassify.forget();
  ck_assert_uint_eq(reclassify.size(), 0);
  const std::uint64_t frame = reclassify.enter();
  expect_reused(reclassify, frame, 1, -1, 0);
  ck_assert(reclassify.due(1, 10));
  reclassify.note(1, 1, ok(1));  // was on its way
  expect_reused(reclassify, frame, 1, -1, 0);
  reclassify.note(frame, 1, ok(2));
  expect_reused(reclassify, frame, 1, 2, 0);
}
END_TEST

}  // namespace

int main() {
  return tv::test::run_suite("reclassify", 60, every_nth_frame_is_due, objects_are_apart,
                             twins_in_a_frame, results_come_later, failures_keep_the_earlier_result,
                             what_was_not_tried_is_due_again, unseen_objects_are_forgotten,
                             memory_is_bounded, forget_begins_anew);
}

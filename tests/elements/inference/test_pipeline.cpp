// Several batches under way beside each other, and models that take frames: who begins and ends
// what in which order, what becomes of failures, and when pixels are let go of. Stubs in place of
// GPUs.
#include <algorithm>
#include <atomic>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "elements/inference/batch.hpp"
#include "tests/elements/inference/told.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::inference;
using namespace tv::test;

namespace {

constexpr int kMany = 1000;
using Lines = std::vector<std::string>;

/// What happened, in order; a test waits for a line or a number of them.
class Journal {
 public:
  void note(const std::string& line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
    changed_.notify_all();
  }
  void wait_for(const std::string& line) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::count(lines_.begin(), lines_.end(), line) > 0; });
  }
  Lines lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Lines lines_;
};

/// As many pass as the test permits.
class Gate {
 public:
  void permit(int count) {
    const std::lock_guard lock(mutex_);
    permits_ += count;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return permits_ > 0; });
    --permits_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int permits_ = 0;
};

std::string ids_of(std::span<Job* const> jobs) {
  std::string text;
  for (const Job* job : jobs) text += " " + std::to_string(job->id);
  return text;
}

/// Notes what it is asked for; every end waits for the gate. Jobs of `refused` cannot begin, those
/// of `throwing` let every function throw, those of `unanswered` are left without an answer.
class Stage final : public BatchRunner {
 public:
  explicit Stage(unsigned slots) : jobs_(slots) {}

  unsigned slots() const override { return static_cast<unsigned>(jobs_.size()); }
  bool begin(unsigned slot, std::span<Job* const> jobs) override {
    fault_unless(slot < jobs_.size() && jobs_[slot].empty(), "begun in a slot that is not idle");
    beginner_ = std::this_thread::get_id();
    if (has(throwing_begin, jobs)) throw std::runtime_error("begin broke");
    if (has(refused, jobs)) {
      journal.note("refused" + ids_of(jobs));
      return false;
    }
    ++under_way_;
    jobs_[slot].assign(jobs.begin(), jobs.end());
    journal.note("begin " + std::to_string(slot) + ids_of(jobs));
    return true;
  }
  void end(unsigned slot) override {
    gate.pass();
    fault_unless(!jobs_[slot].empty(), "ended what has not begun");
    fault_unless(std::this_thread::get_id() != beginner_, "ended on the worker");
    const std::vector<Job*> jobs = std::move(jobs_[slot]);
    jobs_[slot].clear();
    journal.note("end " + std::to_string(slot) + ids_of(jobs));
    --under_way_;
    if (has(throwing_end, jobs)) throw std::runtime_error("end broke");
    answer(jobs, 1);
  }
  void run(std::span<Job* const> jobs) override {
    fault_unless(under_way_ == 0, "run beside a batch that is under way");
    journal.note("run" + ids_of(jobs));
    if (has(throwing_run, jobs)) throw std::runtime_error("run broke");
    answer(jobs, 2);
  }

  std::set<std::uint64_t> refused, throwing_begin, throwing_end, throwing_run, unanswered;
  Journal journal;
  Gate gate;
  /// What the batcher did that it must not; empty: nothing.
  std::string fault() {
    const std::lock_guard lock(mutex_);
    return fault_;
  }

 private:
  static bool has(const std::set<std::uint64_t>& ids, std::span<Job* const> jobs) {
    return std::any_of(jobs.begin(), jobs.end(), [&](Job* job) { return ids.contains(job->id); });
  }
  void answer(std::span<Job* const> jobs, float value) const {
    for (Job* job : jobs)
      if (!unanswered.contains(job->id)) job->logits = {value};
  }
  void fault_unless(bool holds, const char* what) {
    const std::lock_guard lock(mutex_);
    if (!holds) fault_ = what;
  }

  std::vector<std::vector<Job*>> jobs_;  // of a slot
  std::atomic<std::thread::id> beginner_;
  std::atomic<int> under_way_{0};
  std::mutex mutex_;
  std::string fault_;
};

/// A batcher with its worker.
struct Works {
  Batcher batcher;
  Stage stage;
  std::shared_ptr<Told> told = std::make_shared<Told>();
  std::vector<JobRef> jobs;  // by the order of submit()
  JobPool pool{1};
  std::thread worker;

  explicit Works(unsigned slots) : stage(slots) {}
  ~Works() {
    stage.gate.permit(kMany);
    end();
    expect_equal(stage.fault(), "");
  }
  void start() {
    worker = std::thread([this] { batcher.serve(stage); });
  }
  void end() {
    batcher.stop();
    if (worker.joinable()) worker.join();
  }
  Batcher::StreamId add(unsigned size) {
    return batcher.add_stream({.size = size, .timeout = {}, .in_flight = kMany});
  }
  void submit(Batcher::StreamId stream, std::initializer_list<std::uint64_t> ids) {
    for (const std::uint64_t id : ids) {
      JobRef job = pool.make();
      job->completion = told;
      job->id = id;
      jobs.push_back(job);
      batcher.submit(stream, std::move(job));
    }
  }
  /// "1": ended, "2": run, else the error.
  std::string answer(std::size_t index) const {
    const Job& job = *jobs[index];
    if (job.error) return std::string(code_name(job.error->code)) + ": " + job.error->what;
    return job.logits.empty() ? "nothing" : std::to_string(static_cast<int>(job.logits[0]));
  }
};

/// `count` lines "begin slot id" from number `first` on, slots in turn.
Lines begins(unsigned first, unsigned count, unsigned slots) {
  Lines lines;
  for (unsigned i = first; i < first + count; ++i)
    lines.push_back("begin " + std::to_string(i % slots) + " " + std::to_string(i));
  return lines;
}

constexpr unsigned kSlots[] = {2, 3};

}  // namespace

// ---- the batcher ------------------------------------------------------------------------------

// One after the other would stop at the first, whose end is held; too many would fill a busy slot.
START_TEST(as_many_batches_are_under_way_as_there_are_slots) {
  const unsigned slots = kSlots[_i];
  Works works(slots);
  const auto stream = works.add(1);
  works.submit(stream, {0, 1, 2, 3, 4, 5, 6});
  works.start();
  works.stage.journal.wait_for(begins(0, slots, slots).back());
  ck_assert((works.stage.journal.lines() == begins(0, slots, slots)));
  ck_assert(works.told->ids().empty());

  works.stage.gate.permit(1);
  works.stage.journal.wait_for(begins(slots, 1, slots).back());
  Lines expected = begins(0, slots, slots);
  expected.push_back("end 0 0");
  expected.push_back("begin 0 " + std::to_string(slots));
  ck_assert((works.stage.journal.lines() == expected));

  works.stage.gate.permit(kMany);
  works.told->wait_for(7);
  ck_assert((works.told->ids() == std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6}));
  for (std::size_t i = 0; i < 7; ++i) expect_equal(works.answer(i), "1");
}
END_TEST

START_TEST(what_comes_while_all_slots_are_busy_travels_together) {
  Works works(2);
  const auto stream = works.add(4);
  works.start();
  works.submit(stream, {0});
  works.stage.journal.wait_for("begin 0 0");
  works.submit(stream, {1});
  works.stage.journal.wait_for("begin 1 1");
  works.submit(stream, {2, 3, 4});
  ck_assert_uint_eq(works.batcher.pending(stream), 3);
  works.stage.gate.permit(kMany);
  works.told->wait_for(5);
  ck_assert_msg(works.jobs[4]->batch == 3, "they ran in a batch of %u", works.jobs[4]->batch);
}
END_TEST

START_TEST(one_slot_is_never_begun) {
  Works works(1);
  const auto stream = works.add(1);
  works.submit(stream, {0, 1});
  works.start();
  works.told->wait_for(2);
  ck_assert((works.stage.journal.lines() == Lines{"run 0", "run 1"}));
}
END_TEST

// The stage finds fault with a run beside another batch. Many times: the fault would be a race.
START_TEST(what_cannot_begin_is_run_when_the_others_have_ended) {
  for (int round = 0; round < 100; ++round) {
    Works works(3);
    const auto stream = works.add(1);
    works.stage.refused = {2};
    works.submit(stream, {0, 1, 2, 3});
    works.start();
    works.stage.journal.wait_for("refused 2");
    ck_assert(works.told->ids().empty());
    works.stage.gate.permit(kMany);
    works.told->wait_for(4);
    ck_assert((works.told->ids() == std::vector<std::uint64_t>{0, 1, 2, 3}));
    // The slot that stayed idle is the next one's.
    ck_assert(
        (works.stage.journal.lines() == Lines{"begin 0 0", "begin 1 1", "refused 2", "end 0 0",
                                              "end 1 1", "run 2", "begin 2 3", "end 2 3"}));
    expect_equal(works.answer(2), "2");
    expect_equal(works.stage.fault(), "");
  }
}
END_TEST

START_TEST(exceptions_are_the_errors_of_their_own_pictures) {
  Works works(2);
  const auto stream = works.add(1);
  works.stage.throwing_begin = {1, 2};
  works.stage.throwing_run = {2};
  works.stage.throwing_end = {3};
  works.stage.unanswered = {4};
  works.stage.gate.permit(kMany);
  works.submit(stream, {0, 1, 2, 3, 4, 5});
  works.start();
  works.told->wait_for(6);
  expect_equal(works.answer(0), "1");
  expect_equal(works.answer(1), "2");  // run() had an answer
  expect_equal(works.answer(2), "internal: internal error: run broke");
  expect_equal(works.answer(3), "internal: internal error: end broke");
  expect_equal(works.answer(4), "internal: internal error: no result for a picture");
  expect_equal(works.answer(5), "1");
}
END_TEST

START_TEST(stopping_ends_what_is_under_way_and_no_more) {
  const unsigned slots = kSlots[_i];
  Works works(slots);
  const auto stream = works.add(1);
  works.submit(stream, {0, 1, 2, 3, 4});
  works.start();
  works.stage.journal.wait_for(begins(0, slots, slots).back());
  works.batcher.stop();
  ck_assert(works.told->ids().empty());
  works.stage.gate.permit(kMany);
  works.end();
  ck_assert((works.told->ids() == std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
  for (std::size_t i = 0; i < 5; ++i)
    expect_equal(works.answer(i), i < slots ? "1" : "cancelled: the model has ended");
}
END_TEST

// 0: cancel, 1: remove_stream. Neither waits for what is under way.
START_TEST(a_cancelled_stream_keeps_what_is_under_way) {
  Works works(2);
  const auto stream = works.add(1), other = works.add(1);
  works.submit(stream, {0, 1, 2, 3});
  works.start();
  works.stage.journal.wait_for("begin 1 1");
  works.submit(other, {9});
  if (_i == 0) {
    works.batcher.cancel(stream);
  } else {
    works.batcher.remove_stream(stream);
  }
  ck_assert(!works.jobs[0]->done && !works.jobs[1]->done);
  ck_assert(works.jobs[2]->done && works.jobs[3]->done);
  works.stage.gate.permit(kMany);
  works.told->wait_for(3);
  ck_assert((works.told->ids() == std::vector<std::uint64_t>{0, 1, 9}));
  expect_equal(works.answer(1), "1");
  expect_equal(works.answer(2), "cancelled: the stream was flushed");
}
END_TEST

// ---- models that take frames ------------------------------------------------------------------

namespace {

/// Answers each picture with its width. The gates hold wait_read() and end() until permitted.
class Frames final : public LoadedModel, public FrameModel {
 public:
  std::size_t largest = kMany;  ///< pictures in a batch that the device has memory for
  int bad = -1;                 ///< width of a picture that fails its batch
  int mute = -1;                ///< width of a picture that gets an empty answer
  bool cancelled = false;       ///< every batch
  bool lost_reading = false, lost_ending = false, throws = false;
  std::size_t missing = 0;  ///< answers too few
  Gate reading, ending;
  Journal journal;
  std::vector<std::size_t> tried;
  std::vector<unsigned> top_ks;

  FrameModel* frames() override { return this; }
  unsigned slots() const override { return 2; }
  Status begin(unsigned slot, std::span<const Picture* const> pictures, unsigned top_k) override {
    tried.push_back(pictures.size());
    top_ks.push_back(top_k);
    if (throws) throw std::runtime_error("kaput");
    if (cancelled) return Error{Code::kCancelled, "exiting", ""};
    if (pictures.size() > largest) return Error{Code::kDevice, "out of memory", ""};
    widths_[slot].clear();
    for (const Picture* picture : pictures) {
      if (picture->view.width == bad) return Error{Code::kInvalidArgument, "bad", ""};
      widths_[slot].push_back(picture->view.width);
    }
    top_k_[slot] = top_k;
    return {};
  }
  Status wait_read(unsigned) override {
    journal.note("reading");
    reading.pass();
    return lost_reading ? Status(Error{Code::kDevice, "lost while reading", ""}) : Status();
  }
  Result<std::vector<Answer>> end(unsigned slot) override {
    journal.note("ending");
    ending.pass();
    if (lost_ending) return Error{Code::kDevice, "lost", ""};
    std::vector<Answer> answers;
    for (const int width : widths_[slot]) {
      Answer& answer = answers.emplace_back();
      if (width == mute) continue;
      if (top_k_[slot] == 0)
        answer.logits = {static_cast<float>(width), 1};
      else
        answer.top.assign(top_k_[slot], Score{width, 0.5F});
    }
    answers.resize(answers.size() - missing);
    return answers;
  }
  Result<std::vector<float>> run(std::span<const float>, const Shape&) override {
    return Error{Code::kUnsupported, "", ""};
  }
  Result<std::vector<std::pair<std::string, TensorView>>> state_dict() override {
    return Error{Code::kUnsupported, "", ""};
  }

 private:
  std::vector<int> widths_[2];
  unsigned top_k_[2] = {};
};

/// A runner of that model, and jobs of one picture each.
struct Bench {
  Frames& model;
  FrameRunner runner;
  std::vector<std::unique_ptr<Job>> jobs;
  std::vector<Job*> batch;
  std::vector<std::weak_ptr<const void>> pixels;

  explicit Bench(std::initializer_list<int> widths, unsigned top_k = 0,
                 std::unique_ptr<Frames> made = std::make_unique<Frames>())
      : model(*made), runner(std::move(made)) {
    for (const int width : widths) {
      auto held = std::make_shared<int>(width);
      pixels.push_back(held);
      Job& job = *jobs.emplace_back(std::make_unique<Job>());
      job.picture = Picture{};
      job.picture->view.width = width;
      job.picture->pixels = std::move(held);
      job.top_k = top_k;
      job.id = static_cast<std::uint64_t>(width);
      batch.push_back(&job);
    }
  }
  void open() {
    model.reading.permit(kMany);
    model.ending.permit(kMany);
  }
  void run() {
    open();
    runner.run(batch);
  }
  /// "5": logits of width 5, "5x3": its three best classes, else the error.
  Lines answers() const {
    Lines found;
    for (const auto& job : jobs)
      found.push_back(job->error          ? std::string(code_name(job->error->code))
                      : !job->top.empty() ? std::to_string(job->top[0].index) + "x" +
                                                std::to_string(job->top.size())
                      : job->logits.empty() ? "nothing"
                                            : std::to_string(static_cast<int>(job->logits[0])));
    return found;
  }
  bool any_pixels() const {
    return std::any_of(pixels.begin(), pixels.end(),
                       [](const auto& each) { return !each.expired(); });
  }
};

}  // namespace

START_TEST(a_batch_asks_for_as_many_classes_as_any_of_it_wants) {
  Bench some({10, 11, 12});
  for (std::size_t i = 0; i < 3; ++i) some.jobs[i]->top_k = std::vector{1U, 5U, 3U}[i];
  some.run();
  ck_assert((some.model.top_ks == std::vector<unsigned>{5}));
  ck_assert((some.answers() == Lines{"10x5", "11x5", "12x5"}));

  // All logits are what the best classes can be found in, not the other way round.
  Bench all({10, 11, 12});
  for (std::size_t i = 0; i < 3; ++i) all.jobs[i]->top_k = std::vector{1U, 0U, 3U}[i];
  all.run();
  ck_assert((all.model.top_ks == std::vector<unsigned>{0}));
  ck_assert((all.answers() == Lines{"10", "11", "12"}));
}
END_TEST

START_TEST(a_batch_without_memory_is_halved_down_to_one) {
  Bench bench({1, 2, 3, 4, 5});
  bench.model.largest = 2;
  bench.run();
  ck_assert((bench.model.tried == std::vector<std::size_t>{5, 3, 2, 1, 2}));
  ck_assert((bench.answers() == Lines{"1", "2", "3", "4", "5"}));

  Bench none({1, 2, 3});
  none.model.largest = 0;
  none.run();
  ck_assert((none.model.tried == std::vector<std::size_t>{3, 2, 1, 1, 1}));
  ck_assert((none.answers() == Lines{"device", "device", "device"}));
  ck_assert(!none.any_pixels());
}
END_TEST

START_TEST(a_bad_frame_fails_alone) {
  Bench bench({1, 2, 3, 4}, 2);
  bench.model.bad = 3;
  bench.run();
  ck_assert((bench.model.tried == std::vector<std::size_t>{4, 1, 1, 1, 1}));
  ck_assert((bench.answers() == Lines{"1x2", "2x2", "invalid-argument", "4x2"}));
  ck_assert(!bench.any_pixels());
}
END_TEST

START_TEST(a_cancelled_batch_is_not_tried_again) {
  Bench bench({1, 2, 3});
  bench.model.cancelled = true;
  bench.run();
  ck_assert((bench.model.tried == std::vector<std::size_t>{3}));
  ck_assert((bench.answers() == Lines{"cancelled", "cancelled", "cancelled"}));
}
END_TEST

// NaN on the device: that frame's weights or pixels, and no other's.
START_TEST(an_empty_answer_is_a_broken_network) {
  for (const unsigned top_k : {0U, 3U}) {
    Bench bench({1, 2}, top_k);
    bench.model.mute = 2;
    bench.run();
    expect_equal(bench.answers()[0], top_k == 0 ? "1" : "1x3");
    expect_equal(bench.answers()[1], "bad-checkpoint");
    expect_contains(bench.jobs[1]->error->what, "NaN");
    ck_assert((bench.model.tried == std::vector<std::size_t>{2}));
  }
}
END_TEST

START_TEST(pixels_are_let_go_of_before_the_network_has_ended) {
  Bench bench({1, 2});
  ck_assert(bench.runner.begin(1, bench.batch));
  std::thread ender([&] { bench.runner.end(1); });
  bench.model.journal.wait_for("reading");
  const bool kept = !bench.pixels[0].expired() && !bench.pixels[1].expired();
  bench.model.reading.permit(kMany);
  bench.model.journal.wait_for("ending");
  const bool gone = !bench.any_pixels();
  const bool waits = bench.answers() == Lines{"nothing", "nothing"};
  bench.model.ending.permit(1);
  ender.join();
  ck_assert_msg(kept, "the pixels went before they were read");
  ck_assert_msg(gone, "the pixels stayed until the network had ended");
  ck_assert(waits);
  ck_assert((bench.answers() == Lines{"1", "2"}));
}
END_TEST

// clang-format off
struct LossRow { const char* what; void (*change)(Frames&); const char* text; };
static const LossRow kLosses[] = {
  {"while reading", [](Frames& f) { f.lost_reading = true; }, "lost while reading"},
  {"at the end", [](Frames& f) { f.lost_ending = true; }, "lost"},
};
// clang-format on

// The slot is ended also when reading failed: else it would never be idle again.
START_TEST(a_lost_device_fails_the_batch_and_keeps_no_pixels) {
  const LossRow& row = kLosses[_i];
  Bench bench({1, 2});
  row.change(bench.model);
  bench.open();
  ck_assert(bench.runner.begin(0, bench.batch));
  bench.runner.end(0);
  ck_assert_msg((bench.answers() == Lines{"device", "device"}), "%s", row.what);
  expect_equal(bench.jobs[0]->error->what, row.text);
  expect_equal(bench.model.journal.lines().back(), "ending");
  ck_assert(!bench.any_pixels());
}
END_TEST

START_TEST(a_refused_batch_keeps_its_pixels_for_run) {
  Bench bench({1, 2, 3});
  bench.model.largest = 2;
  bench.open();
  ck_assert(!bench.runner.begin(0, bench.batch));
  ck_assert(!bench.pixels[0].expired());
  bench.runner.run(bench.batch);
  ck_assert((bench.answers() == Lines{"1", "2", "3"}));
  ck_assert(!bench.any_pixels());
}
END_TEST

// The batcher and the runner together: what throws, and answers that are missing.
START_TEST(a_model_that_breaks_the_rules_keeps_no_pixels) {
  Bench bench({1, 2});
  bench.open();
  if (_i == 0)
    bench.model.throws = true;
  else
    bench.model.missing = 1;
  Batcher batcher;
  const auto told = std::make_shared<Told>();
  const auto stream = batcher.add_stream({.size = 2, .timeout = {}, .in_flight = 2});
  std::vector<JobRef> refs;
  for (auto& job : bench.jobs) {
    job->completion = told;
    refs.push_back(JobRef(job.get(), [](Job*) {}));
  }
  batcher.submit(stream, refs);
  std::thread worker([&] { batcher.serve(bench.runner); });
  told->wait_for(2);
  batcher.stop();
  worker.join();
  expect_equal(bench.answers()[1], "internal");
  expect_contains(bench.jobs[1]->error->what, _i == 0 ? "kaput" : "no result for a picture");
  ck_assert(!bench.any_pixels());
}
END_TEST

// A flush and the end of a model end jobs that nobody has looked at.
START_TEST(pixels_of_pictures_that_never_began_are_let_go_of) {
  Bench bench({1, 2, 3});
  Batcher batcher;
  const auto stream = batcher.add_stream({});
  const auto ref = [&](std::size_t i) { return JobRef(bench.jobs[i].get(), [](Job*) {}); };
  batcher.submit(stream, ref(0));
  ck_assert(!bench.pixels[0].expired());
  batcher.cancel(stream);
  ck_assert(bench.pixels[0].expired());
  batcher.submit(stream, ref(1));
  batcher.stop();
  batcher.serve(bench.runner);
  ck_assert(bench.pixels[1].expired());
  batcher.submit(stream, ref(2));
  ck_assert(bench.pixels[2].expired());
  ck_assert((bench.answers() == Lines{"cancelled", "cancelled", "cancelled"}));
}
END_TEST

int main() {
  return run_suites(
      {make_suite("slots", 60, Loop{as_many_batches_are_under_way_as_there_are_slots, 2},
                  what_comes_while_all_slots_are_busy_travels_together, one_slot_is_never_begun,
                  what_cannot_begin_is_run_when_the_others_have_ended,
                  exceptions_are_the_errors_of_their_own_pictures,
                  Loop{stopping_ends_what_is_under_way_and_no_more, 2},
                  Loop{a_cancelled_stream_keeps_what_is_under_way, 2}),
       make_suite("frames", 60, a_batch_asks_for_as_many_classes_as_any_of_it_wants,
                  a_batch_without_memory_is_halved_down_to_one, a_bad_frame_fails_alone,
                  a_cancelled_batch_is_not_tried_again, an_empty_answer_is_a_broken_network,
                  pixels_are_let_go_of_before_the_network_has_ended,
                  Loop{a_lost_device_fails_the_batch_and_keeps_no_pixels,
                       static_cast<int>(std::size(kLosses))},
                  a_refused_batch_keeps_its_pixels_for_run,
                  Loop{a_model_that_breaks_the_rules_keeps_no_pixels, 2},
                  pixels_of_pictures_that_never_began_are_let_go_of)});
}

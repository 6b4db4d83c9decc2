// The concurrency core, part by part: what waits for what, and who is told. Stubs in place of
// models.
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "elements/inference/batch.hpp"
#include "elements/inference/deferred_end.hpp"
#include "elements/inference/fifo.hpp"
#include "elements/inference/lost_devices.hpp"
#include "elements/inference/model_source.hpp"
#include "elements/inference/shared_model.hpp"
#include "model_registry/registry/registry.hpp"
#include "tests/elements/inference/told.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::inference;
using namespace tv::test;
using std::chrono::hours;

// ---- fifo -------------------------------------------------------------------------------------

// Growing while the contents run across the end of the memory is where an order gets lost.
START_TEST(a_fifo_keeps_the_order_while_it_grows) {
  Fifo<std::unique_ptr<int>> fifo;
  ck_assert(fifo.empty() && fifo.take_all().empty());
  int in = 0, out = 0;
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 3; ++i) fifo.push_back(std::make_unique<int>(in++));
    ck_assert_int_eq(*fifo.front(), out);
    for (int i = 0; i < 2; ++i) ck_assert_int_eq(*fifo.pop_front(), out++);
    ck_assert_uint_eq(fifo.size(), static_cast<std::size_t>(in - out));
    ck_assert_int_eq(*fifo[fifo.size() - 1], in - 1);
  }
  const auto rest = fifo.take_all();
  ck_assert(fifo.empty());
  ck_assert_uint_eq(rest.size(), 40);
  for (const auto& each : rest) ck_assert_int_eq(*each, out++);
}
END_TEST

// ---- ordered queue ----------------------------------------------------------------------------

using Queue = OrderedQueue<int>;

static std::shared_ptr<Queue> open_queue() {
  auto queue = std::make_shared<Queue>();
  queue->open();
  return queue;
}
static Queue::Entry entry(int value, unsigned parts = 0, bool counted = true) {
  return {.value = value, .parts = parts, .counted = counted, .deadline = {}};
}
static int take(Queue& queue) {
  const auto taken = queue.take();
  ck_assert(taken && taken->in_time);
  queue.leave();
  return taken->value;
}

START_TEST(entries_leave_in_order_whatever_is_ready_first) {
  const auto queue = open_queue();
  const auto one = queue->append(entry(1, 1));
  const auto two = queue->append(entry(2, 2));
  queue->append(entry(3, 0, false));
  queue->complete(*two);
  queue->complete(*two);
  auto first = std::async(std::launch::async, [&] { return take(*queue); });
  queue->complete(*one);
  ck_assert_int_eq(first.get(), 1);
  ck_assert_int_eq(take(*queue), 2);
  ck_assert_int_eq(take(*queue), 3);
}
END_TEST

START_TEST(an_entry_waits_for_all_of_its_parts) {
  const auto queue = open_queue();
  const auto id = queue->append(entry(1, 3));
  queue->complete(*id);
  queue->complete(*id);
  auto taken = std::async(std::launch::async, [&] { return take(*queue); });
  ck_assert_uint_eq(queue->size(), 1);
  queue->complete(*id);
  ck_assert_int_eq(taken.get(), 1);
  queue->complete(*id);  // nobody is there any more
  ck_assert_uint_eq(queue->size(), 0);
}
END_TEST

START_TEST(room_is_free_when_what_was_taken_has_left) {
  const auto queue = open_queue();
  ck_assert(queue->wait_for_room(1));
  queue->append(entry(1));
  queue->append(entry(2, 0, false));  // an event needs no room
  ck_assert(queue->take().has_value());
  ck_assert_uint_eq(queue->size(), 1);  // with the consumer
  std::promise<void> got_room;
  std::thread producer([&] {
    ck_assert(queue->wait_for_room(1));
    got_room.set_value();
  });
  queue->leave();
  got_room.get_future().wait();
  producer.join();
  ck_assert_int_eq(take(*queue), 2);
}
END_TEST

START_TEST(a_deadline_lets_an_entry_go_unready) {
  const auto queue = open_queue();
  Queue::Entry late = entry(1, 1);
  late.deadline = Queue::Clock::now();
  const auto id = queue->append(std::move(late));
  queue->append(entry(2));
  const auto taken = queue->take();
  ck_assert(taken && !taken->in_time && taken->value == 1);
  queue->leave();
  queue->complete(*id);  // too late, and no harm to the next one
  ck_assert_int_eq(take(*queue), 2);

  Queue::Entry ready = entry(3, 0);
  ready.deadline = Queue::Clock::now() - hours(1);
  queue->append(std::move(ready));
  ck_assert_int_eq(take(*queue), 3);  // in time: it was ready
}
END_TEST

START_TEST(closing_sends_everybody_back) {
  const auto queue = open_queue();
  const auto id = queue->append(entry(1, 1));
  auto consumer = std::async(std::launch::async, [&] { return queue->take().has_value(); });
  auto producer = std::async(std::launch::async, [&] { return queue->wait_for_room(1); });
  auto drainer = std::async(std::launch::async, [&] { return queue->wait_until_empty(); });
  const auto rest = queue->close();
  ck_assert_uint_eq(rest.size(), 1);
  ck_assert(!consumer.get() && !producer.get() && !drainer.get());
  ck_assert(!queue->append(entry(2)));
  queue->open();
  const auto next = queue->append(entry(3, 1));
  queue->complete(*id);  // from before: is not taken for the new entry
  ck_assert_uint_ne(*id, *next);
  queue->complete(*next);
  ck_assert_int_eq(take(*queue), 3);
  ck_assert(queue->wait_until_empty());
}
END_TEST

// What the consumer holds while the queue is closed and opened counts until it has left.
START_TEST(what_is_held_survives_a_flush) {
  const auto queue = open_queue();
  queue->append(entry(1));
  ck_assert(queue->take().has_value());
  ck_assert(queue->close().empty());
  queue->open();
  ck_assert_uint_eq(queue->size(), 1);
  queue->leave();
  ck_assert_uint_eq(queue->size(), 0);
  ck_assert(queue->wait_until_empty());
}
END_TEST

// ---- jobs -------------------------------------------------------------------------------------

START_TEST(jobs_are_used_again_and_clean) {
  auto pool = std::make_unique<JobPool>(3);
  JobRef job = pool->make();
  const Job* const address = job.get();
  job->input = {1, 2, 3};
  job->logits = {4};
  job->error = Error{Code::kInternal, "x", ""};
  job->done = true;
  job.reset();
  job = pool->make();
  ck_assert(job.get() == address);
  ck_assert(job->logits.empty() && !job->error && !job->done && !job->completion);
  ck_assert_uint_eq(job->input.size(), 3);
  const JobRef other = pool->make();
  ck_assert(other.get() != address);
  pool.reset();
  job.reset();  // after its pool
}
END_TEST

// ---- batches ----------------------------------------------------------------------------------

/// Notes what runs together; each batch waits for the gate.
class Recorder final : public BatchRunner {
 public:
  void run(std::span<Job* const> jobs) override {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return permits_ > 0; });
    --permits_;
    std::vector<std::uint64_t> ids;
    for (Job* job : jobs) {
      ids.push_back(job->id);
      job->logits = {1};
    }
    batches_.push_back(ids);
  }
  void permit(int count) {
    const std::lock_guard lock(mutex_);
    permits_ += count;
    changed_.notify_all();
  }
  void wait_until_inside(int batch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_ >= batch; });
  }
  std::vector<std::vector<std::uint64_t>> batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int permits_ = 0, entered_ = 0;
  std::vector<std::vector<std::uint64_t>> batches_;
};

using Batches = std::vector<std::vector<std::uint64_t>>;
constexpr int kMany = 1000;

/// A batcher with its worker. Jobs have numbers: 100 * stream + n.
struct Works {
  Batcher batcher;
  Recorder recorder;
  std::shared_ptr<Told> told = std::make_shared<Told>();
  JobPool pool{1};
  std::thread worker;

  void start() {
    worker = std::thread([this] { batcher.serve(recorder); });
  }
  ~Works() {
    recorder.permit(kMany);
    batcher.stop();
    if (worker.joinable()) worker.join();
  }
  Batcher::StreamId add(unsigned size, std::chrono::nanoseconds timeout = hours(1),
                        unsigned in_flight = kMany) {
    return batcher.add_stream({.size = size, .timeout = timeout, .in_flight = in_flight});
  }
  void submit(Batcher::StreamId stream, int count, std::uint64_t first = 0) {
    for (int i = 0; i < count; ++i) {
      JobRef job = pool.make();
      job->completion = told;
      job->id = 100 * stream + first + static_cast<std::uint64_t>(i);
      batcher.submit(stream, std::move(job));
    }
  }
};

START_TEST(a_full_batch_leaves) {
  Works works;
  const auto one = works.add(3);
  works.submit(one, 7);
  works.recorder.permit(kMany);
  works.start();
  works.told->wait_for(6);
  ck_assert((works.recorder.batches() == Batches{{100, 101, 102}, {103, 104, 105}}));
  ck_assert_msg(works.batcher.pending(one) == 1, "the seventh waits for company");
  works.batcher.hurry(one);
  works.told->wait_for(7);
  ck_assert((works.recorder.batches().back() == std::vector<std::uint64_t>{106}));
}
END_TEST

START_TEST(a_timeout_lets_a_partial_batch_go) {
  Works works;
  const auto one = works.add(8, std::chrono::milliseconds(1));
  works.submit(one, 2);
  works.recorder.permit(kMany);
  works.start();
  works.told->wait_for(2);  // or the test's own timeout
  ck_assert_uint_eq(works.told->ids().size(), 2);
}
END_TEST

START_TEST(without_a_timeout_a_batch_takes_what_is_there) {
  Works works;
  const auto one = works.add(8, {});
  works.submit(one, 1);
  works.start();
  works.recorder.wait_until_inside(1);
  works.submit(one, 3, 1);
  works.recorder.permit(kMany);
  works.told->wait_for(4);
  ck_assert((works.recorder.batches() == Batches{{100}, {101, 102, 103}}));
}
END_TEST

START_TEST(nobody_waits_for_what_cannot_come) {
  Works works;
  const auto one = works.add(8, hours(1), 2);
  const auto two = works.add(8, hours(1), 1);
  works.submit(one, 2);
  works.recorder.permit(kMany);
  works.start();
  works.submit(two, 1);  // both have as many inside as they may
  works.told->wait_for(3);
  ck_assert((works.recorder.batches() == Batches{{100, 101, 200}}));
  // A stream that goes is not waited for either.
  works.submit(one, 2, 5);
  works.batcher.remove_stream(two);
  works.told->wait_for(5);
  ck_assert((works.recorder.batches().back() == std::vector<std::uint64_t>{105, 106}));
}
END_TEST

START_TEST(streams_take_turns) {
  Works works;
  const auto greedy = works.add(2, {});
  const auto modest = works.add(2, {});
  works.submit(greedy, 6);
  works.submit(modest, 2);
  works.recorder.permit(kMany);
  works.start();
  works.told->wait_for(8);
  ck_assert((works.recorder.batches() == Batches{{100, 200}, {201, 101}, {102, 103}, {104, 105}}));
}
END_TEST

START_TEST(no_picture_travels_in_a_larger_batch_than_its_stream_wants) {
  Works works;
  const auto alone = works.add(1, {});
  const auto pairs = works.add(2, {});
  const auto many = works.add(8, {});
  works.submit(alone, 2);
  works.submit(pairs, 3);
  works.submit(many, 6);
  works.recorder.permit(kMany);
  works.start();
  works.told->wait_for(11);
  std::multiset<std::size_t> sizes;
  for (const auto& batch : works.recorder.batches()) {
    sizes.insert(batch.size());
    for (const std::uint64_t id : batch) {
      ck_assert(id / 100 != alone || batch.size() == 1);
      ck_assert(id / 100 != pairs || batch.size() <= 2);
    }
  }
  ck_assert_msg(sizes.size() < 9, "nothing was batched at all");
}
END_TEST

START_TEST(cancelled_pictures_are_not_run_nor_told) {
  Works works;
  const auto one = works.add(2, {});
  const auto two = works.add(2, {});
  works.submit(one, 1);
  works.start();
  works.recorder.wait_until_inside(1);  // 100 is running
  works.submit(one, 3, 1);
  works.submit(two, 1);
  works.batcher.cancel(one);
  ck_assert_uint_eq(works.batcher.pending(one), 0);
  works.recorder.permit(kMany);
  works.told->wait_for(2);
  ck_assert((works.told->ids() == std::vector<std::uint64_t>{100, 200}));
  works.submit(one, 1, 9);  // it goes on
  works.told->wait_for(3);
  ck_assert_uint_eq(works.told->ids().back(), 109);
}
END_TEST

// Who looks at a job of before a flush sees that nothing comes of it.
START_TEST(cancelled_pictures_are_done) {
  Works works;
  const auto one = works.add(2);
  JobRef job = works.pool.make();
  job->completion = works.told;
  works.batcher.submit(one, job);
  ck_assert(!job->done);
  works.batcher.cancel(one);
  ck_assert(job->done && job->error && job->error->code == Code::kCancelled);
  ck_assert(works.told->ids().empty());
}
END_TEST

START_TEST(a_cancelled_part_closes_the_batch) {
  Works works;
  const auto one = works.add(8), two = works.add(8);
  works.submit(one, 2);
  works.submit(two, 1);
  works.recorder.permit(kMany);
  works.start();
  works.batcher.cancel(one);
  works.told->wait_for(1);
  ck_assert((works.recorder.batches() == Batches{{200}}));
}
END_TEST

START_TEST(nobody_waits_for_a_quiet_stream) {
  Works works;
  const auto quiet = works.add(8, hours(1), 2);
  const auto other = works.add(8, hours(1), 1);
  works.recorder.permit(kMany);
  works.start();
  works.batcher.set_quiet(quiet, true);
  works.submit(other, 1);
  works.told->wait_for(1);
  ck_assert((works.recorder.batches() == Batches{{200}}));
  works.submit(quiet, 1);  // it is awake again, and may send another
  works.submit(other, 1, 1);
  ck_assert_uint_eq(works.batcher.pending(other), 1);
  works.batcher.set_quiet(quiet, true);
  works.told->wait_for(3);
  ck_assert((works.recorder.batches().back() == std::vector<std::uint64_t>{100, 201}));
}
END_TEST

START_TEST(what_belongs_together_comes_together) {
  Works works;
  const auto one = works.add(3, {});
  works.recorder.permit(kMany);
  works.start();
  for (std::uint64_t round = 0; round < 200; ++round) {
    std::vector<JobRef> jobs;
    for (std::uint64_t i = 0; i < 3; ++i) {
      jobs.push_back(works.pool.make());
      jobs.back()->completion = works.told;
      jobs.back()->id = i;
    }
    works.batcher.submit(one, jobs);
    works.told->wait_for(3 * (round + 1));
  }
  for (const auto& batch : works.recorder.batches()) ck_assert_uint_eq(batch.size(), 3);
}
END_TEST

START_TEST(stopping_ends_every_picture_once) {
  Works works;
  const auto one = works.add(2, {});
  works.submit(one, 2);
  works.start();
  works.recorder.wait_until_inside(1);
  works.submit(one, 3, 2);
  works.batcher.stop();
  works.recorder.permit(1);
  works.told->wait_for(5);
  works.submit(one, 1, 5);  // after the end: at once
  ck_assert((works.told->ids() == std::vector<std::uint64_t>{100, 101, 102, 103, 104, 105}));
  ck_assert((works.recorder.batches() == Batches{{100, 101}}));
}
END_TEST

START_TEST(a_runner_that_throws_fails_its_pictures_alone) {
  class Thrower final : public BatchRunner {
   public:
    void run(std::span<Job* const> jobs) override {
      if (jobs.front()->id == 100) throw std::runtime_error("kaput");
      for (Job* job : jobs) job->logits = {1};
    }
  } thrower;
  Batcher batcher;
  const auto told = std::make_shared<Told>();
  const auto stream = batcher.add_stream({});
  JobPool pool(1);
  std::vector<JobRef> jobs;
  for (std::uint64_t id : {100U, 101U}) {
    jobs.push_back(pool.make());
    jobs.back()->completion = told;
    jobs.back()->id = id;
    batcher.submit(stream, jobs.back());
  }
  std::thread worker([&] { batcher.serve(thrower); });
  told->wait_for(2);
  batcher.stop();
  worker.join();
  ck_assert(jobs[0]->error && jobs[0]->error->code == Code::kInternal);
  expect_contains(jobs[0]->error->what, "kaput");
  ck_assert(!jobs[1]->error && jobs[1]->logits.size() == 1);
}
END_TEST

// ---- a model's batches ------------------------------------------------------------------------

/// Says [sum of the input, 1] for each picture of one float; too large a batch, or a bad picture,
/// fails.
class StubModel final : public LoadedModel {
 public:
  std::size_t largest = kMany;
  float bad = -1;
  std::vector<std::size_t> tried;
  Result<std::vector<float>> run(std::span<const float> input, const Shape& shape) override {
    tried.push_back(static_cast<std::size_t>(shape[0]));
    if (static_cast<std::size_t>(shape[0]) > largest) return Error{Code::kDevice, "full", ""};
    const std::size_t picture = input.size() / static_cast<std::size_t>(shape[0]);
    std::vector<float> logits;
    for (std::size_t i = 0; i < input.size(); i += picture) {
      if (input[i] == bad) return Error{Code::kInternal, "bad", ""};
      logits.insert(logits.end(), {input[i], 1});
    }
    return logits;
  }
  Result<std::vector<std::pair<std::string, TensorView>>> state_dict() override {
    return Error{Code::kUnsupported, "", ""};
  }
};

struct Ran {
  std::vector<std::size_t> tried;
  std::vector<float> answers;  ///< -1: an error
};
static Ran run_pictures(std::vector<float> pictures, std::size_t largest, float bad) {
  auto model = std::make_unique<StubModel>();
  model->largest = largest;
  model->bad = bad;
  StubModel& stub = *model;
  ModelRunner runner(std::move(model), 1);
  std::vector<std::unique_ptr<Job>> jobs;
  std::vector<Job*> batch;
  for (const float value : pictures) {
    jobs.push_back(std::make_unique<Job>());
    jobs.back()->input = {value, 0, 0};
    batch.push_back(jobs.back().get());
  }
  runner.run(batch);
  Ran ran{stub.tried, {}};
  for (const auto& job : jobs) {
    ck_assert(job->error.has_value() != !job->logits.empty());
    ran.answers.push_back(job->error ? -1 : job->logits[0]);
  }
  return ran;
}

START_TEST(each_picture_gets_its_own_logits) {
  const Ran ran = run_pictures({5, 6, 7}, kMany, -1);
  ck_assert((ran.tried == std::vector<std::size_t>{3}));
  ck_assert((ran.answers == std::vector<float>{5, 6, 7}));
}
END_TEST

START_TEST(a_batch_that_the_device_cannot_hold_is_halved) {
  const Ran ran = run_pictures({1, 2, 3, 4, 5}, 2, -1);
  ck_assert((ran.tried == std::vector<std::size_t>{5, 3, 2, 1, 2}));
  ck_assert((ran.answers == std::vector<float>{1, 2, 3, 4, 5}));
  ck_assert((run_pictures({1, 2}, 0, -1).answers == std::vector<float>{-1, -1}));
}
END_TEST

START_TEST(a_bad_picture_fails_alone) {
  const Ran ran = run_pictures({1, 2, 3}, kMany, 2);
  ck_assert((ran.tried == std::vector<std::size_t>{3, 1, 1, 1}));
  ck_assert((ran.answers == std::vector<float>{1, -1, 3}));
}
END_TEST

// ---- shared models ----------------------------------------------------------------------------

class One final : public BatchRunner {
 public:
  void run(std::span<Job* const> jobs) override {
    for (Job* job : jobs) job->logits = {1};
  }
};

static Result<Runnable> loads(const SharedModel::Progress&) {
  Runnable runnable;
  runnable.runner = std::make_unique<One>();
  runnable.input_size = 1;
  return runnable;
}

class Watch final : public SharedModel::Watcher {
 public:
  void model_changed() override {
    const std::lock_guard lock(mutex_);
    ++changes_;
    changed_.notify_all();
  }
  void wait_while_loading(const SharedModel& model) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      // Not under the model's lock: it tells with none held.
      return model.phase() != SharedModel::Phase::kLoading;
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int changes_ = 0;
};

static std::shared_ptr<SharedModel> loaded(const std::string& key, SharedModel::Load load = loads) {
  auto model = *SharedModel::acquire(key, std::move(load));
  const auto watch = std::make_shared<Watch>();
  model->watch(watch);
  watch->wait_while_loading(*model);
  return model;
}

START_TEST(the_same_key_is_the_same_model) {
  const auto one = loaded("a"), two = loaded("a"), other = loaded("b");
  ck_assert(one == two);
  ck_assert(one != other);
  ck_assert_msg(loaded("") != loaded(""), "an empty key is nobody else's");
}
END_TEST

START_TEST(a_model_ends_with_its_last_owner) {
  std::weak_ptr<SharedModel> before;
  {
    const auto one = loaded("a"), two = loaded("a");
    before = one;
  }
  ck_assert(before.expired());
  std::atomic<int> count = 0;
  const auto again = loaded("a", [&](const SharedModel::Progress& progress) {
    ++count;
    return loads(progress);
  });
  ck_assert_int_eq(count, 1);
}
END_TEST

START_TEST(a_failed_model_is_not_given_out_again) {
  const auto failed = loaded("a", [](const SharedModel::Progress&) -> Result<Runnable> {
    return Error{Code::kBadDigest, "wrong", ""};
  });
  ck_assert(failed->phase() == SharedModel::Phase::kFailed);
  expect_equal(failed->error().what, "wrong");
  const auto next = loaded("a");
  ck_assert(next != failed);
  ck_assert(next->phase() == SharedModel::Phase::kReady);
  const auto thrown = loaded("", [](const SharedModel::Progress&) -> Result<Runnable> {
    throw std::runtime_error("kaput");
  });
  expect_contains(thrown->error().what, "kaput");
}
END_TEST

START_TEST(the_last_owner_cancels_loading) {
  std::promise<void> loading, cancelled;
  auto model = *SharedModel::acquire("a", [&](const SharedModel::Progress& progress) {
    loading.set_value();
    while (!progress.cancelled) std::this_thread::yield();
    cancelled.set_value();
    return Result<Runnable>(Error{Code::kCancelled, "", ""});
  });
  loading.get_future().wait();
  auto other = *SharedModel::acquire("a", loads);
  ck_assert(other == model);
  other.reset();
  auto was_cancelled = cancelled.get_future();
  ck_assert(was_cancelled.wait_for(std::chrono::seconds(0)) != std::future_status::ready);
  model.reset();
  was_cancelled.wait();
}
END_TEST

// The model's thread did not come along.
START_TEST(a_forked_child_is_refused_and_does_not_hang) {
  const auto model = loaded("a");
  const auto stream = model->batcher().add_stream({});
  const pid_t child = fork();
  if (child == 0) {
    const JobRef job = model->make_job();
    const auto told = std::make_shared<Told>();
    job->completion = told;
    model->submit(stream, job);
    told->wait_for(1);
    const bool refused = job->error && job->error->code == Code::kUnavailable;
    const auto own = SharedModel::acquire("a", loads);
    _exit(refused && own && *own != model ? 0 : 1);
  }
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  const JobRef job = model->make_job();
  const auto told = std::make_shared<Told>();
  job->completion = told;
  model->submit(stream, job);
  told->wait_for(1);
  ck_assert(!job->error);
}
END_TEST

// ---- ends that nobody waits for ---------------------------------------------------------------

START_TEST(who_lets_go_last_does_not_wait) {
  std::promise<void> go_on;
  std::atomic<int> ended = 0;
  std::set<std::thread::id> threads;
  struct Slow {
    std::function<void()> at_the_end;
    ~Slow() { at_the_end(); }
  };
  const auto end = [&, held = go_on.get_future().share()] {
    held.wait();
    threads.insert(std::this_thread::get_id());  // one after the other: no lock
    ++ended;
  };
  {
    const auto ends = std::make_shared<DeferredEnd>();
    auto one = DeferredEnd::share(ends, std::unique_ptr<const Slow>(new Slow{end}));
    auto two = DeferredEnd::share(ends, std::unique_ptr<const Slow>(new Slow{end}));
    one.reset();
    two.reset();  // waits for go_on, elsewhere
    ck_assert_int_eq(ended, 0);
    go_on.set_value();
  }
  ck_assert_int_eq(ended, 2);  // the end of it all waits
  ck_assert(!threads.contains(std::this_thread::get_id()));
}
END_TEST

// From many threads, while it works and while it rests.
START_TEST(every_end_comes_once) {
  constexpr int kThreads = 8, kEach = 500;
  std::atomic<int> ended = 0;
  struct Counted {
    std::atomic<int>& ended;
    ~Counted() { ++ended; }
  };
  {
    const auto ends = std::make_shared<DeferredEnd>();
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([&] {
        for (int n = 0; n < kEach; ++n)
          DeferredEnd::share(ends, std::unique_ptr<Counted>(new Counted{ended}));
      });
    for (std::thread& thread : threads) thread.join();
  }
  ck_assert_int_eq(ended, kThreads * kEach);
}
END_TEST

// ---- lost devices -----------------------------------------------------------------------------

/// Counts what its backend is called for.
class Counting final : public LoadedModel {
 public:
  explicit Counting(int& calls) : calls_(calls) {}
  ~Counting() override { ++calls_; }
  Status prepare(const Shape&, const CancelCheck&) override {
    ++calls_;
    return {};
  }
  Result<std::vector<float>> run(std::span<const float> input, const Shape&) override {
    ++calls_;
    if (input.empty()) return Error{Code::kDevice, "no memory", ""};
    if (input[0] < 0) return Error{Code::kDeviceLost, "fell off", "backend's hint"};
    return std::vector<float>{1};
  }
  Result<std::vector<std::pair<std::string, TensorView>>> state_dict() override {
    ++calls_;
    return std::vector<std::pair<std::string, TensorView>>{};
  }

 private:
  int& calls_;
};

START_TEST(nobody_calls_a_lost_device) {
  int calls = 0, calls_elsewhere = 0;
  const float good[] = {1}, bad[] = {-1};
  auto one = watch_device(std::make_unique<Counting>(calls), "cuda:0");
  auto two = watch_device(std::make_unique<Counting>(calls), "cuda:0");
  auto other = watch_device(std::make_unique<Counting>(calls_elsewhere), "cuda:1");
  expect_ok(one->run(good, {}));
  const auto full = one->run({}, {});
  expect_equal(full.error().what, "no memory");  // the device is none the worse for it
  ck_assert(!lost_device("cuda:0"));
  const auto lost = one->run(bad, {});
  expect_equal(code_name(lost.error().code), "device-lost");
  expect_equal(lost.error().what, "device cuda:0 is lost to this process: fell off");
  expect_contains(lost.error().hint, "restart the process");
  expect_contains(lost.error().hint, "device=cpu");
  ck_assert_int_eq(calls, 3);
  for (LoadedModel* const each : {one.get(), two.get()}) {
    expect_equal(each->run(good, {}).error().text(), lost.error().text());
    expect_equal(each->prepare({}, {}).error().text(), lost.error().text());
    expect_equal(each->state_dict().error().text(), lost.error().text());
  }
  one.reset();
  two.reset();
  ck_assert_int_eq(calls, 3);  // not even to free them
  expect_ok(other->run(good, {}));
  other.reset();
  ck_assert_int_eq(calls_elsewhere, 2);
}
END_TEST

/// Takes frames; its first batch meets the end of the device while it is under way.
class CountingFrames final : public LoadedModel, public FrameModel {
 public:
  explicit CountingFrames(int& calls) : calls_(calls) {}
  ~CountingFrames() override { ++calls_; }
  Result<std::vector<float>> run(std::span<const float>, const Shape&) override {
    ++calls_;
    return std::vector<float>{1};
  }
  Result<std::vector<std::pair<std::string, TensorView>>> state_dict() override {
    return Error{Code::kUnsupported, "", ""};
  }
  FrameModel* frames() override { return this; }
  unsigned slots() const override { return 2; }
  Status begin(unsigned, std::span<const Picture* const>, unsigned) override {
    ++calls_;
    return {};
  }
  Status wait_read(unsigned) override {
    ++calls_;
    return Error{Code::kDeviceLost, "fell off", ""};
  }
  Result<std::vector<Answer>> end(unsigned) override {
    ++calls_;
    return std::vector<Answer>{};
  }

 private:
  int& calls_;
};

START_TEST(a_batch_under_way_on_a_lost_device_ends) {
  int calls = 0;
  auto model = watch_device(std::make_unique<CountingFrames>(calls), "cuda:0");
  FrameModel* const frames = model->frames();
  ck_assert(frames && frames->slots() == 2);
  expect_ok(frames->begin(0, {}, 1));
  expect_ok(frames->begin(1, {}, 1));
  const Status lost = frames->wait_read(0);
  expect_equal(code_name(lost.error().code), "device-lost");
  for (const unsigned slot : {0U, 1U})
    expect_equal(frames->end(slot).error().text(), lost.error().text());
  expect_equal(frames->begin(0, {}, 1).error().text(), lost.error().text());
  model.reset();
  ck_assert_int_eq(calls, 3);
  int plain = 0;
  ck_assert(!watch_device(std::make_unique<Counting>(plain), "cpu")->frames());
}
END_TEST

START_TEST(the_first_reason_stays) {
  ck_assert(!lost_device("cuda:0"));
  expect_equal(lost_devices(), "");
  const Error first = lose_device("cuda:0", {Code::kDeviceLost, "one", ""});
  expect_equal(lose_device("cuda:0", {Code::kDeviceLost, "two", ""}).text(), first.text());
  expect_equal(lost_device("cuda:0")->text(), first.text());
  lose_device("cuda:10", first);
  expect_equal(lost_devices(), "cuda:0,cuda:10");
  ck_assert(!lost_device("cuda:1"));
  ck_assert(!lost_device("cpu"));
}
END_TEST

START_TEST(a_lost_device_is_no_place) {
  setenv("TV_ASSUME_GPU", "1", 1);
  const Error lost = lose_device("cuda:0", {Code::kDeviceLost, "fell off", ""});
  const auto asked = place(Device{DeviceKind::kCuda, 0});
  ck_assert(!asked);
  expect_equal(asked.error().text(), lost.text());
  expect_equal(load_model({.builder = "squeezenet1_1", .device = Device{DeviceKind::kCuda, 0}})
                   .error()
                   .text(),
               lost.text());
  const Placement unasked = value_of(place(std::nullopt));
  ck_assert(unasked.device.kind == DeviceKind::kCpu);
  expect_equal(unasked.why_cpu, lost.what);
  expect_equal(value_of(place(Device{})).why_cpu, "");
}
END_TEST

// Its model is of no use: who starts later finds another one.
START_TEST(a_lost_device_shares_nothing_with_who_starts_later) {
  ModelSpec unasked{.builder = "squeezenet1_1"}, cpu = unasked;
  cpu.device = Device{};
  const std::string before = *model_key(unasked, 224, ""), cpu_before = *model_key(cpu, 224, "");
  lose_device("cuda:0", {Code::kDeviceLost, "fell off", ""});
  ck_assert(*model_key(unasked, 224, "") != before);
  ck_assert(*model_key(cpu, 224, "") == cpu_before);
}
END_TEST

START_TEST(a_batch_on_a_lost_device_is_not_tried_in_parts) {
  int calls = 0;
  ModelRunner runner(watch_device(std::make_unique<Counting>(calls), "cuda:0"), 1);
  Job jobs[3];
  for (Job& job : jobs) job.input = {-1, 0, 0};
  Job* const batch[] = {&jobs[0], &jobs[1], &jobs[2]};
  runner.run(batch);
  for (const Job& job : jobs) {
    ck_assert(job.error && job.error->code == Code::kDeviceLost);
    expect_contains(job.error->what, "fell off");
  }
  ck_assert_int_eq(calls, 1);
}
END_TEST

// ---- keys -------------------------------------------------------------------------------------

// clang-format off
struct KeyRow { const char* what; bool same; void (*change)(ModelSpec&, int& side, std::string& group); };
static const KeyRow kKeys[] = {
  {"nothing", true,     [](ModelSpec&, int&, std::string&) {}},
  {"seed of an entry", true, [](ModelSpec& s, int&, std::string&) { s.seed = 7; }},
  {"entry", false,      [](ModelSpec& s, int&, std::string&) { s.weights = *get_weight("ResNet50_Weights.IMAGENET1K_V1"); }},
  {"classes", false,    [](ModelSpec& s, int&, std::string&) { s.num_classes = 6; }},
  {"executor", false,   [](ModelSpec& s, int&, std::string&) { s.executor = Executor::kReference; }},
  {"device", false,     [](ModelSpec& s, int&, std::string&) { s.device = Device{}; }},
  {"another device", false, [](ModelSpec& s, int&, std::string&) { s.device = Device{DeviceKind::kCuda, 0}; }},
  {"another GPU", false, [](ModelSpec& s, int&, std::string&) { s.device = Device{DeviceKind::kCuda, 1}; }},
  {"precision", false,  [](ModelSpec& s, int&, std::string&) { s.precision = Precision::kFloat16; }},
  {"another precision", false, [](ModelSpec& s, int&, std::string&) { s.precision = Precision::kFloat32; }},
  {"image size", false, [](ModelSpec& s, int&, std::string&) { s.image_size = 232; }},
  {"quantize", false,   [](ModelSpec& s, int&, std::string&) { s.quantize = true; }},
  {"digest of a file", false, [](ModelSpec& s, int&, std::string&) { s.weights_digest = std::string(64, 'a'); }},
  {"builder", false,    [](ModelSpec& s, int&, std::string&) { s.builder = "quantized_resnet50"; }},
  {"input size", false, [](ModelSpec&, int& side, std::string&) { side = 232; }},
  {"group", false,      [](ModelSpec&, int&, std::string& group) { group = "a"; }},
};
// clang-format on

START_TEST(what_makes_two_models_the_same) {
  const KeyRow& row = kKeys[_i];
  ModelSpec plain, other;
  plain.weights = other.weights = *get_weight("ResNet50_Weights.IMAGENET1K_V2");
  int side = 224;
  std::string group;
  const std::string key = *model_key(plain, side, group);
  row.change(other, side, group);
  ck_assert_msg((*model_key(other, side, group) == key) == row.same, "%s", row.what);
}
END_TEST

// Of a network without an entry, whose numbers its seed decides.
static const KeyRow kRandomKeys[] = {
    {"nothing", true, [](ModelSpec&, int&, std::string&) {}},
    {"seed", false, [](ModelSpec& s, int&, std::string&) { s.seed = 7; }},
    {"builder", false, [](ModelSpec& s, int&, std::string&) { s.builder = "vit_b_32"; }},
    {"image size", false, [](ModelSpec& s, int&, std::string&) { s.image_size = 232; }},
    {"classes", false, [](ModelSpec& s, int&, std::string&) { s.num_classes = 232; }},
    {"input size", false, [](ModelSpec&, int& side, std::string&) { side = 232; }},
};

static std::string random_key(const KeyRow& row) {
  ModelSpec spec;
  spec.builder = "vit_b_16";
  int side = 224;
  std::string group;
  row.change(spec, side, group);
  return *model_key(spec, side, group);
}

// A value never stands for another: "232 classes" is no "image size 232".
START_TEST(changes_are_told_apart) {
  std::set<std::string> keys;
  for (const KeyRow& row : kRandomKeys)
    ck_assert_msg(keys.insert(random_key(row)).second, "%s has another's key", row.what);
  ck_assert(random_key(kRandomKeys[0]) == random_key(kRandomKeys[0]));
  std::set<std::string> of_entry;
  for (const KeyRow& row : kKeys) {
    ModelSpec spec;
    spec.weights = *get_weight("ResNet50_Weights.IMAGENET1K_V2");
    int side = 224;
    std::string group;
    row.change(spec, side, group);
    const bool is_new = of_entry.insert(*model_key(spec, side, group)).second;
    ck_assert_msg(is_new || row.same, "%s has another's key", row.what);
  }
}
END_TEST

START_TEST(files_are_the_same_by_their_bytes) {
  const TempFolder folder;
  folder.write("a.pth", "one");
  folder.write("b.pth", "one");
  folder.write("c.pth", "two");
  const auto key = [&](const char* name) {
    ModelSpec spec;
    spec.builder = "resnet18";
    spec.weights_file = folder.path(name);
    return *model_key(spec, 224, "");
  };
  ck_assert(key("a.pth") == key("b.pth"));
  ck_assert(key("a.pth") != key("c.pth"));
  const std::string before = key("a.pth");
  folder.write("a.pth", "other bytes");
  ck_assert_msg(key("a.pth") != before, "a digest outlived its file");

  ModelSpec missing;
  missing.weights_file = folder.path("none.pth");
  ck_assert(!model_key(missing, 224, ""));
}
END_TEST

// One reads a large file; whoever waits for its digest can still leave.
START_TEST(who_waits_for_a_digest_can_leave) {
  const TempFolder folder;
  ModelSpec first, second;
  first.builder = second.builder = "resnet18";
  first.weights_file = second.weights_file = folder.write("a.pth", "one");
  std::promise<void> reads, go_on;
  auto reading = std::async(std::launch::async, [&] {
    bool told = false;
    return model_key(first, 224, "", [&] {
      if (!std::exchange(told, true)) reads.set_value();
      go_on.get_future().wait();
      return true;
    });
  });
  reads.get_future().wait();
  const auto left = model_key(second, 224, "", [] { return true; });
  ck_assert(!left);
  expect_equal(code_name(left.error().code), "cancelled");
  go_on.set_value();
  const auto given_up = reading.get();
  ck_assert(!given_up);
  expect_equal(code_name(given_up.error().code), "cancelled");
  expect_ok(model_key(second, 224, ""));  // half a file is no digest
  ck_assert_uint_eq(second.weights_digest.size(), 64);
}
END_TEST

START_TEST(a_file_that_changes_while_it_is_loaded_is_refused) {
  const TempFolder folder;
  folder.write("a.pth", "one");
  ModelSpec spec;
  spec.builder = "resnet18";
  spec.weights_file = folder.path("a.pth");
  ck_assert(model_key(spec, 224, ""));
  spec.file.reset();  // as for the second element that asks
  folder.write("a.pth", "two");
  const auto loading = load_model(spec);
  ck_assert(!loading);
  expect_equal(code_name(loading.error().code), "bad-digest");
  expect_contains(loading.error().what, "a.pth was changed while it was being loaded");
}
END_TEST

int main() {
  return run_suites(
      {make_suite("queue", 60, a_fifo_keeps_the_order_while_it_grows,
                  entries_leave_in_order_whatever_is_ready_first,
                  an_entry_waits_for_all_of_its_parts, room_is_free_when_what_was_taken_has_left,
                  a_deadline_lets_an_entry_go_unready, closing_sends_everybody_back,
                  what_is_held_survives_a_flush),
       make_suite("batches", 60, jobs_are_used_again_and_clean, a_full_batch_leaves,
                  a_timeout_lets_a_partial_batch_go, without_a_timeout_a_batch_takes_what_is_there,
                  nobody_waits_for_what_cannot_come, streams_take_turns,
                  no_picture_travels_in_a_larger_batch_than_its_stream_wants,
                  cancelled_pictures_are_not_run_nor_told, cancelled_pictures_are_done,
                  a_cancelled_part_closes_the_batch, nobody_waits_for_a_quiet_stream,
                  what_belongs_together_comes_together, stopping_ends_every_picture_once,
                  a_runner_that_throws_fails_its_pictures_alone, each_picture_gets_its_own_logits,
                  a_batch_that_the_device_cannot_hold_is_halved, a_bad_picture_fails_alone),
       make_suite("shared models", 60, the_same_key_is_the_same_model,
                  a_model_ends_with_its_last_owner, a_failed_model_is_not_given_out_again,
                  the_last_owner_cancels_loading, a_forked_child_is_refused_and_does_not_hang),
       make_suite("ends", 60, who_lets_go_last_does_not_wait, every_end_comes_once),
       make_suite("lost devices", 60, nobody_calls_a_lost_device,
                  a_batch_under_way_on_a_lost_device_ends, the_first_reason_stays,
                  a_lost_device_is_no_place, a_lost_device_shares_nothing_with_who_starts_later,
                  a_batch_on_a_lost_device_is_not_tried_in_parts),
       make_suite(
           "keys", 60, Loop{what_makes_two_models_the_same, static_cast<int>(std::size(kKeys))},
           changes_are_told_apart, files_are_the_same_by_their_bytes,
           who_waits_for_a_digest_can_leave, a_file_that_changes_while_it_is_loaded_is_refused)});
}

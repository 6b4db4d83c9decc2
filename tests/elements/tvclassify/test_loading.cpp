// A model on its way, with a stub in its place: what the listener is told, and who may end it when.
#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>

#include "elements/tvclassify/classify.hpp"
#include "elements/tvclassify/loading.hpp"
#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using inference::Job;
using inference::Runnable;
using inference::SharedModel;

/// Answers each picture with its first value.
class StubRunner final : public inference::BatchRunner {
 public:
  void run(std::span<Job* const> jobs) override {
    for (Job* job : jobs) job->logits = {job->input[0]};
  }
};

/// Counts what the listener is told.
struct Told {
  std::atomic<int> started{0}, loaded{0}, failed{0}, cancelled{0};
  std::promise<void> done;
  Loading::Listener listener() {
    return {.started = [this] { ++started; },
            .loaded = [this](const SharedModel&) { ++loaded, done.set_value(); },
            .failed = [this](const Error&) { ++failed, done.set_value(); },
            .cancelled = [this] { ++cancelled, done.set_value(); },
            .progress = [](std::uint64_t, std::uint64_t) {}};
  }
};

static Result<Runnable> stub(const SharedModel::Progress&) {
  Runnable runnable;
  runnable.runner = std::make_unique<StubRunner>();
  runnable.input_size = 3;
  runnable.sha256 = "abc";
  return runnable;
}

// Stands for a download: returns when it is cancelled, and only then.
static Result<Runnable> endless(const SharedModel::Progress& progress) {
  while (!progress.cancelled) std::this_thread::yield();
  return Error{Code::kCancelled, "cancelled", ""};
}

static Result<Runnable> bad(const SharedModel::Progress& progress) {
  progress.report(1, 2);
  return Error{Code::kBadCheckpoint, "bad", ""};
}

static Loading::Source from(SharedModel::Load load, const std::string& key = "") {
  return {.key = [key](const CancelCheck&) -> Result<std::string> { return key; },
          .load = [load] { return load; }};
}

START_TEST(a_model_is_ready) {
  Told told;
  Loading loading(from(stub), told.listener());
  ck_assert(loading.wait_ready() == Loading::Readiness::kReady);
  ck_assert(loading.readiness() == Loading::Readiness::kReady);
  ASSERT_TEXT(loading.take_model()->sha256(), "abc");
  ck_assert_int_eq(told.started, 1);
  ck_assert_int_eq(told.loaded, 1);
  ck_assert_int_eq(told.failed + told.cancelled, 0);
}
END_TEST

START_TEST(elements_that_want_the_same_share_it) {
  Told one, two, three;
  std::atomic<int> loads = 0;
  const auto counted = [&](const SharedModel::Progress& progress) {
    ++loads;
    return stub(progress);
  };
  Loading first(from(counted, "same"), one.listener());
  Loading second(from(counted, "same"), two.listener());
  Loading other(from(counted, "other"), three.listener());
  for (Loading* each : {&first, &second, &other})
    ck_assert(each->wait_ready() == Loading::Readiness::kReady);
  const auto model = first.take_model();
  ck_assert(model == second.take_model());
  ck_assert(model != other.take_model());
  ck_assert(!first.take_model());
  ck_assert(first.readiness() == Loading::Readiness::kReady);
  ck_assert_int_eq(loads, 2);
  ck_assert_int_eq(one.loaded + two.loaded + three.loaded, 3);
}
END_TEST

// The one that began it goes; the other one still gets it.
START_TEST(who_gives_up_takes_nothing_from_the_others) {
  std::promise<void> go_on;
  const auto slow = [go = go_on.get_future().share()](const SharedModel::Progress& progress) {
    progress.report(1, 2);
    go.wait();
    return progress.cancelled ? endless(progress) : stub(progress);
  };
  Told one, two;
  auto first = std::make_unique<Loading>(from(slow, "slow"), one.listener());
  std::promise<void> second_has_it;
  Loading::Listener listener = two.listener();
  listener.progress = [&](std::uint64_t, std::uint64_t) { second_has_it.set_value(); };
  Loading second(from(slow, "slow"), std::move(listener));
  second_has_it.get_future().wait();
  first->close();
  one.done.get_future().wait();
  ck_assert_int_eq(one.cancelled, 1);
  first.reset();
  go_on.set_value();
  ck_assert(second.wait_ready() == Loading::Readiness::kReady);
  ck_assert_int_eq(two.loaded, 1);
}
END_TEST

START_TEST(failures_are_told_once) {
  const Loading::Source sources[] = {
      from(bad),
      from([](const SharedModel::Progress&) -> Result<Runnable> {
        throw std::runtime_error("kaput");
      }),
      {.key = [](const CancelCheck&) -> Result<std::string> {
         return Error{Code::kUnreadable, "gone", ""};
       },
       .load = [] { return stub; }},
      {.key = [](const CancelCheck&) -> Result<std::string> { throw std::runtime_error("kaput"); },
       .load = [] { return stub; }}};
  for (const Loading::Source& source : sources) {
    Told told;
    {
      Loading loading(source, told.listener());
      ck_assert(loading.wait_ready() == Loading::Readiness::kFailed);
      ck_assert(loading.wait_ready() == Loading::Readiness::kFailed);
      ck_assert(!loading.take_model());
    }
    ck_assert_int_eq(told.started, 1);
    ck_assert_int_eq(told.failed, 1);
    ck_assert_int_eq(told.loaded + told.cancelled, 0);
  }
}
END_TEST

START_TEST(listeners_may_throw) {
  const auto throws = [](const auto&...) { throw std::runtime_error("no memory for a message"); };
  const Loading::Listener listener{.started = throws,
                                   .loaded = throws,
                                   .failed = throws,
                                   .cancelled = throws,
                                   .progress = throws};
  {
    Loading loading(from(stub), listener);
    ck_assert(loading.wait_ready() == Loading::Readiness::kReady);
  }
  {
    Loading loading(from(bad), listener);
    ck_assert(loading.wait_ready() == Loading::Readiness::kFailed);
  }
  Loading loading(from(endless), listener);
}
END_TEST

// As an application does that stops the pipeline where it hears of it: on the thread itself.
START_TEST(listeners_may_destroy_it) {
  const std::string kinds[] = {"started", "progress", "loaded", "failed"};
  for (const std::string& kind : kinds) {
    std::unique_ptr<Loading> loading;
    std::promise<void> made, thread_gone, heard;
    const auto destroy = [&](const std::string& which) {
      if (which != kind) return;
      made.get_future().wait();
      loading.reset();
      heard.set_value();
    };
    // Destroyed with the listener, which the thread holds to the end of loading.
    std::shared_ptr<void> last(nullptr, [&](void*) { thread_gone.set_value(); });
    Loading::Listener listener;
    listener.started = [&destroy, last] { destroy("started"); };
    listener.loaded = [&destroy](const SharedModel&) { destroy("loaded"); };
    listener.failed = [&destroy](const Error&) { destroy("failed"); };
    listener.cancelled = [] {};
    listener.progress = [&destroy](std::uint64_t, std::uint64_t) { destroy("progress"); };
    const bool fails = kind == "failed", waits = kind == "progress";
    const auto load = [fails, waits, was_heard = heard.get_future().share()](
                          const SharedModel::Progress& progress) -> Result<Runnable> {
      progress.report(1, 2);
      if (waits) was_heard.wait();  // a progress that is over is not told
      if (fails) return Error{Code::kBadCheckpoint, "bad", ""};
      return stub(progress);
    };
    loading = std::make_unique<Loading>(from(load), std::move(listener));
    last.reset();
    made.set_value();
    thread_gone.get_future().wait();
    ck_assert(!loading);
  }
}
END_TEST

START_TEST(flushing_interrupts_the_wait_alone) {
  Told told;
  Loading loading(from(endless), told.listener());
  auto waiting = std::async(std::launch::async, [&] { return loading.wait_ready(); });
  loading.set_flushing(true);
  ck_assert(waiting.get() == Loading::Readiness::kInterrupted);
  loading.set_flushing(false);
  ck_assert_int_eq(told.cancelled, 0);  // loading goes on
  waiting = std::async(std::launch::async, [&] { return loading.wait_ready(); });
  loading.close();
  ck_assert(waiting.get() == Loading::Readiness::kInterrupted);
  told.done.get_future().wait();
  ck_assert_int_eq(told.cancelled, 1);
  ck_assert_int_eq(told.failed + told.loaded, 0);
}
END_TEST

// A broken network is no reason to invent a class.
START_TEST(logits_that_are_no_numbers_have_no_best_class) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const float wrong : {std::nanf(""), kInf, -kInf}) {
    const float logits[] = {1, wrong};
    std::vector<inference::Score> best;
    const Status found = best_classes(logits, 2, best);
    ck_assert(!found && found.error().code == Code::kBadCheckpoint);
    test::expect_contains(found.error().what, "NaN or infinite");
  }
  const float logits[] = {1, 2};
  std::vector<inference::Score> best;
  ck_assert(static_cast<bool>(best_classes(logits, 2, best)));
  ck_assert(best.size() == 2 && best.front().index == 1);
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify loading");
  TCase* loading = tcase_create("loading");
  tcase_add_test(loading, a_model_is_ready);
  tcase_add_test(loading, elements_that_want_the_same_share_it);
  tcase_add_test(loading, who_gives_up_takes_nothing_from_the_others);
  tcase_add_test(loading, failures_are_told_once);
  tcase_add_test(loading, listeners_may_throw);
  tcase_add_test(loading, listeners_may_destroy_it);
  tcase_add_test(loading, flushing_interrupts_the_wait_alone);
  tcase_add_test(loading, logits_that_are_no_numbers_have_no_best_class);
  suite_add_tcase(suite, loading);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return tv::test::run_suite(make_suite());
}

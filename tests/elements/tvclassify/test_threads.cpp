// No thread can be had: fault S14. The program has a pthread_create() of its own in front of the C
// library's, which fails the k-th thread that a std::thread asks for. GLib's own threads, whose
// lack ends the process, are left alone.
#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "tests/elements/tvclassify/gpu_stub.hpp"
#include "tests/elements/tvclassify/pipelines.hpp"

using namespace tv;
using namespace tv::test;

static std::atomic<int> threads_asked{0};  // since arm()
static std::atomic<int> thread_that_fails{0};

/// Counts from now on. The `fail`-th thread fails, counted from 1; 0: none.
static void arm(int fail) {
  threads_asked = 0;
  thread_that_fails = fail;
}

extern "C" __attribute__((visibility("default"))) int pthread_create(pthread_t* thread,
                                                                     const pthread_attr_t* how,
                                                                     void* (*run)(void*),
                                                                     void* data) noexcept {
  static const auto create =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  Dl_info caller{};
  if (dladdr(__builtin_return_address(0), &caller) != 0 && caller.dli_fname &&
      std::strstr(caller.dli_fname, "libstdc++") && ++threads_asked == thread_that_fails)
    return EAGAIN;
  return create(thread, how, run, data);
}

static void reset() {
  arm(0);
  reset_stubs();
}

/// It says what is missing, whose it was, and what to do.
static void assert_names_threads(const Seen& seen, const char* weights, const char* purpose) {
  ck_assert(seen.domain == GST_LIBRARY_ERROR && seen.code == GST_LIBRARY_ERROR_INIT);
  expect_contains(seen.text, "cannot load weights \"" + std::string(weights) + "\"");
  expect_contains(seen.text, "cannot start a thread " + std::string(purpose));
  expect_contains(seen.text, std::strerror(EAGAIN));
  expect_contains(seen.text, "raise the limit");
  expect_contains(seen.debug, "code unavailable, stage loading");
}

/// Frames of many colours pass, each with its own result.
static void assert_works(Bench& bench, int frames = 8) {
  for (int i = 0; i < frames; ++i) {
    const Meta meta = read_meta(bench.pass(solid(i)).get());
    ASSERT_TEXT(meta.status, "ok");
    ck_assert_int_eq(meta.best(), i);
  }
}

/// Whom a thread is for, in the order in which they are asked for.
struct Thread {
  const char* purpose;  ///< nullptr: it can be done without
};
struct Case {
  const char* settings;
  std::vector<Thread> threads;
};

// ---- the start --------------------------------------------------------------------------------

static const Case kStarts[] = {
    {"device=cpu", {{"that loads"}, {"for the model"}}},
    {"device=cuda", {{"that loads"}, {"for the model"}, {nullptr}}},
};

// The table has every thread.
START_TEST(a_start_asks_for_these_threads) {
  const Case& kind = kStarts[_i];
  Bench bench(kStub + kind.settings);
  assert_works(bench);
  ck_assert_int_eq(threads_asked, static_cast<int>(kind.threads.size()));
}
END_TEST

START_TEST(a_start_without_a_thread_is_one_error) {
  const Case& kind = kStarts[_i];
  for (std::size_t i = 0; i < kind.threads.size(); ++i) {
    Bench bench(kStub + kind.settings, "");
    bench.set_state(GST_STATE_READY);
    arm(static_cast<int>(i) + 1);
    bench.set_state(GST_STATE_PLAYING);
    gst_harness_set_src_caps_str(bench.harness(), rgb_caps().c_str());
    if (!kind.threads[i].purpose) {
      assert_works(bench);
      ck_assert_uint_eq(bench.errors().size(), 0);
      ck_assert_int_ge(threads_asked, static_cast<int>(i) + 1);
      continue;
    }
    ck_assert_int_ne(bench.flow_of(solid(1)), GST_FLOW_OK);
    const std::vector<Seen> errors = bench.errors();
    ck_assert_uint_eq(errors.size(), 1);
    assert_names_threads(errors[0], "squeezenet1_1", kind.threads[i].purpose);
    ck_assert(bench.pull() == nullptr);
    // The same element, as soon as there are threads.
    arm(0);
    bench.set_state(GST_STATE_READY);
    ck_assert_int_eq(stub().models() + gpu_stub().models(), 0);
    bench.set_state(GST_STATE_PLAYING);
    gst_harness_set_src_caps_str(bench.harness(), rgb_caps().c_str());
    assert_works(bench);
    ck_assert_uint_eq(bench.errors().size(), 0);
  }
}
END_TEST

// The state change itself fails where nothing has begun.
START_TEST(a_start_without_any_thread_fails_at_once) {
  arm(1);
  assert_names_threads(refusal("device=cpu"), "squeezenet1_1", "that loads");
  ck_assert_int_eq(stub().loads(), 0);
}
END_TEST

// ---- other weights while playing --------------------------------------------------------------

static const Case kSwaps[] = {
    {"device=cpu", {{"that loads"}, {"for the model"}, {nullptr}}},
    {"device=cuda", {{"that loads"}, {"for the model"}, {nullptr}, {nullptr}}},
};

static void swap(Bench& bench) {
  g_object_set(bench.element(), "model", "resnet18", nullptr);
}

/// Pushes frames until they name the weights, or until a warning comes, which is returned.
static std::vector<Seen> push_until(Bench& bench, const char* weights, int& frames) {
  std::vector<Seen> seen;
  while (seen.empty()) {
    const Meta meta = read_meta(bench.pass(solid(frames % 256)).get());
    ASSERT_TEXT(meta.status, "ok");
    ck_assert_int_eq(meta.best(), frames++ % 256);
    if (meta.weights == weights) break;
    ASSERT_TEXT(meta.weights, "squeezenet1_1");
    seen = bench.warnings();
    // That the numbers of both are random is one, too.
    std::erase_if(seen,
                  [](const Seen& each) { return each.text.find("random") != each.text.npos; });
  }
  return seen;
}

static int models() {
  return stub().models() + gpu_stub().models();
}

START_TEST(other_weights_ask_for_these_threads) {
  const Case& kind = kSwaps[_i];
  Bench bench(kStub + kind.settings);
  assert_works(bench);
  arm(0);
  swap(bench);
  int frames = 0;
  ck_assert_uint_eq(push_until(bench, "resnet18", frames).size(), 0);
  until("the old model ends", [] { return models() == 1; });
  ck_assert_int_eq(threads_asked, static_cast<int>(kind.threads.size()));
}
END_TEST

START_TEST(other_weights_without_a_thread_change_nothing) {
  const Case& kind = kSwaps[_i];
  for (std::size_t i = 0; i < kind.threads.size(); ++i) {
    Bench bench(kStub + kind.settings);
    int frames = 0;
    ck_assert_int_eq(read_meta(bench.pass(solid(frames)).get()).best(), frames);
    ++frames;
    bench.warnings();
    arm(static_cast<int>(i) + 1);
    swap(bench);
    const std::vector<Seen> seen = push_until(bench, "resnet18", frames);
    if (kind.threads[i].purpose) {
      ck_assert_uint_eq(seen.size(), 1);
      assert_names_threads(seen[0], "resnet18", kind.threads[i].purpose);
      expect_contains(seen[0].text, "those before go on");
      ASSERT_TEXT(read_meta(bench.pass(solid(frames++ % 256)).get()).weights, "squeezenet1_1");
      // The same change, as soon as there are threads.
      arm(0);
      swap(bench);
      ck_assert_uint_eq(push_until(bench, "resnet18", frames).size(), 0);
    } else {
      ck_assert_uint_eq(seen.size(), 0);
      until("the thread is asked for", [&] { return threads_asked >= static_cast<int>(i) + 1; });
    }
    until("the old model ends", [] { return models() == 1; });
    ck_assert_uint_eq(bench.errors().size(), 0);
    bench.drain();
    ck_assert_uint_eq(counter(bench.element(), "ok"), static_cast<guint64>(frames));
    ck_assert_uint_eq(counter(bench.element(), "frames-in"), static_cast<guint64>(frames));
  }
}
END_TEST

// ---- the suite -------------------------------------------------------------------------------

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify threads");
  TCase* all = tcase_create("threads");
  tcase_add_checked_fixture(all, reset, reset);
  constexpr int kKinds = static_cast<int>(std::size(kStarts));
  static_assert(std::size(kStarts) == std::size(kSwaps));
  tcase_add_loop_test(all, a_start_asks_for_these_threads, 0, kKinds);
  tcase_add_loop_test(all, a_start_without_a_thread_is_one_error, 0, kKinds);
  tcase_add_test(all, a_start_without_any_thread_fails_at_once);
  tcase_add_loop_test(all, other_weights_ask_for_these_threads, 0, kKinds);
  tcase_add_loop_test(all, other_weights_without_a_thread_change_nothing, 0, kKinds);
  suite_add_tcase(suite, all);
  return suite;
}

int main(int argc, char** argv) {
  return run_with_gpus(argc, argv, make_suite);
}

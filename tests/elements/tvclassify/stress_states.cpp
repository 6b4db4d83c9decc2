// States with LibTorch itself: each cycle builds the network anew, and none leaves memory behind.
#include "tests/elements/tvclassify/stress.hpp"
#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using namespace tv::test;

constexpr Count kCycles{300, 1'000};
// What LibTorch and the C library keep is there after some cycles.
constexpr int kWarmUp = 20;
// A kept network is 3 MB: one in all cycles is found.
constexpr std::int64_t kMostGrowth = 2 << 20;

START_TEST(states_leave_no_network_behind) {
  Bench bench;
  // Without a network: while playing, the next one is loaded or not.
  const auto in_use_at_rest = [&] {
    bench.set_state(GST_STATE_NULL);
    return in_use();
  };
  std::int64_t before = 0;
  for (int cycle = 0; cycle < times(kCycles); ++cycle) {
    const int color = cycle % 4;
    ck_assert_int_eq(bench.classify(picture(color)).best(), color);
    // Also with a frame inside, whose inference runs or waits.
    if (cycle % 3 == 0) bench.push(rgb_buffer(picture(color)));
    bench.set_state(cycle % 2 == 0 ? GST_STATE_NULL : GST_STATE_READY);
    if (cycle == kWarmUp) before = in_use_at_rest();
    bench.set_state(GST_STATE_PLAYING);
    gst_harness_set_src_caps_str(bench.harness(), rgb_caps().c_str());
    while (bench.pull()) {
    }
    while (GstEvent* event = gst_harness_try_pull_event(bench.harness())) gst_event_unref(event);
    ck_assert_uint_eq(bench.errors().size(), 0);
  }
  const std::int64_t grown = in_use_at_rest() - before;
  std::printf("%lld bytes more after %d cycles\n", static_cast<long long>(grown),
              times(kCycles) - kWarmUp - 1);
  ck_assert_msg(grown < kMostGrowth, "%lld bytes more", static_cast<long long>(grown));
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify states");
  TCase* all = tcase_create("states");
  tcase_add_test(all, states_leave_no_network_behind);
  suite_add_tcase(suite, all);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}

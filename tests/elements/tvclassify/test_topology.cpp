// What applications do around the element while frames are in flight: blocked pads, elements taken
// out and put back, other sinks, other clocks, many instances.
#include <array>
#include <filesystem>
#include <future>

#include "tests/elements/tvclassify/pipelines.hpp"

using namespace tv;
using namespace tv::test;

static void reset_stub() {
  stub().reset();
}

static int next_class(Bench& bench) {
  return next_meta(bench).best();
}

// ---- blocked pads -----------------------------------------------------------------------------

START_TEST(frames_behind_a_blocked_pad_wait) {
  Bench bench(kStub + "max-in-flight=4 batch-size=2");
  bench.pass(solid(0));
  for (int round = 0; round < 20; ++round) {
    std::future<GstFlowReturn> fifth;
    {
      Block block(PadRef(bench.element(), "src"));
      for (const int red : {1, 2, 3, 4}) ck_assert_int_eq(bench.push(solid(red)), GST_FLOW_OK);
      block.wait();
      fifth = std::async(std::launch::async, [&] { return bench.push(solid(5)); });
      ck_assert_uint_eq(counter(bench.element(), "in-flight"), 3);  // one has its result
      ck_assert(bench.pull() == nullptr);
    }
    ck_assert_int_eq(fifth.get(), GST_FLOW_OK);
    for (const int red : {1, 2, 3, 4, 5}) ck_assert_int_eq(next_class(bench), red);
  }
}
END_TEST

// The contrast: a flush takes them away, and the pad may stay blocked meanwhile.
START_TEST(a_flush_empties_what_is_behind_a_blocked_pad) {
  Bench bench(kStub + "max-in-flight=4");
  bench.pass(solid(0));
  {
    Block block(PadRef(bench.element(), "src"));
    for (const int red : {1, 2, 3, 4}) ck_assert_int_eq(bench.push(solid(red)), GST_FLOW_OK);
    block.wait();
    bench.flush();
    ck_assert_int_eq(bench.push(solid(9)), GST_FLOW_OK);
  }
  ck_assert_int_eq(next_class(bench), 9);
  ck_assert(bench.pull() == nullptr);
  ck_assert_uint_eq(counter(bench.element(), "flushed"), 3);  // one had its result
}
END_TEST

START_TEST(a_blocked_pad_holds_up_no_state_change) {
  Bench bench(kStub + "max-in-flight=2");
  for (const GstState state : {GST_STATE_READY, GST_STATE_NULL}) {
    bench.pass(solid(0));
    {
      Block block(PadRef(bench.element(), "src"));
      bench.push(solid(1));
      bench.push(solid(2));
      auto third = std::async(std::launch::async, [&] { return bench.push(solid(3)); });
      block.wait();
      bench.set_state(state);
      ck_assert_int_eq(third.get(), GST_FLOW_FLUSHING);
    }
    bench.set_state(GST_STATE_PLAYING);
    gst_harness_set_src_caps_str(bench.harness(), rgb_caps().c_str());
    ck_assert_int_eq(bench.push(solid(4)), GST_FLOW_OK);
    ck_assert_int_eq(next_class(bench), 4);
  }
}
END_TEST

// ---- other links ------------------------------------------------------------------------------

START_TEST(the_element_is_taken_out_and_put_back) {
  constexpr int kRounds = 30;
  stub().delay(200);
  Record out;
  Pipeline pipeline;
  GstElement* source = pipeline.add(make_source());
  GstElement* before = pipeline.add(std::string("identity"));
  GstElement* element = pipeline.add(kStub + "max-in-flight=4 batch-size=2");
  GstElement* after = pipeline.add(std::string("identity"));
  GstElement* sink = pipeline.add(std::string("fakesink sync=false async=false"));
  ck_assert(gst_element_link_many(source, before, element, after, sink, nullptr));
  out.follow(PadRef(sink, "sink"));
  const PadRef gate(before, "src");
  pipeline.set_state(GST_STATE_PLAYING);
  for (int round = 0; round < kRounds; ++round) {
    out.wait_for('b', out.buffers() + 6);
    ElementRef held(GST_ELEMENT(gst_object_ref(element)));
    {
      Block block(gate);
      block.wait();
      drain(element);
      gst_element_unlink_many(before, element, after, nullptr);
      pipeline.remove(element);
      ck_assert(gst_element_link(before, after));
    }
    out.wait_for('b', out.buffers() + 6);
    {
      Block block(gate);
      block.wait();
      gst_element_unlink(before, after);
      // The same one again, or another.
      if (round % 2) {
        element = pipeline.add(kStub + "max-in-flight=3");
      } else {
        gst_element_set_locked_state(element, FALSE);
        pipeline.add(element);
      }
      ck_assert(gst_element_link_many(before, element, after, nullptr));
      ck_assert(gst_element_sync_state_with_parent(element));
    }
  }
  out.wait_for('b', out.buffers() + 6);
  pipeline.set_state(GST_STATE_READY);
  const std::vector<Passed> passed = out.all();
  assert_consecutive(passed);
  int changes = 0;
  bool had = true;
  for (const Passed& each : passed)
    if (each.kind == 'b' && each.has_meta() != std::exchange(had, each.has_meta())) ++changes;
  ck_assert_int_eq(changes, 2 * kRounds);
}
END_TEST

// Between the streams of two sinks nothing is lost, and each hears what the stream is first.
START_TEST(another_sink_hears_all_before_its_first_frame) {
  constexpr int kRounds = 30;
  stub().delay(200);
  Pipeline pipeline;
  GstElement* source = pipeline.add(make_source());
  GstElement* element = pipeline.add(kStub + "max-in-flight=4");
  GstElement* sink = nullptr;
  ck_assert(gst_element_link(source, element));
  GstEvent* title = gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "kept", nullptr));
  std::vector<Passed> all;
  std::array<Record, kRounds> outs;
  for (Record& out : outs) {
    {
      std::optional<Block> block;
      if (sink) {
        block.emplace(PadRef(element, "src"));
        block->wait();
        gst_element_unlink(element, sink);
        pipeline.remove(sink);
      }
      sink = pipeline.add(std::string("fakesink sync=false async=false"));
      out.follow(PadRef(sink, "sink"));
      ck_assert(gst_element_link(element, sink));
      if (block) {
        ck_assert(gst_element_sync_state_with_parent(sink));
      } else {
        pipeline.set_state(GST_STATE_PLAYING);
        gst_element_send_event(source, title);
        // More than there is room for: the source has sent it.
        out.wait_for('b', out.buffers() + 8);
      }
    }
    out.wait_for('b', 6);
    const EventRef tag(gst_pad_get_sticky_event(PadRef(sink, "sink"), GST_EVENT_TAG, 0));
    ck_assert(tag != nullptr);
  }
  pipeline.set_state(GST_STATE_READY);
  for (const Record& out : outs) {
    const std::vector<Passed> passed = out.all();
    ASSERT_TEXT(kinds(passed).substr(0, 4), "TCSb");
    all.insert(all.end(), passed.begin(), passed.end());
  }
  assert_consecutive(all);
}
END_TEST

// ---- clocks -----------------------------------------------------------------------------------

static std::string clock_of(GstElement* element) {
  GstClock* clock = gst_element_get_clock(element);
  if (!clock) return "none";
  const GCharPtr name(gst_object_get_name(GST_OBJECT(clock)));
  gst_object_unref(clock);
  return name.get();
}

// As applications answer CLOCK_LOST.
START_TEST(live_video_goes_on_with_another_clock) {
  Record in, out;
  Pipeline pipeline;
  NumberedSource* camera = make_source();
  camera->step = 5 * GST_MSECOND;
  gst_base_src_set_live(GST_BASE_SRC(camera), TRUE);
  GstElement* source = pipeline.add(camera);
  GstElement* element = pipeline.add(kStub);
  GstElement* sink = pipeline.add(std::string("fakesink sync=true"));
  ck_assert(gst_element_link_many(source, element, sink, nullptr));
  in.follow(PadRef(source, "src"));
  out.follow(PadRef(sink, "sink"));
  for (int round = 0; round < 3; ++round) {
    NumberedSource* clock = make_source();
    clock->provides_clock = TRUE;
    gst_base_src_set_live(GST_BASE_SRC(clock), TRUE);
    GST_OBJECT_FLAG_SET(clock, GST_ELEMENT_FLAG_PROVIDE_CLOCK);
    GstElement* provider = pipeline.add(clock);
    GstElement* end = pipeline.add(std::string("fakesink sync=false"));
    ck_assert(gst_element_link(provider, end));
    pipeline.set_state(GST_STATE_PLAYING);
    pipeline.wait_for_state();
    ASSERT_TEXT(clock_of(element), "of-a-source");
    out.wait_for('b', out.buffers() + 5);
    pipeline.remove(provider);
    pipeline.remove(end);
    pipeline.wait_for(GST_MESSAGE_CLOCK_LOST);
    pipeline.set_state(GST_STATE_PAUSED);
    pipeline.set_state(GST_STATE_PLAYING);
    pipeline.wait_for_state();
    ck_assert(clock_of(element) != "of-a-source" && clock_of(element) != "none");
    out.wait_for('b', out.buffers() + 5);
    pipeline.set_state(GST_STATE_PAUSED);
  }
  pipeline.set_state(GST_STATE_PLAYING);
  gst_element_send_event(source, gst_event_new_eos());
  out.wait_for('E', 1);
  assert_same(in.all(), out.all());
}
END_TEST

// ---- threads ----------------------------------------------------------------------------------

constexpr int kInstances = 16;

/// Threads of this process but GLib's, which makes others and stays.
static int threads() {
  int found = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    // One that has ended meanwhile has no name.
    if (std::getline(file, name) && name != "pool-spawner") ++found;
  }
  return found;
}

/// So many instances play with so many threads beyond the program's and one of each source; and
/// none of them stays.
static void assert_threads(const std::string& settings, int wanted) {
  until("no other thread is there", [] { return threads() == 1; });
  std::array<Record, kInstances> outs;
  Pipeline pipeline;
  for (Record& out : outs) {
    NumberedSource* numbered = make_source();
    gst_base_src_set_live(GST_BASE_SRC(numbered), TRUE);
    GstElement* source = pipeline.add(numbered);
    GstElement* element = pipeline.add(kStub + settings);
    GstElement* sink = pipeline.add(std::string("fakesink sync=false"));
    ck_assert(gst_element_link_many(source, element, sink, nullptr));
    out.follow(PadRef(sink, "sink"));
  }
  pipeline.set_state(GST_STATE_PLAYING);
  for (Record& out : outs) out.wait_for('b', 2);
  pipeline.wait_for_state();
  // What loaded, and what went on to PLAYING, has done so and is about to end.
  until("as many threads as wanted", [&] { return threads() == 1 + kInstances + wanted; });
  for (Record& out : outs) out.wait_for('b', out.buffers() + 2);
  ck_assert_int_eq(threads(), 1 + kInstances + wanted);
  pipeline.set_state(GST_STATE_NULL);
  until("all threads end", [] { return threads() == 1; });
  ck_assert_int_eq(stub().models(), 0);
}

START_TEST(threads_are_one_of_an_element_and_one_of_a_model) {
  // A task's thread ends with its work.
  g_thread_pool_set_max_unused_threads(0);
  assert_threads("", kInstances + 1);
  assert_threads("share=false", kInstances + kInstances);
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify topology");
  const auto add = [&](const char* name, std::initializer_list<const TTest*> tests) {
    TCase* all = tcase_create(name);
    tcase_add_checked_fixture(all, reset_stub, reset_stub);
    for (const TTest* test : tests) tcase_add_test(all, test);
    suite_add_tcase(suite, all);
  };
  add("pads", {frames_behind_a_blocked_pad_wait, a_flush_empties_what_is_behind_a_blocked_pad,
               a_blocked_pad_holds_up_no_state_change});
  add("links",
      {the_element_is_taken_out_and_put_back, another_sink_hears_all_before_its_first_frame});
  add("live", {live_video_goes_on_with_another_clock});
  add("threads", {threads_are_one_of_an_element_and_one_of_a_model});
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}

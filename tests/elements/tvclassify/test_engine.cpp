// What goes through the element while inferences run: order, back-pressure, flushes, sharing,
// batches, live video, other weights. A stub names the colour of each picture, and holds
// inferences as long as a test wants.
#include <future>
#include <thread>

#include "tests/elements/tvclassify/pipelines.hpp"
#include "tests/elements/tvclassify/solid.hpp"

using namespace tv;
using namespace tv::test;

static guint64 counter(Bench& bench, const char* field) {
  return counter(bench.element(), field);
}

/// in = ok + gap + skipped + failed, nothing inside.
static void assert_balanced(Bench& bench) {
  bench.drain();
  ck_assert_uint_eq(counter(bench, "in-flight"), 0);
  ck_assert_uint_eq(counter(bench, "frames-in"), counter(bench, "ok") + counter(bench, "gap") +
                                                     counter(bench, "skipped") +
                                                     counter(bench, "failed"));
}

/// Pushes frames until one of them names the weights.
static void pass_until(Bench& bench, const char* weights) {
  while (read_meta(bench.pass(solid(1)).get()).weights != weights) {
  }
}

static void reset_stub() {
  stub().reset();
}

// ---- order ------------------------------------------------------------------------------------

START_TEST(each_frame_has_its_own_result_in_order) {
  stub().delay(500);
  Bench bench(kStub + "max-in-flight=8 batch-size=3");
  std::vector<int> found;
  for (int i = 0; i < 200; ++i) {
    ck_assert_int_eq(bench.push(solid(i)), GST_FLOW_OK);
    while (BufferRef out = bench.pull()) found.push_back(read_meta(out.get()).best());
  }
  bench.drain();
  while (BufferRef out = bench.pull()) found.push_back(read_meta(out.get()).best());
  ck_assert_uint_eq(found.size(), 200);
  for (int i = 0; i < 200; ++i) ck_assert_int_eq(found[static_cast<std::size_t>(i)], i);
  assert_balanced(bench);
}
END_TEST

/// What passes a pad, one letter each.
struct Log {
  std::mutex mutex;
  std::string text;
  static GstPadProbeReturn note(GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* self = static_cast<Log*>(data);
    const std::lock_guard lock(self->mutex);
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
      self->text += 'b';
      return GST_PAD_PROBE_OK;
    }
    switch (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info))) {
      case GST_EVENT_CAPS:
        self->text += 'C';
        break;
      case GST_EVENT_SEGMENT:
        self->text += 'S';
        break;
      case GST_EVENT_TAG:
        self->text += 'T';
        break;
      case GST_EVENT_GAP:
        self->text += 'G';
        break;
      case GST_EVENT_CUSTOM_DOWNSTREAM:
        self->text += 'X';
        break;
      case GST_EVENT_EOS:
        self->text += 'E';
        break;
      default:
        break;
    }
    return GST_PAD_PROBE_OK;
  }
};

// None of them waits for an inference, and none overtakes a frame that does.
START_TEST(events_keep_their_place_among_frames_that_wait) {
  Log log;
  Bench bench(kStub + "max-in-flight=16");
  bench.pass(solid(0));
  gst_pad_add_probe(
      bench.harness()->sinkpad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      Log::note, &log, nullptr);
  stub().hold(1);
  GstHarness* harness = bench.harness();
  const auto send = [&](GstEvent* event) { ck_assert(gst_harness_push_event(harness, event)); };
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.rate = -1;
  bench.push(solid(1));
  send(gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "x", nullptr)));
  bench.push(solid(2));
  send(gst_event_new_segment(&segment));
  send(gst_event_new_gap(0, 1));
  bench.push(solid(3));
  send(gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("mine")));
  const CapsRef caps(gst_caps_from_string(rgb_caps(16, 16).c_str()));
  send(gst_event_new_caps(caps.get()));
  bench.push(solid(4, 0, 0, 16 * 16));
  send(gst_event_new_eos());
  ck_assert_msg(log.text.empty(), "%s overtook the frame in front", log.text.c_str());
  stub().hold(0);
  bench.drain();
  ASSERT_TEXT(log.text, "bTbSGbXCbE");
  // Two sizes were inside together, each classified as what it is.
  for (const int red : {1, 2, 3, 4}) ck_assert_int_eq(next_meta(bench).best(), red);
}
END_TEST

START_TEST(a_full_element_makes_the_stream_wait) {
  Bench bench(kStub + "max-in-flight=2");
  bench.pass(solid(0));
  stub().reset();
  stub().hold(1);
  bench.push(solid(1));
  bench.push(solid(2));
  auto third = std::async(std::launch::async, [&] { return bench.push(solid(3)); });
  stub().wait_inside(1);
  ck_assert_uint_eq(counter(bench, "in-flight"), 2);
  ck_assert(third.wait_for(std::chrono::seconds(0)) != std::future_status::ready);
  stub().hold(0);
  ck_assert_int_eq(third.get(), GST_FLOW_OK);
  for (const int red : {1, 2, 3}) ck_assert_int_eq(next_meta(bench).best(), red);
  // Each counted itself: 1, 1, 2, and the last, before which one had left, 1 or 2.
  ck_assert_uint_eq(counter(bench, "in-flight-p50"), 1);
  ck_assert_uint_eq(counter(bench, "in-flight-p99"), 2);
}
END_TEST

// ---- flushes and stops ------------------------------------------------------------------------

START_TEST(a_flush_waits_for_no_inference) {
  Bench bench(kStub + "max-in-flight=2");
  bench.pass(solid(0));
  stub().reset();
  stub().hold(1);
  bench.push(solid(1));
  bench.push(solid(2));
  auto blocked = std::async(std::launch::async, [&] { return bench.push(solid(3)); });
  stub().wait_inside(1);
  ck_assert(gst_harness_push_event(bench.harness(), gst_event_new_flush_start()));
  ck_assert_int_eq(blocked.get(), GST_FLOW_FLUSHING);  // while the inference is held
  ck_assert(gst_harness_push_event(bench.harness(), gst_event_new_flush_stop(TRUE)));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  ck_assert(gst_harness_push_event(bench.harness(), gst_event_new_segment(&segment)));
  ck_assert_int_eq(bench.push(solid(4)), GST_FLOW_OK);
  stub().hold(0);
  ck_assert_int_eq(next_meta(bench).best(), 4);  // nothing of before
  assert_balanced(bench);
  ck_assert(bench.pull() == nullptr);
  ck_assert_uint_eq(counter(bench, "flushed"), 2);
}
END_TEST

START_TEST(many_flushes_leave_nothing_stale) {
  stub().delay(300);
  Bench bench(kStub + "max-in-flight=4 batch-size=2");
  for (int round = 0; round < 60; ++round) {
    const int first = round * 4;
    for (int i = 0; i < 4; ++i) bench.push(solid(first % 256 + i, first >= 256 ? 255 : 0));
    bench.flush();
    while (bench.pull()) {
    }
    ck_assert_int_eq(bench.push(solid(77, 255)), GST_FLOW_OK);
    ck_assert_int_eq(next_meta(bench).best(), stub_class(77, true));
  }
  assert_balanced(bench);
}
END_TEST

// Upstream sends caps and tags once: those that wait behind a frame are not discarded with it.
START_TEST(a_flush_keeps_sticky_events_that_wait) {
  Bench bench(kStub + "max-in-flight=4");
  bench.pass(solid(0));
  stub().reset();
  stub().hold(1);
  bench.push(solid(1));
  gst_harness_set_src_caps_str(bench.harness(), rgb_caps(16, 16).c_str());
  ck_assert(gst_harness_push_event(
      bench.harness(), gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "kept", nullptr))));
  stub().wait_inside(1);
  while (GstEvent* event = gst_harness_try_pull_event(bench.harness())) gst_event_unref(event);
  bench.flush();
  stub().hold(0);
  bench.push(solid(2, 0, 0, 16 * 16));
  ck_assert_int_eq(next_meta(bench).best(), 2);
  std::string seen;
  while (GstEvent* event = gst_harness_try_pull_event(bench.harness())) {
    seen += std::string(GST_EVENT_TYPE_NAME(event)) + " ";
    gst_event_unref(event);
  }
  ASSERT_TEXT(seen, "flush-start flush-stop caps segment tag ");
  const CapsRef caps(gst_pad_get_current_caps(bench.harness()->sinkpad));
  const CapsRef wanted(gst_caps_from_string(rgb_caps(16, 16).c_str()));
  ck_assert(gst_caps_is_subset(caps.get(), wanted.get()));
}
END_TEST

// Some send it alone. It may come at any moment of the source thread.
START_TEST(a_flush_stop_alone_is_a_flush) {
  stub().delay(100);
  Bench bench(kStub + "max-in-flight=4");
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 3; ++i) bench.push(solid(i));
    gst_harness_push_event(bench.harness(), gst_event_new_flush_stop(TRUE));
    gst_harness_push_event(bench.harness(), gst_event_new_segment(&segment));
    while (bench.pull()) {
    }
    bench.push(solid(9, 255));
    ck_assert_int_eq(next_meta(bench).best(), stub_class(9, true));
  }
  assert_balanced(bench);
}
END_TEST

START_TEST(ready_lets_go_of_frames_inside) {
  Bench bench(kStub + "max-in-flight=2");
  for (int round = 0; round < 3; ++round) {
    bench.pass(solid(0));  // the model is there, warmed up
    stub().reset();
    stub().hold(1);
    bench.push(solid(1));
    bench.push(solid(2));
    auto blocked = std::async(std::launch::async, [&] { return bench.push(solid(3)); });
    stub().wait_inside(1);
    auto stopped = std::async(std::launch::async, [&] { bench.set_state(GST_STATE_READY); });
    ck_assert_int_eq(blocked.get(), GST_FLOW_FLUSHING);
    stub().hold(0);  // the inference itself is waited for
    stopped.get();
    bench.set_state(GST_STATE_PLAYING);
    gst_harness_set_src_caps_str(bench.harness(), rgb_caps().c_str());
    while (bench.pull()) {
    }
    ck_assert_int_eq(bench.push(solid(9)), GST_FLOW_OK);
    ck_assert_int_eq(next_meta(bench).best(), 9);
  }
}
END_TEST

// Initialising, reordering: whatever takes seconds is told to end, and leaves no model behind.
START_TEST(ready_and_null_end_every_stage_of_loading) {
  for (const int stage : {1, 2})
    for (const GstState end : {GST_STATE_READY, GST_STATE_NULL}) {
      Bench bench(kStub);
      bench.pass(solid(0));
      bench.set_state(GST_STATE_READY);
      stub().reset();
      stub().stall(stage);
      bench.set_state(GST_STATE_PLAYING);
      stub().wait_stalled(1);
      bench.messages(GST_MESSAGE_ANY);
      bench.set_state(end);  // does not return before the model has ended
      ck_assert_int_eq(stub().loads(), 1);
      ck_assert_int_eq(stub().models(), 0);
      ck_assert_uint_eq(bench.errors().size(), 0);
      stub().reset();
      bench.set_state(GST_STATE_PLAYING);
      gst_harness_set_src_caps_str(bench.harness(), rgb_caps().c_str());
      while (bench.pull()) {
      }
      ck_assert_int_eq(bench.push(solid(9)), GST_FLOW_OK);
      ck_assert_int_eq(next_meta(bench).best(), 9);
    }
}
END_TEST

// Those before go on, and nobody waits for what nobody wants any more.
START_TEST(a_change_that_is_overtaken_ends_every_stage_of_loading) {
  for (const int stage : {1, 2}) {
    stub().reset();
    Bench bench(kStub);
    bench.pass(solid(1));
    stub().stall(stage);
    g_object_set(bench.element(), "model", "resnet18", nullptr);
    stub().wait_stalled(1);
    ASSERT_TEXT(read_meta(bench.pass(solid(2)).get()).weights, "squeezenet1_1");
    stub().stall(0);
    g_object_set(bench.element(), "model", "resnet34", nullptr);
    pass_until(bench, "resnet34");
    bench.set_state(GST_STATE_READY);  // waits for the one that was given up, too
    ck_assert_int_eq(stub().loads(), 3);
    ck_assert_int_eq(stub().models(), 0);
  }
}
END_TEST

START_TEST(eos_leaves_after_the_last_result) {
  Bench bench(kStub + "batch-size=4 batch-timeout=60000000000");
  bench.push(solid(4));
  bench.drain();
  next(bench);
  stub().hold(1);
  bench.push(solid(5));
  bench.push(solid(6));  // two of four: without EOS they would wait a minute
  ck_assert(gst_harness_push_event(bench.harness(), gst_event_new_eos()));
  stub().hold(0);
  ck_assert_int_eq(next_meta(bench).best(), 5);
  ck_assert_int_eq(next_meta(bench).best(), 6);
  GstEvent* event = nullptr;
  do {
    if (event) gst_event_unref(event);
    event = gst_harness_pull_event(bench.harness());
  } while (event && GST_EVENT_TYPE(event) != GST_EVENT_EOS);
  ck_assert(event);
  gst_event_unref(event);
}
END_TEST

// ---- flow -------------------------------------------------------------------------------------

static GstFlowReturn refusing_chain(GstPad*, GstObject*, GstBuffer* buffer) {
  gst_buffer_unref(buffer);
  return GST_FLOW_NOT_LINKED;
}

START_TEST(somebody_who_links_again_is_served) {
  Bench bench(kStub);
  bench.pass(solid(0));
  GstPadChainFunction chain = GST_PAD_CHAINFUNC(bench.harness()->sinkpad);
  gst_pad_set_chain_function(bench.harness()->sinkpad, refusing_chain);
  ck_assert_int_eq(bench.flow_of(solid(1)), GST_FLOW_NOT_LINKED);
  gst_pad_set_chain_function(bench.harness()->sinkpad, chain);
  ck_assert_int_eq(bench.push(solid(1)), GST_FLOW_NOT_LINKED);
  gst_harness_push_upstream_event(bench.harness(), gst_event_new_reconfigure());
  ck_assert_int_eq(bench.push(solid(2)), GST_FLOW_OK);
  ck_assert_int_eq(next_meta(bench).best(), 2);
}
END_TEST

// Upstream has gone: nobody would hear of it.
START_TEST(a_refusal_behind_eos_is_an_error) {
  Bench bench(kStub);
  bench.pass(solid(0));
  gst_pad_set_chain_function(bench.harness()->sinkpad, refusing_chain);
  ck_assert_int_eq(bench.push(solid(1)), GST_FLOW_OK);
  bench.drain();
  ck_assert(!gst_harness_push_event(bench.harness(), gst_event_new_eos()));
  const std::vector<Seen> errors = bench.errors();
  ck_assert_uint_eq(errors.size(), 1);
  ck_assert(errors[0].domain == GST_STREAM_ERROR && errors[0].code == GST_STREAM_ERROR_FAILED);
}
END_TEST

static GstFlowReturn ending_chain(GstPad*, GstObject*, GstBuffer* buffer) {
  gst_buffer_unref(buffer);
  return GST_FLOW_EOS;
}

START_TEST(an_end_downstream_is_no_error) {
  Bench bench(kStub);
  bench.pass(solid(0));
  gst_pad_set_chain_function(bench.harness()->sinkpad, ending_chain);
  ck_assert_int_eq(bench.flow_of(solid(1)), GST_FLOW_EOS);
  ck_assert(!gst_harness_push_event(bench.harness(), gst_event_new_eos()));
  ck_assert_uint_eq(bench.errors().size(), 0);
}
END_TEST

/// Until a frame has labels; the names of those before it do not matter.
static Meta pass_until_labelled(Bench& bench, int red) {
  while (true) {
    bench.push(solid(red));
    Meta meta = next_meta(bench);
    if (!meta.labels.empty()) return meta;
  }
}

// What was at the model when downstream refused was cancelled: live video is not busy with it.
START_TEST(live_video_goes_on_after_a_refusal) {
  Bench other(kStub), live(kStub + "latency-mode=live");
  other.pass(solid(0));
  pass_until_labelled(live, 0);
  live.flush();
  stub().reset();
  stub().hold(1);
  other.push(solid(1));
  stub().wait_inside(1);
  live.push(solid(2));  // waits for the model
  ASSERT_TEXT(next_meta(live).reason, "late");
  GstPadChainFunction chain = GST_PAD_CHAINFUNC(live.harness()->sinkpad);
  gst_pad_set_chain_function(live.harness()->sinkpad, refusing_chain);
  live.push(solid(3));
  live.drain();
  gst_pad_set_chain_function(live.harness()->sinkpad, chain);
  gst_harness_push_upstream_event(live.harness(), gst_event_new_reconfigure());
  stub().hold(0);
  ck_assert_int_eq(pass_until_labelled(live, 4).best(), 4);
}
END_TEST

// ---- queries ----------------------------------------------------------------------------------

static GstQuery* latency_of(Bench& bench) {
  GstQuery* query = gst_query_new_latency();
  ck_assert(gst_pad_peer_query(bench.harness()->sinkpad, query));
  return query;
}

START_TEST(latency_is_told_when_it_is_known) {
  Bench bench(kStub);
  bench.pass(solid(0));
  ck_assert_uint_ge(bench.messages(GST_MESSAGE_LATENCY).size(), 1);
  Bench live(kStub + "latency-mode=live");  // it says so by itself
  live.pass(solid(0));
  ck_assert_uint_eq(live.messages(GST_MESSAGE_LATENCY).size(), 0);
}
END_TEST

START_TEST(latency_is_that_of_upstream_and_ours) {
  struct Row {
    const char* settings;
    GstClockTime least, most;  ///< of what the element adds
  };
  const Row rows[] = {
      {"latency-mode=live max-latency=30000000", 30 * GST_MSECOND, 30 * GST_MSECOND},
      {"batch-size=2 batch-timeout=50000000", 50 * GST_MSECOND, GST_SECOND},
      {"", 0, GST_SECOND}};
  for (const Row& row : rows) {
    Bench bench(kStub + row.settings);
    gst_harness_set_upstream_latency(bench.harness(), 7 * GST_MSECOND);
    bench.push(solid(0));
    bench.drain();
    GstQuery* query = latency_of(bench);
    gboolean live = FALSE;
    GstClockTime min = 0, max = 0;
    gst_query_parse_latency(query, &live, &min, &max);
    gst_query_unref(query);
    ck_assert(live);
    ck_assert_uint_ge(min, row.least + 7 * GST_MSECOND);
    ck_assert_uint_le(min, row.most + 7 * GST_MSECOND);
    ck_assert_uint_ge(max, min);
  }
}
END_TEST

START_TEST(upstream_gets_buffers_for_those_inside) {
  Bench bench(kStub + "max-in-flight=9");
  const CapsRef caps(gst_caps_from_string(rgb_caps().c_str()));
  GstQuery* query = gst_query_new_allocation(caps.get(), TRUE);
  // What downstream asks for.
  gst_harness_add_propose_allocation_meta(bench.harness(), GST_VIDEO_META_API_TYPE, nullptr);
  ck_assert(gst_pad_peer_query(bench.harness()->srcpad, query));
  ck_assert_uint_ge(gst_query_get_n_allocation_pools(query), 1);
  guint size = 0, min = 0, max = 0;
  gst_query_parse_nth_allocation_pool(query, 0, nullptr, &size, &min, &max);
  ck_assert_uint_ge(min, 9);
  ck_assert(max == 0 || max >= min);
  ck_assert_uint_ge(size, 64 * 48 * 3);
  ck_assert(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr));
  gst_query_unref(query);
}
END_TEST

// ---- one model for many -----------------------------------------------------------------------

START_TEST(elements_that_want_the_same_load_once) {
  struct Row {
    const char* one;
    const char* two;
    int loads;
  };
  const Row rows[] = {{"", "", 1},
                      {"", "resize-size=40", 1},
                      {"", "top-k=1 interval=3 batch-size=2", 1},
                      {"model-id=a", "model-id=a", 1},
                      {"model-id=a", "model-id=b", 2},
                      {"model-id=a", "", 2},
                      {"share=false", "", 2},
                      {"share=false", "share=false", 2},
                      {"", "seed=7", 2},
                      {"", "crop-size=40 resize-size=40", 2},
                      {"", "executor=reference", 2},
                      {"", "model=squeezenet1_0", 2}};
  for (const Row& row : rows) {
    stub().reset();
    Bench one(kStub + row.one), two(kStub + row.two);
    ck_assert_int_eq(read_meta(one.pass(solid(3)).get()).best(), 3);
    ck_assert_int_eq(read_meta(two.pass(solid(4)).get()).best(), 4);
    ck_assert_msg(stub().loads() == row.loads, "\"%s\" and \"%s\": %d loads", row.one, row.two,
                  stub().loads());
  }
}
END_TEST

START_TEST(full_batches_are_prepared_while_loading) {
  for (const int batch : {1, 8}) {
    stub().reset();
    Bench bench(kStub + "share=false max-in-flight=8 batch-size=" + std::to_string(batch));
    bench.push(solid(1));  // waits for the model
    next(bench);
    ck_assert_int_eq(stub().prepared_batch(), batch);
    ck_assert_int_eq(stub().largest_batch(), 1);
  }
}
END_TEST

START_TEST(sixteen_streams_share_one_model) {
  stub().delay(200);
  std::vector<std::unique_ptr<Bench>> benches;
  for (int i = 0; i < 16; ++i)
    benches.push_back(std::make_unique<Bench>(kStub + "batch-size=" + std::to_string(1 + i % 4 * 3),
                                              rgb_caps(32 + 16 * (i % 3), 48)));  // of three sizes
  std::vector<std::thread> feeders;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 16; ++i)
    feeders.emplace_back([&, i] {
      for (int frame = 0; frame < 40; ++frame) {
        const auto pixels = static_cast<gsize>((32 + 16 * (i % 3)) * 48);
        Bench& bench = *benches[static_cast<std::size_t>(i)];
        bench.push(solid(i * 16 + frame % 16, 0, 0, pixels));
        wrong += next_meta(bench).best() == i * 16 + frame % 16 ? 0 : 1;
      }
    });
  for (std::thread& feeder : feeders) feeder.join();
  ck_assert_int_eq(wrong, 0);
  ck_assert_int_eq(stub().loads(), 1);
  ck_assert_int_gt(stub().largest_batch(), 1);
  ck_assert_int_le(stub().largest_batch(), 10);
  for (const auto& bench : benches) assert_balanced(*bench);
}
END_TEST

// ---- batches across streams -------------------------------------------------------------------

START_TEST(streams_of_two_sizes_fill_one_batch) {
  const std::string settings = kStub + "batch-size=2 batch-timeout=60000000000";
  Bench one(settings), two(settings, rgb_caps(16, 16));
  one.push(solid(1));
  two.push(solid(2, 0, 0, 16 * 16));
  ck_assert_int_eq(next_meta(one).best(), 1);
  ck_assert_int_eq(next_meta(two).best(), 2);
  ck_assert_int_eq(stub().largest_batch(), 2);
  ck_assert_uint_eq(counter(one, "batch-p50"), 2);
}
END_TEST

// A camera that sends nothing any more.
START_TEST(a_dead_stream_holds_nobody) {
  const std::string settings = kStub + "batch-size=2 batch-timeout=1000000";
  Bench dead(settings), living(settings);
  dead.pass(solid(0));
  living.push(solid(1));
  ck_assert_int_eq(next_meta(living).best(), 1);
}
END_TEST

// Long before the timeout.
START_TEST(nobody_waits_for_a_stream_that_has_ended) {
  const std::string settings = kStub + "batch-size=2 batch-timeout=60000000000 max-in-flight=1";
  Bench ended(settings), living(settings);
  ended.push(solid(0));
  gst_harness_push_event(ended.harness(), gst_event_new_eos());
  next(ended);
  living.push(solid(2));
  ck_assert_int_eq(next_meta(living).best(), 2);
}
END_TEST

START_TEST(a_flush_closes_the_batch_that_it_was_in) {
  const std::string settings = kStub + "batch-size=3 batch-timeout=60000000000";
  Bench flushed(settings), living(settings);
  flushed.push(solid(1));
  living.push(solid(2));
  flushed.flush();
  ck_assert_int_eq(next_meta(living).best(), 2);
  ck_assert(flushed.pull() == nullptr);
}
END_TEST

// The frames between them fill the element.
START_TEST(frames_without_inference_hold_no_batch) {
  Bench bench(kStub + "interval=2 batch-size=4 max-in-flight=4 batch-timeout=60000000000");
  for (int i = 0; i < 16; ++i) ck_assert_int_eq(bench.push(solid(i)), GST_FLOW_OK);
  bench.drain();
  for (int i = 0; i < 16; ++i) ck_assert_int_eq(next_meta(bench).best(), i / 2 * 2);
}
END_TEST

static BufferRef with_regions(int red, guint count) {
  BufferRef buffer = solid(red);
  for (guint i = 0; i < count; ++i)
    gst_buffer_add_video_region_of_interest_meta(buffer.get(), "face", 8 * i, 0, 8, 8)->id =
        static_cast<gint>(i);
  return buffer;
}

START_TEST(regions_of_a_frame_travel_together) {
  Bench bench(kStub + "inference-region=roi-list batch-size=4");
  bench.pass(with_regions(0, 1));
  for (int i = 0; i < 50; ++i) {
    stub().reset();
    bench.pass(with_regions(i, 4));
    ck_assert_int_eq(stub().largest_batch(), 4);
  }
}
END_TEST

START_TEST(an_error_stays_the_streams_own) {
  stub().fail(1);
  const std::string settings = kStub + "batch-size=4 max-consecutive-failures=3 ";
  Bench broken(settings), sound(settings);
  for (int i = 0; i < 3; ++i) {
    broken.push(solid(i, 0, 255));
    sound.push(solid(i));
    ASSERT_TEXT(next_meta(broken).status, "failed");
    ck_assert_int_eq(next_meta(sound).best(), i);
  }
  broken.drain();
  ck_assert_int_eq(broken.push(solid(1)), GST_FLOW_ERROR);
  ck_assert_uint_eq(broken.errors().size(), 1);
  ck_assert_int_eq(read_meta(sound.pass(solid(9)).get()).best(), 9);
  ck_assert_uint_eq(sound.errors().size(), 0);
}
END_TEST

START_TEST(a_batch_that_does_not_fit_is_tried_in_parts) {
  stub().fail(2);
  Bench bench(kStub + "batch-size=4 batch-timeout=60000000000");
  for (int i = 0; i < 4; ++i) bench.push(solid(i));
  for (int i = 0; i < 4; ++i) ck_assert_int_eq(next_meta(bench).best(), i);
  ck_assert_int_eq(stub().largest_batch(), 4);
}
END_TEST

// ---- live video -------------------------------------------------------------------------------

START_TEST(live_frames_leave_before_their_result) {
  Bench bench(kStub + "latency-mode=live post-messages=true");
  // Nothing to infer, but it waits for the model, which warms up.
  BufferRef gap = solid(0);
  GST_BUFFER_FLAG_SET(gap.get(), GST_BUFFER_FLAG_GAP);
  ASSERT_TEXT(read_meta(bench.pass(std::move(gap)).get()).status, "gap");
  stub().reset();
  stub().hold(1);
  bench.push(solid(1));
  const Meta first = next_meta(bench);  // its inference is held
  ASSERT_TEXT(first.status, "skipped");
  ASSERT_TEXT(first.reason, "late");
  ck_assert_uint_eq(first.labels.size(), 0);
  stub().wait_inside(1);
  bench.push(solid(2));
  const Meta second = next_meta(bench);
  ASSERT_TEXT(second.status, "skipped");
  ASSERT_TEXT(second.reason, "busy");
  ck_assert_uint_ge(bench.messages(GST_MESSAGE_QOS).size(), 1);
  // The newest result comes with its age: that of the first frame; those behind it stay held.
  stub().release(1);
  Meta later;
  unsigned frames = 1;
  do {
    bench.push(solid(3));
    later = next_meta(bench);
    ++frames;
  } while (later.labels.empty());
  ASSERT_TEXT(later.status, "skipped");
  ck_assert_int_eq(later.best(), 1);
  ck_assert_uint_eq(later.age, frames);
  // It counts, and it is posted, although its frame has left.
  GstStructure* stats = nullptr;
  g_object_get(bench.element(), "stats", &stats, nullptr);
  guint64 median = 0;
  ck_assert(gst_structure_get_uint64(stats, "total-p50", &median) && median > 0);
  gst_structure_free(stats);
  int posted = 0;
  for (const MessageRef& each : bench.messages(GST_MESSAGE_ELEMENT))
    posted += gst_structure_has_name(gst_message_get_structure(each.get()), "tvclassify") ? 1 : 0;
  ck_assert_int_eq(posted, 1);
  stub().hold(0);
  assert_balanced(bench);
}
END_TEST

// None of the frames is there any more to be told so.
START_TEST(live_failures_end_the_stream) {
  Bench bench(kStub + "latency-mode=live max-consecutive-failures=3");
  ck_assert_int_eq(bench.push(solid(0)), GST_FLOW_OK);
  stub().fail(1);
  while (bench.push(solid(1, 0, 255)) == GST_FLOW_OK) {
  }
  const std::vector<Seen> errors = bench.errors();
  ck_assert_uint_eq(errors.size(), 1);
  expect_contains(errors[0].text, "the stub hates blue");
  expect_contains(errors[0].text, "3 in a row");
}
END_TEST

START_TEST(live_frames_wait_for_a_result_that_is_quick) {
  Bench bench(kStub + "latency-mode=live max-latency=60000000000");
  for (int i = 0; i < 10; ++i) {
    const Meta meta = read_meta(bench.pass(solid(i)).get());
    ASSERT_TEXT(meta.status, "ok");
    ck_assert_int_eq(meta.best(), i);
  }
  ck_assert_uint_eq(bench.messages(GST_MESSAGE_QOS).size(), 0);
}
END_TEST

// ---- other weights ----------------------------------------------------------------------------

/// How often the element has told of a change since it was asked last; a warning counts 100.
static int changes(Bench& bench) {
  int found = 0;
  for (const MessageRef& each :
       bench.messages(static_cast<GstMessageType>(GST_MESSAGE_ELEMENT | GST_MESSAGE_WARNING)))
    if (GST_MESSAGE_TYPE(each.get()) == GST_MESSAGE_WARNING)
      found += 100;
    else if (gst_structure_has_name(gst_message_get_structure(each.get()), "weights-changed"))
      ++found;
  return found;
}

START_TEST(other_weights_take_over_between_two_frames) {
  Bench bench(kStub + "max-in-flight=4");
  ASSERT_TEXT(read_meta(bench.pass(solid(1)).get()).weights, "squeezenet1_1");
  ck_assert_int_eq(changes(bench), 100);  // the numbers are random
  g_object_set(bench.element(), "model", "resnet18", nullptr);
  pass_until(bench, "resnet18");
  ck_assert_int_eq(read_meta(bench.pass(solid(8)).get()).best(), 8);
  ck_assert_int_eq(changes(bench), 101);  // these, too
  ck_assert_int_eq(stub().loads(), 2);
  until("the first one is gone", [] { return stub().models() == 1; });
  assert_balanced(bench);
  ck_assert_uint_eq(counter(bench, "ok"), counter(bench, "frames-in"));
}
END_TEST

// Whose network made a result: the stub tells the size of the picture it got.
constexpr int kFirstSide = 224, kSecondSide = 299;
static const std::string kFirst = "tvclassify model=squeezenet1_1 weights=none top-k=2 ";
static const char* const kFirstName = "squeezenet1_1";
static const char* const kSecondName = "inception_v3";

// Frames of two networks with inputs of two sizes are inside together.
START_TEST(every_result_names_the_weights_that_made_it) {
  stub().delay(500);
  Bench bench(kFirst + "max-in-flight=6 batch-size=2");
  int pushed = 0, pulled = 0;
  std::string weights;
  const auto check = [&](const BufferRef& out) {
    const Meta meta = read_meta(out.get());
    ASSERT_TEXT(meta.status, "ok");
    ck_assert_int_eq(meta.best(), pulled++ % 256);
    ck_assert_int_eq(stub_side(meta.labels.at(1).index),
                     meta.weights == kSecondName ? kSecondSide : kFirstSide);
    weights = meta.weights;
  };
  const char* const changes_to[] = {kSecondName, kFirstName, kSecondName};
  for (const char* const name : changes_to) {
    g_object_set(bench.element(), "model", name, nullptr);
    while (weights != name) {
      ck_assert_int_eq(bench.push(solid(pushed++ % 256)), GST_FLOW_OK);
      while (BufferRef out = bench.pull()) check(out);
    }
  }
  bench.drain();
  while (BufferRef out = bench.pull()) check(out);
  ck_assert_int_eq(pulled, pushed);
  assert_balanced(bench);
  ck_assert_uint_eq(counter(bench, "ok"), static_cast<guint64>(pushed));
}
END_TEST

/// A frame without inference, which waits for none where none is in front of it.
static Meta pass_gap(Bench& bench) {
  BufferRef gap = solid(0);
  GST_BUFFER_FLAG_SET(gap.get(), GST_BUFFER_FLAG_GAP);
  return read_meta(bench.pass(std::move(gap)).get());
}

struct SwapRow {
  const char* settings;
  bool flush;
};
static const SwapRow kSwaps[] = {
    {"latency-mode=live", false}, {"latency-mode=live", true}, {"", true}};

// An inference of the old network runs on, and who lets go of that network last does not wait for
// it: not the source pad's thread, whose frame left before its result, nor the streaming thread,
// whose frames a flush discarded.
START_TEST(a_change_waits_for_no_inference_of_before) {
  const SwapRow& row = kSwaps[_i];
  Bench bench(kFirst + row.settings);
  ASSERT_TEXT(pass_gap(bench).weights, kFirstName);  // it is there, warmed up
  stub().reset();
  stub().hold(kFirstSide);
  bench.push(solid(1));
  stub().wait_inside(1);
  if (row.flush)
    bench.flush();
  else
    ASSERT_TEXT(next_meta(bench).reason, "late");
  g_object_set(bench.element(), "model", kSecondName, nullptr);
  while (pass_gap(bench).weights != kSecondName) {
  }
  ck_assert_int_eq(pass_until_labelled(bench, 2).best(), 2);
  ck_assert_int_eq(stub().models(), 2);  // the old one is still at it
  stub().hold(0);
  bench.set_state(GST_STATE_READY);  // this does wait
  ck_assert_int_eq(stub().models(), 0);
}
END_TEST

// Found out in the background, from its bytes; no frame is lost over it.
START_TEST(a_broken_file_changes_nothing) {
  Bench bench(kFirst);
  bench.pass(solid(0));
  bench.warnings();
  g_object_set(bench.element(), "weights", "Tiny_Weights.V1", "model", "", "weights-file",
               fixture("faults/truncated.pth").c_str(), nullptr);
  std::vector<Seen> seen;
  int frames = 1;
  while (seen.empty()) {
    const Meta meta = read_meta(bench.pass(solid(frames % 256)).get());
    ASSERT_TEXT(meta.status, "ok");
    ASSERT_TEXT(meta.weights, kFirstName);
    ck_assert_int_eq(meta.best(), frames++ % 256);
    seen = bench.warnings();
  }
  ck_assert_uint_eq(seen.size(), 1);
  ck_assert(seen[0].domain == GST_RESOURCE_ERROR && seen[0].code == GST_RESOURCE_ERROR_READ);
  expect_contains(seen[0].text, "faults/truncated.pth");
  expect_contains(seen[0].text, "those before go on");
  ASSERT_TEXT(read_meta(bench.pass(solid(3)).get()).weights, kFirstName);
  ck_assert_uint_eq(bench.errors().size(), 0);
  assert_balanced(bench);
  ck_assert_uint_eq(counter(bench, "ok"), static_cast<guint64>(frames) + 1);
  // A good one is taken afterwards.
  g_object_set(bench.element(), "weights-file", fixture("entries/tiny.pth").c_str(), nullptr);
  pass_until(bench, "Tiny_Weights.V1");
}
END_TEST

START_TEST(weights_that_cannot_be_had_change_nothing) {
  Bench bench(kStub);
  bench.pass(solid(1));
  bench.warnings();
  g_object_set(bench.element(), "model", "resnet1800", nullptr);
  const std::vector<Seen> seen = bench.warnings();
  ck_assert_uint_eq(seen.size(), 1);
  expect_contains(seen[0].text, "resnet1800");
  expect_contains(seen[0].text, "those before go on");
  const Meta meta = read_meta(bench.pass(solid(2)).get());
  ASSERT_TEXT(meta.weights, "squeezenet1_1");
  ck_assert_int_eq(meta.best(), 2);
  ck_assert_int_eq(changes(bench), 0);
}
END_TEST

// A name and a file that belong together are judged as a pair.
START_TEST(properties_set_together_are_one_change) {
  Bench bench(kStub);
  bench.pass(solid(1));
  bench.warnings();
  g_object_set(bench.element(), "weights", "Tiny_Weights.V1", "model", "", "weights-file",
               fixture("entries/tiny.pth").c_str(), nullptr);
  pass_until(bench, "Tiny_Weights.V1");
  ck_assert_int_eq(changes(bench), 1);
  ck_assert_int_eq(stub().loads(), 2);
}
END_TEST

START_TEST(the_last_of_two_changes_wins) {
  Bench bench(kStub);
  bench.pass(solid(1));
  g_object_set(bench.element(), "model", "resnet18", nullptr);
  g_object_set(bench.element(), "model", "resnet34", nullptr);
  pass_until(bench, "resnet34");
  ASSERT_TEXT(read_meta(bench.pass(solid(1)).get()).weights, "resnet34");
}
END_TEST

// A seed that random numbers were drawn from says nothing against trained ones.
START_TEST(trained_numbers_take_over_from_seeded_ones) {
  Bench bench(kStub + "seed=7");
  bench.pass(solid(1));
  bench.warnings();
  g_object_set(bench.element(), "weights", "Tiny_Weights.V1", "model", "", "weights-file",
               fixture("entries/tiny.pth").c_str(), nullptr);
  pass_until(bench, "Tiny_Weights.V1");
  ck_assert_uint_eq(bench.warnings().size(), 0);
}
END_TEST

// It has been loaded, no frame has come since, and none will ever ask for it.
START_TEST(a_model_that_was_overtaken_is_not_kept) {
  Bench bench(kStub);
  bench.pass(solid(1));
  bench.messages(GST_MESSAGE_PROGRESS);
  g_object_set(bench.element(), "model", "resnet18", nullptr);
  until("the second one is ready", [&] {
    bool ready = false;
    for (const MessageRef& each : bench.messages(GST_MESSAGE_PROGRESS)) {
      GstProgressType type{};
      gst_message_parse_progress(each.get(), &type, nullptr, nullptr);
      ready = ready || type == GST_PROGRESS_TYPE_COMPLETE;
    }
    return ready;
  });
  g_object_set(bench.element(), "model", "resnet34", nullptr);
  pass_until(bench, "resnet34");
  until("one model is left", [] { return stub().models() == 1; });
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify engine");
  const auto add = [&](const char* name, std::initializer_list<const TTest*> tests) {
    TCase* all = tcase_create(name);
    tcase_add_checked_fixture(all, reset_stub, reset_stub);
    for (const TTest* test : tests) tcase_add_test(all, test);
    suite_add_tcase(suite, all);
  };
  add("order",
      {each_frame_has_its_own_result_in_order, events_keep_their_place_among_frames_that_wait,
       a_full_element_makes_the_stream_wait});
  add("flushes",
      {a_flush_waits_for_no_inference, many_flushes_leave_nothing_stale,
       a_flush_keeps_sticky_events_that_wait, a_flush_stop_alone_is_a_flush,
       ready_lets_go_of_frames_inside, ready_and_null_end_every_stage_of_loading,
       a_change_that_is_overtaken_ends_every_stage_of_loading, eos_leaves_after_the_last_result});
  add("flow", {somebody_who_links_again_is_served, a_refusal_behind_eos_is_an_error,
               an_end_downstream_is_no_error, live_video_goes_on_after_a_refusal});
  add("queries", {latency_is_told_when_it_is_known, latency_is_that_of_upstream_and_ours,
                  upstream_gets_buffers_for_those_inside});
  add("sharing", {elements_that_want_the_same_load_once, full_batches_are_prepared_while_loading,
                  sixteen_streams_share_one_model});
  add("batches", {streams_of_two_sizes_fill_one_batch, a_dead_stream_holds_nobody,
                  nobody_waits_for_a_stream_that_has_ended, a_flush_closes_the_batch_that_it_was_in,
                  frames_without_inference_hold_no_batch, regions_of_a_frame_travel_together,
                  an_error_stays_the_streams_own, a_batch_that_does_not_fit_is_tried_in_parts});
  add("live", {live_frames_leave_before_their_result, live_failures_end_the_stream,
               live_frames_wait_for_a_result_that_is_quick});
  add("other weights",
      {other_weights_take_over_between_two_frames, every_result_names_the_weights_that_made_it,
       a_broken_file_changes_nothing, weights_that_cannot_be_had_change_nothing,
       properties_set_together_are_one_change, the_last_of_two_changes_wins,
       trained_numbers_take_over_from_seeded_ones, a_model_that_was_overtaken_is_not_kept});
  TCase* swaps = tcase_create("swaps");
  tcase_add_checked_fixture(swaps, reset_stub, reset_stub);
  tcase_add_loop_test(swaps, a_change_waits_for_no_inference_of_before, 0,
                      static_cast<int>(std::size(kSwaps)));
  suite_add_tcase(suite, swaps);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}

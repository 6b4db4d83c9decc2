// Seeks, segments and streams that come back, in pipelines: what leaves the element is what came
// in, each frame with its own result. The record in front of the element is the measure of the one
// behind it.
#include <future>

#include "tests/elements/tvclassify/pipelines.hpp"
#include "tests/elements/tvclassify/stress.hpp"

using namespace tv;
using namespace tv::test;

constexpr GstClockTime kStep = 40 * GST_MSECOND;

static void reset_stub() {
  stub().reset();
}

/// source ! tvclassify ! fakesink, and what passes in front of and behind the element.
struct Line {
  explicit Line(const std::string& settings, int frames = kEndless)
      : source(pipeline.add(make_source(frames))),
        element(pipeline.add(kStub + settings)),
        sink(pipeline.add(std::string("fakesink sync=false"))) {
    ck_assert(gst_element_link_many(source, element, sink, nullptr));
    in.follow(PadRef(source, "src"));
    out.follow(PadRef(sink, "sink"));
  }
  /// From `first` to before `end`, in frames of the source; the seqnum of the seek.
  guint32 seek(double rate, int flags, GstClockTime start, GstClockTime stop) {
    GstEvent* event = gst_event_new_seek(rate, GST_FORMAT_TIME, static_cast<GstSeekFlags>(flags),
                                         GST_SEEK_TYPE_SET, static_cast<gint64>(start),
                                         GST_SEEK_TYPE_SET, static_cast<gint64>(stop));
    const guint32 seqnum = gst_event_get_seqnum(event);
    // While a sink waits for its state, a seek without a flush waits for it, holding the state
    // lock.
    pipeline.wait_for_state();
    ck_assert(gst_element_send_event(pipeline.get(), event));
    return seqnum;
  }
  Record in, out;
  Pipeline pipeline;
  GstElement *source, *element, *sink;
};

// ---- seeks ------------------------------------------------------------------------------------

struct Seek {
  double rate;
  int flags;
  double start, stop;  ///< frames
  int first, last;     ///< frames that come, in the order of playing
};
constexpr int kFlush = GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE;
// clang-format off
static const Seek kSeeks[] = {
  // rate  flags                            start  stop  first  last
  {     1, kFlush,                            100,  150,   100,  149},
  {     1, kFlush,                           99.5,  101,    99,  100},
  {     1, kFlush,                              0,    1,     0,    0},
  {     1, kFlush | GST_SEEK_FLAG_SEGMENT,    300,  340,   300,  339},
  {     1, kFlush | GST_SEEK_FLAG_KEY_UNIT,    20,   60,    20,   59},
  {     2, kFlush,                             30,   90,    30,   89},
  {     2, kFlush | GST_SEEK_FLAG_TRICKMODE,   30,   90,    30,   89},
  {   0.5, kFlush | GST_SEEK_FLAG_SEGMENT,    200,  233,   200,  232},
  {    -1, kFlush,                            100,  150,   149,  100},
  {    -1, kFlush,                              0,   40,    39,    0},
  {    -1, kFlush | GST_SEEK_FLAG_SEGMENT,    490,  500,   499,  490},
  {    -2, kFlush,                           50.5,   61,    60,   50}};
// clang-format on

static GstClockTime time_of(double frames) {
  return static_cast<GstClockTime>(frames * static_cast<double>(kStep));
}

START_TEST(a_seek_leaves_all_frames_of_its_segment_as_they_were) {
  const Seek& row = kSeeks[_i];
  stub().delay(200);
  Line line("max-in-flight=5 batch-size=3", 500);
  line.pipeline.set_state(GST_STATE_PAUSED);
  line.pipeline.wait_for_state();
  line.seek(row.rate, row.flags, time_of(row.start), time_of(row.stop));
  line.pipeline.set_state(GST_STATE_PLAYING);
  const bool segment = (row.flags & GST_SEEK_FLAG_SEGMENT) != 0;
  line.out.wait_for(segment ? 'D' : 'E', 1);

  const std::vector<Passed> out = line.out.since_flush();
  assert_same(line.in.since_flush(), out);
  const int count = std::abs(row.last - row.first) + 1;
  ASSERT_TEXT(kinds(out),
              "S" + std::string(static_cast<std::size_t>(count), 'b') + (segment ? "D" : "E"));
  ck_assert_double_eq(out[0].segment.rate, row.rate);
  for (int i = 0; i < count; ++i)
    ck_assert_int_eq(out[static_cast<std::size_t>(i + 1)].number,
                     row.first + (row.rate > 0 ? i : -i));
}
END_TEST

// The next round begins when SEGMENT_DONE has come out: it must not overtake the last frames, which
// wait for no company in a batch, because none comes before the round.
START_TEST(segments_are_played_in_a_loop) {
  Line line("max-in-flight=8 batch-size=4 batch-timeout=60000000000", 500);
  line.pipeline.set_state(GST_STATE_PAUSED);
  line.pipeline.wait_for_state();
  line.seek(1, kFlush | GST_SEEK_FLAG_SEGMENT, 0, 10 * kStep);
  line.pipeline.set_state(GST_STATE_PLAYING);
  std::string wanted;
  constexpr int kRounds = 6;
  for (int round = 1; round <= kRounds; ++round) {
    line.out.wait_for('D', round);
    wanted += "SbbbbbbbbbbD";
    const double rate = round % 2 ? -1 : 1;
    const bool more = round < kRounds;
    const auto start = static_cast<GstClockTime>(round) * 10 * kStep;
    line.seek(rate, GST_SEEK_FLAG_ACCURATE | (more ? GST_SEEK_FLAG_SEGMENT : 0), start,
              start + 10 * kStep);
  }
  line.out.wait_for('E', 1);
  const std::vector<Passed> out = line.out.since_flush();
  ASSERT_TEXT(kinds(out), wanted + "SbbbbbbbbbbE");
  assert_same(line.in.since_flush(), out);
}
END_TEST

/// The first frame behind a segment event.
static int first_of(const GstSegment& segment) {
  const GstClockTime from = segment.rate > 0 ? segment.start : segment.stop - 1;
  return static_cast<int>(from / kStep);
}

// Flushing or not, at any rate, whatever is inside.
START_TEST(many_seeks_lose_and_repeat_nothing) {
  constexpr double kRates[] = {1, 1, 2, 0.5, -1, -3};
  constexpr int kMany = 200;
  Random random = make_random();
  stub().delay(100);
  Line line("max-in-flight=6 batch-size=3");
  line.pipeline.set_state(GST_STATE_PLAYING);
  line.out.wait_for('b', 1);
  int flushes = 0;
  std::vector<guint32> seeks;
  for (int i = 0; i < kMany; ++i) {
    const bool flush = below(random, 3) > 0;
    flushes += flush ? 1 : 0;
    // So far from both ends that none is reached before the next seek.
    const auto start = static_cast<GstClockTime>(below(random, 1000)) * kStep + GST_MSECOND;
    const GstClockTime stop =
        start + static_cast<GstClockTime>(1'000'000 + below(random, 50)) * kStep;
    seeks.push_back(line.seek(kRates[below(random, 6)],
                              GST_SEEK_FLAG_ACCURATE | (flush ? GST_SEEK_FLAG_FLUSH : 0), start,
                              stop));
    line.out.wait_for_seek(seeks.back(), below(random, 12) + 1);
  }
  line.pipeline.set_state(GST_STATE_READY);
  const std::vector<Passed> out = line.out.all();
  std::vector<guint32> came;
  int next = 0, step = 1;
  for (const Passed& each : out) {
    if (each.kind == 'S') {
      came.push_back(each.seqnum);
      next = first_of(each.segment);
      step = each.segment.rate > 0 ? 1 : -1;
    }
    if (each.kind != 'b') continue;
    ck_assert_int_eq(each.number, next);
    ASSERT_TEXT(each.meta().status, "ok");
    ck_assert_int_eq(each.meta().best(), class_of_number(each.number));
    next += step;
  }
  // The first is that of the start.
  ck_assert_uint_eq(came.size(), kMany + 1);
  ck_assert(std::equal(seeks.begin(), seeks.end(), came.begin() + 1));
  ck_assert_int_eq(
      static_cast<int>(std::count_if(out.begin(), out.end(),
                                     [](const Passed& each) { return each.kind == 'F'; })),
      flushes);
}
END_TEST

// A flushing seek takes away what is inside; without the flush it comes, and the segment behind it.
START_TEST(a_flush_is_what_discards) {
  for (const bool flush : {false, true}) {
    stub().reset();
    Line line("max-in-flight=4");
    line.pipeline.set_state(GST_STATE_PLAYING);
    line.out.wait_for('b', 1);
    stub().reset();
    stub().hold(1);
    stub().wait_inside(1);
    line.in.wait_for('b', line.out.buffers() + 4);  // as many as there is room for
    const int before = line.in.buffers();
    auto seek = std::async(std::launch::async, [&] {
      return line.seek(1, GST_SEEK_FLAG_ACCURATE | (flush ? GST_SEEK_FLAG_FLUSH : 0), 1000 * kStep,
                       GST_CLOCK_TIME_NONE);
    });
    // The other one waits for the source, which waits for room.
    if (flush) seek.wait();
    stub().hold(0);
    line.out.wait_for_seek(seek.get(), 3);
    int of_before = 0;
    for (const Passed& each : line.out.all()) of_before += each.kind == 'b' && each.number < 1000;
    if (flush)
      ck_assert_int_lt(of_before, before);
    else
      ck_assert_int_ge(of_before, before);
  }
}
END_TEST

// ---- a camera that comes and goes -------------------------------------------------------------

constexpr int kReturns = 200;
constexpr int kWarmUp = 40;
// One frame's pixels, kept in each round, would be several times that.
constexpr std::int64_t kMostGrowth = 256 << 10;

/// As a camera that was plugged in again: another id, another size, times from the beginning.
static void begin_stream(Bench& bench, int round) {
  GstHarness* harness = bench.harness();
  const std::string id = "camera/" + std::to_string(round);
  ck_assert(gst_harness_push_event(harness, gst_event_new_stream_start(id.c_str())));
  const CapsRef caps(gst_caps_from_string(rgb_caps(16 << (round % 3), 24).c_str()));
  ck_assert(gst_harness_push_event(harness, gst_event_new_caps(caps.get())));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  ck_assert(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
}

/// How many events of a type came, all others taken from the harness with them, which keeps them.
static int count_events(Bench& bench, GstEventType type) {
  int found = 0;
  while (GstEvent* event = gst_harness_try_pull_event(bench.harness())) {
    found += GST_EVENT_TYPE(event) == type ? 1 : 0;
    gst_event_unref(event);
  }
  return found;
}

// Interval and smoothing begin anew with each stream.
START_TEST(a_stream_that_returns_begins_anew) {
  Bench bench(kStub + "interval=3 smoothing=ema smoothing-half-life=100000000000 max-in-flight=3",
              "");
  std::int64_t before = 0;
  for (int round = 0; round < kReturns; ++round) {
    if (round == kWarmUp) before = in_use();
    begin_stream(bench, round);
    const int red = round % 100;  // its green is as large, and below 128
    std::string statuses;
    for (int i = 0; i < 5; ++i) {
      const auto time = static_cast<GstClockTime>(i) * kStep;
      const Meta meta = read_meta(bench.pass(plain(red, 16 << (round % 3), 24, time)).get());
      statuses += meta.status + " ";
      ck_assert_int_eq(meta.best(), red);
      // Of a past that weighs most, another class would be the best one.
      ck_assert_double_gt(meta.labels[0].score, 0.5);
    }
    ASSERT_TEXT(statuses, "ok skipped skipped ok skipped ");
    ck_assert(gst_harness_push_event(bench.harness(), gst_event_new_eos()));
    bench.drain();
    ck_assert(bench.pull() == nullptr);
    ck_assert_int_eq(count_events(bench, GST_EVENT_EOS), 1);
    ck_assert_uint_eq(bench.errors().size(), 0);
  }
  ck_assert_uint_eq(counter(bench.element(), "frames-in"), kReturns * 5);
  const std::int64_t grown = in_use() - before;
  ck_assert_msg(grown < kMostGrowth, "%lld bytes more", static_cast<long long>(grown));
}
END_TEST

// The contrast: new caps and times alone are the same stream.
START_TEST(a_stream_that_goes_on_remembers) {
  Bench bench(kStub + "interval=3 smoothing=ema smoothing-half-life=100000000000", "");
  begin_stream(bench, 0);
  for (int i = 0; i < 4; ++i) bench.pass(plain(10, 16, 24, static_cast<GstClockTime>(i) * kStep));
  gst_harness_set_src_caps_str(bench.harness(), rgb_caps(32, 24).c_str());
  // Frames 4 and 5 are left out, frame 6 is not.
  ASSERT_TEXT(read_meta(bench.pass(plain(20, 32, 24, 0)).get()).status, "skipped");
  ASSERT_TEXT(read_meta(bench.pass(plain(20, 32, 24, kStep)).get()).status, "skipped");
  const Meta meta = read_meta(bench.pass(plain(20, 32, 24, 2 * kStep)).get());
  ASSERT_TEXT(meta.status, "ok");
  ck_assert_int_eq(meta.best(), 10);  // the past weighs most
}
END_TEST

static BufferRef with_object(int red, int round) {
  BufferRef buffer = plain(red, 16 << (round % 3), 24, 0);
  auto* roi = gst_buffer_add_video_region_of_interest_meta(buffer.get(), "face", 0, 0, 16, 24);
  gst_video_region_of_interest_meta_add_param(
      roi, gst_structure_new("object_id", "id", G_TYPE_INT, 7, nullptr));
  return buffer;
}

// The seventh face of another camera is another face.
START_TEST(tracked_objects_are_those_of_one_stream) {
  Bench bench(kStub + "inference-region=roi-list reclassify-interval=1000", "");
  for (int round = 0; round < kReturns; ++round) {
    begin_stream(bench, round);
    ASSERT_TEXT(read_meta(bench.pass(with_object(round, round)).get()).status, "ok");
    const Meta second = read_meta(bench.pass(with_object(round, round)).get());
    ASSERT_TEXT(second.status, "skipped");
    ASSERT_TEXT(second.reason, "reclassify-interval");
    if (round % 2) gst_harness_push_event(bench.harness(), gst_event_new_eos());
    bench.drain();
    count_events(bench, GST_EVENT_EOS);
  }
  ck_assert_uint_eq(counter(bench.element(), "frames-in"), kReturns * 2);
}
END_TEST

// No EOS: its source goes to NULL, and another one comes in its place.
START_TEST(sources_are_replaced_while_playing) {
  stub().delay(100);
  Record in, out;
  Pipeline pipeline;
  GstElement* element = pipeline.add(kStub + "interval=3 max-in-flight=4");
  GstElement* sink = pipeline.add(std::string("fakesink sync=false async=false"));
  ck_assert(gst_element_link(element, sink));
  out.follow(PadRef(sink, "sink"));
  pipeline.set_state(GST_STATE_PLAYING);
  std::int64_t before = 0;
  int alive = 0;
  for (int round = 0; round < kReturns; ++round) {
    if (round == kWarmUp) before = in_use();
    NumberedSource* source = make_source(kEndless, 16 << (round % 3), 24);
    ++alive;
    g_object_weak_ref(
        G_OBJECT(source), [](gpointer count, GObject*) { --*static_cast<int*>(count); }, &alive);
    in.follow(PadRef(GST_ELEMENT(source), "src"));
    pipeline.add(source);
    ck_assert(gst_element_link(GST_ELEMENT(source), element));
    ck_assert(gst_element_sync_state_with_parent(GST_ELEMENT(source)));
    out.wait_for('b', 5);
    pipeline.remove(GST_ELEMENT(source));  // also unlinks it
    drain(element);
    pipeline.drop_messages();  // they hold who sent them
    ck_assert_int_eq(alive, 0);
    const std::vector<Passed> passed = out.all();
    ASSERT_TEXT(kinds(passed), kinds(in.all()));
    ASSERT_TEXT(kinds(passed).substr(0, 4), "TCSb");
    for (std::size_t i = 3; i < passed.size(); ++i) {
      const auto number = static_cast<int>(i - 3);
      ck_assert_int_eq(passed[i].number, number);
      ASSERT_TEXT(passed[i].meta().status, number % 3 == 0 ? "ok" : "skipped");
      ck_assert_int_eq(passed[i].meta().best(), class_of_number(number / 3 * 3));
    }
    in.clear();
    out.clear();
  }
  const std::int64_t grown = in_use() - before;
  ck_assert_msg(grown < kMostGrowth, "%lld bytes more", static_cast<long long>(grown));
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify flow");
  TCase* seeks = tcase_create("seeks");
  tcase_add_checked_fixture(seeks, reset_stub, reset_stub);
  tcase_add_loop_test(seeks, a_seek_leaves_all_frames_of_its_segment_as_they_were, 0,
                      static_cast<int>(std::size(kSeeks)));
  tcase_add_test(seeks, segments_are_played_in_a_loop);
  tcase_add_test(seeks, many_seeks_lose_and_repeat_nothing);
  tcase_add_test(seeks, a_flush_is_what_discards);
  suite_add_tcase(suite, seeks);
  TCase* streams = tcase_create("streams");
  tcase_add_checked_fixture(streams, reset_stub, reset_stub);
  tcase_add_test(streams, a_stream_that_returns_begins_anew);
  tcase_add_test(streams, a_stream_that_goes_on_remembers);
  tcase_add_test(streams, tracked_objects_are_those_of_one_stream);
  tcase_add_test(streams, sources_are_replaced_while_playing);
  suite_add_tcase(suite, streams);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}

// The element under load, with the stub in place of LibTorch: many streams, flushes, states, caps
// and properties at random moments.
#include <atomic>
#include <chrono>
#include <deque>
#include <thread>

#include "tests/elements/tvclassify/solid.hpp"
#include "tests/elements/tvclassify/stress.hpp"

using namespace tv;
using namespace tv::test;

constexpr int kSide = 16;
constexpr int kColors = 256;

// clang-format off
//                                      usual     full
constexpr Count kFrames              {100'000, 1'000'000};  // of 1, of 4, and of 16 streams together
constexpr Count kFramesOfATee        { 10'000,   100'000};
constexpr Count kInterruptions       {  2'000,    20'000};
constexpr Count kStateCycles         { 10'000,   100'000};
constexpr Count kCapsChanges         { 20'000,   200'000};
constexpr Count kSecondsOfProperties {      5,        60};
// clang-format on

static std::string gray_caps(int width = kSide, int height = kSide) {
  return "video/x-raw,format=GRAY8,framerate=30/1,width=" + std::to_string(width) +
         ",height=" + std::to_string(height) + ",colorimetry=1:4:0:0";
}

/// A frame of each colour, there while tests run: GStreamer's leaks tracer looks before statics are
/// destroyed.
static std::vector<BufferRef> g_grays;

static void make_grays() {
  for (int each = 0; each < kColors; ++each) {
    g_grays.emplace_back(gst_buffer_new_allocate(nullptr, kSide * kSide, nullptr));
    gst_buffer_memset(g_grays.back().get(), 0, static_cast<guint8>(each), kSide * kSide);
  }
}

static void drop_grays() {
  g_grays.clear();
}

/// Of one colour, which is its class; the pixels are shared by all frames of the colour.
static BufferRef gray(int color) {
  return BufferRef(gst_buffer_copy(g_grays[static_cast<std::size_t>(color)].get()));
}

/// Green is as large as red.
static int class_of(int color) {
  return stub_class(color, color >= 128);
}

// ---- order ------------------------------------------------------------------------------------

/// Feeds a stream and checks what comes out; the number of wrong frames.
static int feed(Bench& bench, int frames, std::uint64_t seed) {
  Random random(seed);
  int wrong = 0, out = 0;
  const int step = 1 + 2 * below(random, 100);
  const auto take = [&](BufferRef buffer) {
    if (!buffer) return false;
    wrong += read_meta(buffer.get()).best() == class_of(out++ * step % kColors) ? 0 : 1;
    return true;
  };
  for (int in = 0; in < frames; ++in) {
    if (bench.push(gray(in * step % kColors)) != GST_FLOW_OK) return frames;
    while (take(bench.pull())) {
    }
  }
  // Null after a minute: a frame is lost, and no other comes.
  while (out < frames)
    if (!take(BufferRef(gst_harness_pull(bench.harness())))) return frames;
  return wrong + (bench.pull() ? 1 : 0);
}

START_TEST(every_frame_of_every_stream_once_and_in_order) {
  Random random = make_random();
  const int all = times(kFrames);
  for (const int count : {1, 4, 16}) {
    std::vector<std::unique_ptr<Bench>> streams;
    for (int i = 0; i < count; ++i)
      streams.push_back(std::make_unique<Bench>(
          kStub + "max-in-flight=" + std::to_string(1 + below(random, 16)) +
              " batch-size=" + std::to_string(2 + below(random, 31)) +
              " batch-timeout=" + std::to_string(below(random, 2) * 1000000),
          gray_caps()));
    stub().delay(50);
    std::atomic<int> wrong = 0;
    std::vector<std::thread> feeders;
    for (const auto& stream : streams)
      feeders.emplace_back([&, each = stream.get(), seed = random()] {
        wrong += feed(*each, all / 3 / count, seed);
      });
    for (std::thread& feeder : feeders) feeder.join();
    ck_assert_msg(wrong == 0, "%d of %d frames of %d streams", wrong.load(), all / 3, count);
  }
}
END_TEST

/// A branch's buffers: the classes in order.
struct Branch {
  std::vector<int> classes;
  static void take(GstElement*, GstBuffer* buffer, GstPad*, gpointer data) {
    static_cast<Branch*>(data)->classes.push_back(read_meta(buffer).best());
  }
};

static void fill(GstElement*, GstBuffer* buffer, GstPad*, gpointer count) {
  const int number = (*static_cast<int*>(count))++;
  gst_buffer_memset(buffer, 0, static_cast<guint8>(number % kColors), kSide * kSide);
  GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(number);
}

// Both branches write on buffers that they share.
START_TEST(branches_of_a_tee_have_all_frames) {
  const int frames = times(kFramesOfATee);
  const std::string line =
      "fakesrc name=in format=time sizetype=fixed filltype=nothing signal-handoffs=true sizemax=" +
      std::to_string(kSide * kSide) + " num-buffers=" + std::to_string(frames) + " ! " +
      gray_caps() + " ! tee name=t t. ! queue ! " + kStub +
      "batch-size=4 ! queue ! fakesink name=one signal-handoffs=true sync=false t. ! queue ! " +
      kStub + "max-in-flight=9 ! fakesink name=two signal-handoffs=true sync=false";
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(line.c_str(), &error);
  ck_assert_msg(!error, "%s", error ? error->message : "");
  int count = 0;
  Branch one, two;
  const auto connect = [&](const char* name, GCallback callback, gpointer data) {
    GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline), name);
    g_signal_connect(element, "handoff", callback, data);
    gst_object_unref(element);
  };
  connect("in", G_CALLBACK(fill), &count);
  connect("one", G_CALLBACK(Branch::take), &one);
  connect("two", G_CALLBACK(Branch::take), &two);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstBus* bus = gst_element_get_bus(pipeline);
  const MessageRef end(gst_bus_timed_pop_filtered(
      bus, GST_CLOCK_TIME_NONE, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  ck_assert(GST_MESSAGE_TYPE(end.get()) == GST_MESSAGE_EOS);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(bus);
  gst_object_unref(pipeline);
  for (const Branch* branch : {&one, &two}) {
    ck_assert_uint_eq(branch->classes.size(), static_cast<std::size_t>(frames));
    for (int i = 0; i < frames; ++i)
      ck_assert_int_eq(branch->classes[static_cast<std::size_t>(i)], class_of(i % kColors));
  }
}
END_TEST

// ---- at random moments ------------------------------------------------------------------------

static void start_stream(Bench& bench) {
  gst_harness_set_src_caps_str(bench.harness(), gray_caps().c_str());
}

static int next_class(Bench& bench) {
  const BufferRef out(gst_harness_pull(bench.harness()));
  ck_assert(out != nullptr);
  return read_meta(out.get()).best();
}

/// The harness keeps what it has seen.
static void drop_events(Bench& bench) {
  while (GstEvent* event = gst_harness_try_pull_event(bench.harness())) gst_event_unref(event);
}

/// As a flush seek to anywhere, at any rate, comes down the stream.
static void seek(Bench& bench, Random& random) {
  constexpr double kRates[] = {1, -1, 2, 0.5};
  ck_assert(gst_harness_push_event(bench.harness(), gst_event_new_flush_start()));
  ck_assert(gst_harness_push_event(bench.harness(), gst_event_new_flush_stop(TRUE)));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.rate = kRates[below(random, 4)];
  segment.start = segment.time = static_cast<guint64>(below(random, 1000)) * GST_MSECOND;
  segment.stop = segment.start + GST_SECOND;
  ck_assert(gst_harness_push_event(bench.harness(), gst_event_new_segment(&segment)));
}

// Whatever is inside when it happens: what comes afterwards is of afterwards.
START_TEST(nothing_stale_after_flush_eos_pause_and_stop) {
  Random random = make_random();
  stub().delay(200);
  Bench bench(kStub + "max-in-flight=6 batch-size=3", gray_caps());
  for (int round = 0; round < times(kInterruptions); ++round) {
    for (int i = below(random, 8); i > 0; --i) bench.push(gray(below(random, 100)));
    switch (below(random, 5)) {
      case 0:
        bench.flush();
        break;
      case 1:
        seek(bench, random);
        break;
      case 2:
        gst_harness_push_event(bench.harness(), gst_event_new_eos());
        bench.flush();
        break;
      case 3:
        bench.set_state(GST_STATE_PAUSED);
        bench.set_state(GST_STATE_PLAYING);
        bench.flush();
        break;
      default:
        bench.set_state(GST_STATE_READY);
        bench.set_state(GST_STATE_PLAYING);
        start_stream(bench);
        break;
    }
    while (bench.pull()) {
    }
    const int mark = 100 + below(random, 156);
    ck_assert_int_eq(bench.push(gray(mark)), GST_FLOW_OK);
    ck_assert_int_eq(next_class(bench), class_of(mark));
    drop_events(bench);
  }
  ck_assert_uint_eq(bench.errors().size(), 0);
}
END_TEST

START_TEST(states_leave_no_memory_behind) {
  Bench bench(kStub + "max-in-flight=2", gray_caps());
  std::int64_t before = 0;
  const int cycles = times(kStateCycles);
  for (int cycle = 0; cycle < cycles; ++cycle) {
    if (cycle == 100) before = in_use();
    bench.push(gray(cycle % kColors));
    if (cycle % 2 == 0) {
      ck_assert_int_eq(next_class(bench), class_of(cycle % kColors));
    }
    bench.set_state(cycle % 3 == 0 ? GST_STATE_NULL : GST_STATE_READY);
    bench.set_state(GST_STATE_PLAYING);
    start_stream(bench);
    while (bench.pull()) {
    }
    drop_events(bench);
    bench.messages(GST_MESSAGE_ERROR);  // takes all others away
  }
  const std::int64_t grown = in_use() - before;
  ck_assert_msg(grown < 1 << 20, "%lld bytes more after %d cycles", static_cast<long long>(grown),
                cycles);
}
END_TEST

// clang-format off
constexpr const char* kFormats[] = {
  "RGB", "BGR", "RGBA", "BGRA", "ARGB", "ABGR", "RGBx", "BGRx", "xRGB", "xBGR", "GRAY8", "I420", "YV12", "NV12", "NV21",
  "YUY2", "UYVY", "Y42B", "Y444", "I420_10LE", "P010_10LE", "RGBP"};
// clang-format on

/// Caps of a format, with the full range: a level of luma is that of the grey it shows.
static std::string any_caps(Random& random) {
  const int most = below(random, 200) == 0 ? 3000 : 70;
  const std::string format = kFormats[below(random, static_cast<int>(std::size(kFormats)))];
  const CapsRef plain(
      gst_caps_from_string(("video/x-raw,width=1,height=1,format=" + format).c_str()));
  GstVideoInfo info;
  ck_assert(gst_video_info_from_caps(&info, plain.get()));
  return "video/x-raw,framerate=30/1,format=" + format +
         ",width=" + std::to_string(1 + below(random, most)) +
         ",height=" + std::to_string(1 + below(random, most)) +
         (GST_VIDEO_INFO_IS_RGB(&info) ? "" : ",colorimetry=1:4:0:0");
}

/// Sets all samples of one component; level: 0 to 255, or nothing for the middle, which is no
/// colour.
static void fill_component(GstVideoFrame* frame, guint component, std::optional<int> level) {
  const GstVideoFormatInfo* format = frame->info.finfo;
  const guint depth = GST_VIDEO_FORMAT_INFO_DEPTH(format, component);
  const int value = level ? (*level * ((1 << depth) - 1) + 127) / 255 : 1 << (depth - 1);
  const auto sample = static_cast<guint16>(value << GST_VIDEO_FORMAT_INFO_SHIFT(format, component));
  const int step = GST_VIDEO_FRAME_COMP_PSTRIDE(frame, component);
  auto* row = static_cast<guint8*>(GST_VIDEO_FRAME_COMP_DATA(frame, component));
  // GStreamer 1.22 believes that V begins in the second byte of U.
  if (depth > 8 && GST_VIDEO_FORMAT_INFO_POFFSET(format, component) == 1) ++row;
  for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(frame, component); ++y) {
    for (int x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(frame, component); ++x)
      if (depth > 8)
        GST_WRITE_UINT16_LE(row + x * step, sample);
      else
        row[x * step] = static_cast<guint8>(sample);
    row += GST_VIDEO_FRAME_COMP_STRIDE(frame, component);
  }
}

/// A picture of one colour, and the class that it has.
static std::pair<BufferRef, int> any_solid(Random& random, const GstVideoInfo& info) {
  BufferRef buffer(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr));
  GstVideoFrame frame;
  ck_assert(gst_video_frame_map(&frame, &info, buffer.get(), GST_MAP_WRITE));
  const bool rgb = GST_VIDEO_INFO_IS_RGB(&info);
  const int red = below(random, kColors), green = rgb ? below(random, kColors) : red;
  const std::optional<int> none;
  const std::optional<int> levels[] = {red, rgb ? green : none, rgb ? below(random, kColors) : none,
                                       7};
  for (guint each = 0; each < GST_VIDEO_INFO_N_COMPONENTS(&info); ++each)
    fill_component(&frame, each, levels[each]);
  gst_video_frame_unmap(&frame);
  return {std::move(buffer), stub_class(red, green >= 128)};
}

START_TEST(caps_may_change_with_every_frame) {
  Random random = make_random();
  Bench bench(kStub + "max-in-flight=3", gray_caps());
  std::deque<std::pair<int, std::string>> wanted;
  const auto take = [&](const BufferRef& out) {
    const Meta meta = read_meta(out.get());
    ck_assert_msg(!wanted.empty() && meta.status == "ok" && meta.best() == wanted[0].first,
                  "%s: %s %s, class %d, not %d", wanted.empty() ? "" : wanted[0].second.c_str(),
                  meta.status.c_str(), meta.reason.c_str(), meta.best(),
                  wanted.empty() ? -1 : wanted[0].first);
    wanted.pop_front();
  };
  const int count = times(kCapsChanges);
  for (int i = 0; i < count; ++i) {
    const std::string caps = any_caps(random);
    gst_harness_set_src_caps_str(bench.harness(), caps.c_str());
    GstVideoInfo info;
    const CapsRef parsed(gst_caps_from_string(caps.c_str()));
    ck_assert(gst_video_info_from_caps(&info, parsed.get()));
    auto [buffer, number] = any_solid(random, info);
    wanted.emplace_back(number, caps);
    ck_assert_int_eq(bench.push(std::move(buffer)), GST_FLOW_OK);
    while (BufferRef out = bench.pull()) take(out);
    drop_events(bench);
  }
  bench.drain();
  while (BufferRef out = bench.pull()) take(out);
  ck_assert(wanted.empty());
}
END_TEST

/// Turns one of the knobs that may be turned while frames pass.
static void turn_a_knob(GstElement* element, Random& random) {
  const auto set = [element](auto... pairs) { g_object_set(element, pairs..., nullptr); };
  static const std::string kGood = fixture("entries/tiny.pth"), kBad = fixture("faults/text.pth");
  switch (below(random, 10)) {
    case 0:
      return set("top-k", static_cast<guint>(1 + below(random, 1000)));
    case 1:
      return set("threshold", below(random, 100) / 100.0);
    case 2:
      return set("interval", static_cast<guint>(1 + below(random, 5)));
    case 3:
      return set("smoothing", below(random, 3), "class-hysteresis", below(random, 10) / 10.0);
    case 4:
      return set("post-messages", below(random, 2), "qos", below(random, 2));
    case 5:
      return set("weights", "none", "weights-file", nullptr, "model",
                 below(random, 2) ? "resnet18" : "squeezenet1_1");
    case 6:
      return set("weights", "Tiny_Weights.V1", "model", "", "weights-file",
                 below(random, 4) ? kGood.c_str() : kBad.c_str());
    case 7:
      return set("weights-file", below(random, 2) ? kGood.c_str() : nullptr);
    case 8: {
      GstStructure* stats = nullptr;
      g_object_get(element, "stats", &stats, nullptr);
      return gst_structure_free(stats);
    }
    default: {
      gchar** names = nullptr;
      g_object_get(element, "categories", &names, nullptr);
      g_strfreev(names);
    }
  }
}

START_TEST(four_threads_may_set_properties_at_any_moment) {
  using Clock = std::chrono::steady_clock;
  Random random = make_random();
  Bench bench(kStub + "max-in-flight=4", gray_caps());
  ck_assert_int_eq(read_meta(bench.pass(gray(3)).get()).best(), class_of(3));
  std::atomic<bool> over = false;
  std::vector<std::thread> hands;
  for (int i = 0; i < 4; ++i)
    hands.emplace_back([&, seed = random()] {
      Random mine(seed);
      while (!over) {
        turn_a_knob(bench.element(), mine);
        std::this_thread::yield();
      }
    });
  // Ends the work; nothing is expected within a time.
  const Clock::time_point end = Clock::now() + std::chrono::seconds(times(kSecondsOfProperties));
  int in = 0, out = 0;
  for (; Clock::now() < end; ++in) {
    ck_assert_int_eq(bench.push(gray(in % kColors)), GST_FLOW_OK);
    while (BufferRef buffer = bench.pull()) {
      const Meta meta = read_meta(buffer.get());
      ck_assert_msg(meta.status == "ok" || meta.status == "skipped", "%s: %s", meta.status.c_str(),
                    meta.reason.c_str());
      ++out;
    }
    ck_assert_uint_eq(bench.errors().size(), 0);  // takes all others away
  }
  over = true;
  for (std::thread& hand : hands) hand.join();
  bench.drain();
  while (bench.pull()) ++out;
  ck_assert_int_eq(out, in);
}
END_TEST

static void reset_stub() {
  stub().reset();
}

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify stress");
  TCase* all = tcase_create("stress");
  tcase_add_unchecked_fixture(all, make_grays, drop_grays);
  tcase_add_checked_fixture(all, reset_stub, reset_stub);
  tcase_add_test(all, every_frame_of_every_stream_once_and_in_order);
  tcase_add_test(all, branches_of_a_tee_have_all_frames);
  tcase_add_test(all, nothing_stale_after_flush_eos_pause_and_stop);
  tcase_add_test(all, states_leave_no_memory_behind);
  tcase_add_test(all, caps_may_change_with_every_frame);
  tcase_add_test(all, four_threads_may_set_properties_at_any_moment);
  suite_add_tcase(suite, all);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}

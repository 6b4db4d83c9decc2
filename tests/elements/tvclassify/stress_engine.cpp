// The element under load, with the stub in place of LibTorch: many streams, flushes, states, caps
// and properties at random moments. The seed is printed.
//   TV_STRESS=N    N times as much as by default (10: the full counts);  TV_STRESS_SEED: a seed
#include <malloc.h>

#include <random>
#include <thread>

#include "tests/elements/inference/stub_backend.hpp"
#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using namespace tv::test;

static const std::string kStub =
    "tvclassify model=squeezenet1_1 weights=none crop-size=32 resize-size=32 ";
constexpr int kSide = 16;
constexpr int kColors = 256;

using Random = std::mt19937_64;

static std::uint64_t environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}
static int times(int count) {
  return count * static_cast<int>(environment("TV_STRESS", 1));
}
static Random make_random() {
  static const std::uint64_t seed = environment("TV_STRESS_SEED", std::random_device{}());
  static const bool printed =
      std::printf("TV_STRESS_SEED=%llu\n", static_cast<unsigned long long>(seed)) > 0;
  static_cast<void>(printed);
  return Random(seed);
}
static int below(Random& random, int end) {
  return static_cast<int>(random() % static_cast<unsigned>(end));
}

static std::string gray_caps(int width = kSide, int height = kSide) {
  return "video/x-raw,format=GRAY8,framerate=30/1,width=" + std::to_string(width) +
         ",height=" + std::to_string(height) + ",colorimetry=1:4:0:0";
}

/// Of one colour, which is its class; the pixels are shared by all frames of the colour.
static BufferRef gray(int color) {
  static const std::vector<GstBuffer*> all = [] {
    std::vector<GstBuffer*> made;
    for (int each = 0; each < kColors; ++each) {
      made.push_back(gst_buffer_new_allocate(nullptr, kSide * kSide, nullptr));
      gst_buffer_memset(made.back(), 0, static_cast<guint8>(each), kSide * kSide);
    }
    return made;
  }();
  return BufferRef(gst_buffer_copy(all[static_cast<std::size_t>(color)]));
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
  while (out < frames) take(BufferRef(gst_harness_pull(bench.harness())));
  return wrong + (bench.pull() ? 1 : 0);
}

START_TEST(every_frame_of_every_stream_once_and_in_order) {
  Random random = make_random();
  const int all = times(100'000);
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
  const int frames = times(10'000);
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

// Whatever is inside when it happens: what comes afterwards is of afterwards.
START_TEST(nothing_stale_after_flush_eos_pause_and_stop) {
  Random random = make_random();
  stub().delay(200);
  Bench bench(kStub + "max-in-flight=6 batch-size=3", gray_caps());
  for (int round = 0; round < times(400); ++round) {
    for (int i = below(random, 8); i > 0; --i) bench.push(gray(below(random, 100)));
    switch (below(random, 5)) {
      case 0:
      case 1:
        bench.flush();
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
    const BufferRef out(gst_harness_pull(bench.harness()));
    ck_assert_int_eq(read_meta(out.get()).best(), class_of(mark));
    // The harness keeps what it has seen.
    while (GstEvent* event = gst_harness_try_pull_event(bench.harness())) gst_event_unref(event);
  }
  ck_assert_uint_eq(bench.errors().size(), 0);
}
END_TEST

/// Bytes in use, of all that malloc has given.
static std::int64_t in_use() {
  malloc_trim(0);
  const struct mallinfo2 info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

START_TEST(states_leave_no_memory_behind) {
  Bench bench(kStub + "max-in-flight=2", gray_caps());
  std::int64_t before = 0;
  const int cycles = times(1000);
  for (int cycle = 0; cycle < cycles; ++cycle) {
    if (cycle == 100) before = in_use();
    bench.push(gray(cycle % kColors));
    if (cycle % 2 == 0) {
      const BufferRef out(gst_harness_pull(bench.harness()));
      ck_assert_int_eq(read_meta(out.get()).best(), class_of(cycle % kColors));
    }
    bench.set_state(cycle % 3 == 0 ? GST_STATE_NULL : GST_STATE_READY);
    bench.set_state(GST_STATE_PLAYING);
    start_stream(bench);
    while (bench.pull()) {
    }
    while (GstEvent* event = gst_harness_try_pull_event(bench.harness())) gst_event_unref(event);
    bench.messages(GST_MESSAGE_ERROR);  // takes all others away
  }
  const std::int64_t grown = in_use() - before;
  ck_assert_msg(grown < 1 << 20, "%lld bytes more after %d cycles", static_cast<long long>(grown),
                cycles);
}
END_TEST

START_TEST(caps_may_change_with_every_frame) {
  Random random = make_random();
  Bench bench(kStub + "max-in-flight=3", gray_caps());
  constexpr const char* kFormats[] = {"GRAY8", "RGB", "BGRA", "I420", "NV12", "YUY2", "Y444"};
  for (int i = 0; i < times(2000); ++i) {
    const int width = 1 + below(random, 70), height = 1 + below(random, 70);
    const std::string caps = std::string("video/x-raw,framerate=30/1,format=") +
                             kFormats[below(random, 7)] + ",width=" + std::to_string(width) +
                             ",height=" + std::to_string(height);
    gst_harness_set_src_caps_str(bench.harness(), caps.c_str());
    GstVideoInfo info;
    const CapsRef parsed(gst_caps_from_string(caps.c_str()));
    ck_assert(gst_video_info_from_caps(&info, parsed.get()));
    BufferRef buffer(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr));
    gst_buffer_memset(buffer.get(), 0, 128, GST_VIDEO_INFO_SIZE(&info));
    ck_assert_int_eq(bench.push(std::move(buffer)), GST_FLOW_OK);
    while (BufferRef out = bench.pull()) {
      const Meta meta = read_meta(out.get());
      ck_assert_msg(meta.status == "ok", "%s: %s", caps.c_str(), meta.reason.c_str());
    }
    while (GstEvent* event = gst_harness_try_pull_event(bench.harness())) gst_event_unref(event);
  }
}
END_TEST

// Four threads turn every knob that may be turned while frames pass.
START_TEST(properties_may_be_set_at_any_moment) {
  Random random = make_random();
  Bench bench(kStub + "max-in-flight=4", gray_caps());
  ck_assert_int_eq(read_meta(bench.pass(gray(3)).get()).best(), class_of(3));
  std::atomic<bool> over = false;
  std::vector<std::thread> hands;
  for (int i = 0; i < 4; ++i)
    hands.emplace_back([&, seed = random()] {
      Random mine(seed);
      GstElement* element = bench.element();
      while (!over) {
        switch (below(mine, 8)) {
          case 0:
            g_object_set(element, "top-k", static_cast<guint>(1 + below(mine, 1000)), nullptr);
            break;
          case 1:
            g_object_set(element, "threshold", below(mine, 100) / 100.0, nullptr);
            break;
          case 2:
            g_object_set(element, "interval", static_cast<guint>(1 + below(mine, 5)), nullptr);
            break;
          case 3:
            g_object_set(element, "smoothing", below(mine, 3), nullptr);
            break;
          case 4:
            g_object_set(element, "post-messages", below(mine, 2), "qos", below(mine, 2), nullptr);
            break;
          case 5:
            g_object_set(element, "model", below(mine, 2) ? "resnet18" : "squeezenet1_1", nullptr);
            break;
          case 6: {
            GstStructure* stats = nullptr;
            g_object_get(element, "stats", &stats, nullptr);
            gst_structure_free(stats);
            break;
          }
          default: {
            gchar** names = nullptr;
            g_object_get(element, "categories", &names, nullptr);
            g_strfreev(names);
          }
        }
        std::this_thread::yield();
      }
    });
  const int frames = times(5000);
  int out = 0;
  for (int in = 0; in < frames; ++in) {
    ck_assert_int_eq(bench.push(gray(in % kColors)), GST_FLOW_OK);
    while (BufferRef buffer = bench.pull()) {
      const Meta meta = read_meta(buffer.get());
      ck_assert(meta.status == "ok" || meta.status == "skipped");
      ++out;
    }
    bench.messages(GST_MESSAGE_ERROR);
  }
  over = true;
  for (std::thread& hand : hands) hand.join();
  bench.drain();
  while (bench.pull()) ++out;
  ck_assert_int_eq(out, frames);
}
END_TEST

static void reset_stub() {
  stub().reset();
}

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify stress");
  TCase* all = tcase_create("stress");
  tcase_add_checked_fixture(all, reset_stub, reset_stub);
  tcase_add_test(all, every_frame_of_every_stream_once_and_in_order);
  tcase_add_test(all, branches_of_a_tee_have_all_frames);
  tcase_add_test(all, nothing_stale_after_flush_eos_pause_and_stop);
  tcase_add_test(all, states_leave_no_memory_behind);
  tcase_add_test(all, caps_may_change_with_every_frame);
  tcase_add_test(all, properties_may_be_set_at_any_moment);
  suite_add_tcase(suite, all);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}

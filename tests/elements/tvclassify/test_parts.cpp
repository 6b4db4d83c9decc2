// The parts of the element that need no model: errors to the bus, mapped frames, history.
#include <cstring>
#include <map>
#include <stdexcept>

#include "elements/common/bus.hpp"
#include "elements/common/mapped_frame.hpp"
#include "elements/tvclassify/choice.hpp"
#include "elements/tvclassify/contradictions.hpp"
#include "elements/tvclassify/frame.hpp"
#include "elements/tvclassify/history.hpp"
#include "elements/tvclassify/info.hpp"
#include "tests/elements/tvclassify/support.hpp"

using namespace tv;

// ---- statistics -------------------------------------------------------------------------------

// Every field, each with a number that no other has.
START_TEST(stats_have_these_fields) {
  Stats stats;
  stats.frames_in = 100;
  stats.by_status = {1, 2, 3, 4};
  stats.flushed = 5;
  std::uint64_t base = 0;
  for (Samples* samples : {&stats.preprocess, &stats.queue, &stats.inference, &stats.total,
                           &stats.last_batch, &stats.inside}) {
    base += 1000;
    for (std::uint64_t i = 0; i < 100; ++i) samples->add(base + (i + 50) % 100 + 1);
  }
  stats.batch.add(7);
  stats.batch.add(8);
  std::map<std::string, std::uint64_t> wanted = {
      {"frames-in", 100}, {"ok", 1},         {"gap", 2},     {"skipped", 3},
      {"failed", 4},      {"in-flight", 90}, {"flushed", 5}, {"batch-max", 8}};
  base = 0;
  for (const std::string what :
       {"preprocess", "queue", "inference", "total", "batch", "in-flight"}) {
    base += 1000;
    wanted[what + "-p50"] = base + 50;
    wanted[what + "-p95"] = base + 95;
    wanted[what + "-p99"] = base + 99;
    if (base > 4000) continue;
    wanted[what + "-last"] = base + 50;
    wanted[what + "-mean"] = base + 50;
    wanted[what + "-max"] = base + 100;
  }
  const StructurePtr found = make_stats("stats", stats);
  for (const auto& [field, number] : wanted) {
    guint64 value = 0;
    ck_assert_msg(gst_structure_get_uint64(found.get(), field.c_str(), &value), "no field %s",
                  field.c_str());
    ck_assert_msg(value == number, "%s is %" G_GUINT64_FORMAT, field.c_str(), value);
  }
  gdouble mean = 0;
  ck_assert(gst_structure_get_double(found.get(), "batch-mean", &mean) && mean == 7.5);
  guint64 memory = 0;
  ck_assert(gst_structure_get_uint64(found.get(), "memory", &memory) && memory > 1 << 20);
  ck_assert_int_eq(gst_structure_n_fields(found.get()), static_cast<int>(wanted.size()) + 2);
}
END_TEST

// ---- pairs of properties -----------------------------------------------------------------------

// clang-format off
struct PairRow { const char* first; const char* second; void (*set)(Settings&); void (*mend)(Settings&); };
static const PairRow kPairs[] = {
  {"share=false", "model-id", [](Settings& s) { s.share = false; s.model_id = "a"; }, [](Settings& s) { s.share = true; }},
  {"batch-timeout", "batch-size=1", [](Settings& s) { s.batch_timeout_ns = 1; }, [](Settings& s) { s.batch_size = 2; }},
  {"batch-size", "max-in-flight", [](Settings& s) { s.share = false; s.batch_size = 5; }, [](Settings& s) { s.max_in_flight = 5; }},
  {"batch-size", "latency-mode=live",
   [](Settings& s) { s.share = false; s.batch_size = 2; s.latency_mode = LatencyMode::kLive; }, [](Settings& s) { s.share = true; }},
  {"max-latency", "latency-mode=complete", [](Settings& s) { s.max_latency_ns = 1; }, [](Settings& s) { s.latency_mode = LatencyMode::kLive; }},
  {"batch-timeout", "max-latency",
   [](Settings& s) { s.latency_mode = LatencyMode::kLive; s.batch_size = 2; s.batch_timeout_ns = s.max_latency_ns = 5; },
   [](Settings& s) { s.max_latency_ns = 6; }},
  {"object-class", "inference-region=full-frame", [](Settings& s) { s.object_class = "car"; }, [](Settings& s) { s.inference_region = InferenceRegion::kRoiList; }},
  {"min-region-size", "inference-region=full-frame", [](Settings& s) { s.min_region_size = 2; }, [](Settings& s) { s.inference_region = InferenceRegion::kRoiList; }},
  {"reclassify-interval", "inference-region=full-frame", [](Settings& s) { s.live.reclassify_interval = 2; }, [](Settings& s) { s.inference_region = InferenceRegion::kRoiList; }},
  {"smoothing", "inference-region=roi-list",
   [](Settings& s) { s.inference_region = InferenceRegion::kRoiList; s.live.smoothing.kind = SmoothingKind::kEma; },
   [](Settings& s) { s.inference_region = InferenceRegion::kFullFrame; }},
  {"class-hysteresis", "inference-region=roi-list",
   [](Settings& s) { s.inference_region = InferenceRegion::kRoiList; s.live.smoothing.hysteresis = 0.1; },
   [](Settings& s) { s.inference_region = InferenceRegion::kFullFrame; }},
  {"smoothing-half-life", "smoothing", [](Settings& s) { s.live.smoothing.half_life_ns = 1; }, [](Settings& s) { s.live.smoothing.kind = SmoothingKind::kEma; }},
  {"smoothing-window", "smoothing", [](Settings& s) { s.live.smoothing = {.kind = SmoothingKind::kEma, .window_ns = 1}; }, [](Settings& s) { s.live.smoothing.kind = SmoothingKind::kMajority; }},
  {"smoothing=ema", "smoothing-half-life=0", [](Settings& s) { s.live.smoothing = {.kind = SmoothingKind::kEma, .half_life_ns = 0}; }, [](Settings& s) { s.live.smoothing.half_life_ns = 1; }},
  {"smoothing=majority", "smoothing-window=0", [](Settings& s) { s.live.smoothing = {.kind = SmoothingKind::kMajority, .window_ns = 0}; }, [](Settings& s) { s.live.smoothing.window_ns = 1; }},
  {"seed", "weights", [](Settings& s) { s.seed = 1; s.weights = "resnet18"; }, [](Settings& s) { s.weights = "none"; }},
};
// clang-format on

// Whatever names the numbers; without a name there is no network at all, which is said elsewhere.
START_TEST(a_seed_is_for_random_numbers_alone) {
  struct Row {
    void (*set)(Settings&);
    bool refused;
  };
  const Row rows[] = {
      {[](Settings& s) { s.weights = "NONE"; }, false},
      {[](Settings& s) { s.pretrained = false; }, false},
      {[](Settings&) {}, false},
      {[](Settings& s) { s.weights = "DEFAULT"; }, true},
      {[](Settings& s) { s.pretrained = true; }, true},
      {[](Settings& s) { s.weights_file = "a.pth"; }, true},
  };
  for (const Row& row : rows) {
    Settings settings;
    settings.model = "resnet18";
    settings.seed = 1;
    row.set(settings);
    ck_assert_int_eq(!check_contradictions(settings), row.refused);
    settings.seed = 0;
    ck_assert(check_contradictions(settings));
  }
}
END_TEST

START_TEST(pairs_that_make_no_sense) {
  ck_assert(check_contradictions({}));
  ck_assert_uint_eq(std::size(kPairs), contradictions().size());
  for (std::size_t i = 0; i < std::size(kPairs); ++i) {
    const PairRow& row = kPairs[i];
    ASSERT_TEXT(contradictions()[i].first, row.first);
    Settings settings;
    row.set(settings);
    const Status refused = check_contradictions(settings);
    ck_assert_msg(!refused, "%s with %s passes", row.first, row.second);
    ck_assert(refused.error().code == Code::kInvalidArgument);
    test::expect_contains(refused.error().what, row.first);
    test::expect_contains(refused.error().what, row.second);
    row.mend(settings);
    const Status mended = check_contradictions(settings);
    ck_assert_msg(mended, "%s: %s", row.first, mended ? "" : mended.error().what.c_str());
  }
}
END_TEST

// ---- errors on the bus ------------------------------------------------------------------------

// clang-format off
struct BusRow { Code code; Stage stage; GQuark (*domain)(); int bus_code; };
static const BusRow kBusRows[] = {
  {Code::kInvalidArgument, Stage::kSettings, gst_library_error_quark,  GST_LIBRARY_ERROR_SETTINGS},
  {Code::kInvalidArgument, Stage::kLoad,     gst_library_error_quark,  GST_LIBRARY_ERROR_SETTINGS},
  {Code::kInvalidArgument, Stage::kCaps,     gst_core_error_quark,     GST_CORE_ERROR_NEGOTIATION},
  {Code::kInvalidArgument, Stage::kFrame,    gst_stream_error_quark,   GST_STREAM_ERROR_FORMAT},
  {Code::kNotFound,        Stage::kSettings, gst_resource_error_quark, GST_RESOURCE_ERROR_NOT_FOUND},
  {Code::kNotFound,        Stage::kLoad,     gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ},
  {Code::kUnreadable,      Stage::kLoad,     gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ},
  {Code::kUnreadable,      Stage::kFrame,    gst_resource_error_quark, GST_RESOURCE_ERROR_READ},
  {Code::kBadCheckpoint,   Stage::kLoad,     gst_resource_error_quark, GST_RESOURCE_ERROR_READ},
  {Code::kBadDigest,       Stage::kLoad,     gst_resource_error_quark, GST_RESOURCE_ERROR_READ},
  {Code::kNoSpace,         Stage::kLoad,     gst_resource_error_quark, GST_RESOURCE_ERROR_NO_SPACE_LEFT},
  {Code::kUnwritable,      Stage::kLoad,     gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_WRITE},
  {Code::kUnsupported,     Stage::kLoad,     gst_core_error_quark,     GST_CORE_ERROR_NOT_IMPLEMENTED},
  {Code::kUnsupported,     Stage::kCaps,     gst_core_error_quark,     GST_CORE_ERROR_NEGOTIATION},
  {Code::kUnavailable,     Stage::kLoad,     gst_library_error_quark,  GST_LIBRARY_ERROR_INIT},
  {Code::kDevice,          Stage::kFrame,    gst_resource_error_quark, GST_RESOURCE_ERROR_FAILED},
  {Code::kDeviceLost,      Stage::kFrame,    gst_resource_error_quark, GST_RESOURCE_ERROR_FAILED},
  {Code::kDeviceLost,      Stage::kSettings, gst_resource_error_quark, GST_RESOURCE_ERROR_FAILED},
  {Code::kInternal,        Stage::kFrame,    gst_library_error_quark,  GST_LIBRARY_ERROR_FAILED},
};
// clang-format on

START_TEST(bus_table) {
  const BusRow& row = kBusRows[_i];
  const BusCode to = bus_code(row.code, row.stage);
  ck_assert_uint_eq(to.domain, row.domain());
  ck_assert_int_eq(to.code, row.bus_code);
}
END_TEST

// Posts with a bin (any element does) and reads the bus.
struct Poster {
  GstElement* bin = gst_bin_new("poster");
  GstBus* bus = gst_bus_new();
  Poster() {
    gst_object_ref_sink(bin);
    gst_element_set_bus(bin, bus);
  }
  ~Poster() {
    gst_element_set_bus(bin, nullptr);
    gst_object_unref(bin);
    gst_object_unref(bus);
  }
  MessageRef pop() { return MessageRef(gst_bus_pop(bus)); }
};

START_TEST(posts_text_and_hint_once) {
  Poster poster;
  post_error(poster.bin, {Code::kNotFound, "no weights \"x\"", "nearest: y"}, Stage::kSettings,
             "weights x, file z");
  const std::string line = std::to_string(__LINE__ - 2);
  const MessageRef message = poster.pop();
  ck_assert(message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR);
  GError* error = nullptr;
  gchar* debug = nullptr;
  gst_message_parse_error(message.get(), &error, &debug);
  ck_assert_str_eq(error->message, "no weights \"x\" (nearest: y)");
  // Where it was reported and what it was about.
  test::expect_contains(
      debug, "elements/tvclassify/test_parts.cpp(" + line + "): posts_text_and_hint_once");
  test::expect_contains(debug, "code not-found, stage settings, weights x, file z");
  g_error_free(error);
  g_free(debug);
  ck_assert(poster.pop() == nullptr);
}
END_TEST

static bool is_one_line(const char* text) {
  return std::none_of(text, text + std::strlen(text),
                      [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// Any bytes may be in a name or a path; nobody reads a hundred thousand of them.
START_TEST(posts_what_can_be_shown) {
  Poster poster;
  std::string name;
  while (name.size() < 100'000)
    name += "\xE2\x82\xAC\xC3\xA9";  // 3 and 2 bytes: a cut falls anywhere
  for (std::size_t shift = 0; shift < 5; ++shift) {
    const std::string text = std::string(shift, 'b') + "egin \xFF\n\x1B[31m " + name + " end";
    post_warning(poster.bin, {Code::kNotFound, text, "nearest:\ty"}, Stage::kSettings, text);
    const MessageRef message = poster.pop();
    ck_assert(message != nullptr);
    GError* error = nullptr;
    gchar* debug = nullptr;
    gst_message_parse_warning(message.get(), &error, &debug);
    ck_assert_ptr_nonnull(debug);
    test::expect_contains(error->message, "egin \\xff\\x0a\\x1b[31m \xE2\x82\xAC");
    test::expect_contains(error->message, "\xC3\xA9 end (nearest:\\x09y)");
    test::expect_contains(debug, "egin \\xff\\x0a\\x1b[31m \xE2\x82\xAC");
    test::expect_contains(error->message, " ... ");
    // A character that was cut would be no UTF-8.
    ck_assert(g_utf8_validate(error->message, -1, nullptr) && is_one_line(error->message));
    // GStreamer writes the place, a line feed, and what it was given.
    ck_assert(g_utf8_validate(debug, -1, nullptr) && is_one_line(std::strchr(debug, '\n') + 1));
    ck_assert(std::strlen(error->message) < 2100 && std::strlen(debug) < 2400);
    g_error_free(error);
    g_free(debug);
  }
}
END_TEST

START_TEST(posts_no_cancellation) {
  Poster poster;
  post_error(poster.bin, {Code::kCancelled, "stopped", ""}, Stage::kLoad);
  ck_assert(poster.pop() == nullptr);
}
END_TEST

START_TEST(exceptions_end_at_the_vfunc) {
  Poster poster;
  const int value = no_throw(poster.bin, 7, []() -> int { throw std::runtime_error("kaput"); });
  ck_assert_int_eq(value, 7);
  const MessageRef message = poster.pop();
  ck_assert(message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR);
  GError* error = nullptr;
  gst_message_parse_error(message.get(), &error, nullptr);
  ck_assert(g_error_matches(error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED));
  ck_assert(strstr(error->message, "kaput") != nullptr);
  g_error_free(error);
  ck_assert_int_eq(no_throw(poster.bin, 7, []() -> int { throw 3; }), 7);
  ck_assert(poster.pop() != nullptr);
  ck_assert_int_eq(no_throw(poster.bin, 7, [] { return 8; }), 8);
  ck_assert(poster.pop() == nullptr);
}
END_TEST

// ---- mapped frames ----------------------------------------------------------------------------

static GstVideoInfo make_info(const char* caps) {
  const CapsRef parsed(gst_caps_from_string(caps));
  GstVideoInfo info;
  ck_assert(gst_video_info_from_caps(&info, parsed.get()));
  return info;
}

// A buffer whose byte i is i modulo 251.
static BufferRef counting_buffer(gsize size) {
  BufferRef buffer(gst_buffer_new_allocate(nullptr, size, nullptr));
  GstMapInfo map;
  gst_buffer_map(buffer.get(), &map, GST_MAP_WRITE);
  for (gsize i = 0; i < size; ++i) map.data[i] = static_cast<guint8>(i % 251);
  gst_buffer_unmap(buffer.get(), &map);
  return buffer;
}

START_TEST(maps_default_layout) {
  const GstVideoInfo info = make_info("video/x-raw,format=NV12,width=33,height=7");
  const BufferRef buffer = counting_buffer(info.size);
  const Result<MappedFrame> frame = MappedFrame::map(buffer.get(), info);
  ck_assert(frame);
  ck_assert_int_eq(frame->planes(), 2);
  ck_assert_int_eq(frame->plane(0).stride, info.stride[0]);
  ck_assert_uint_eq(*frame->plane(0).data, 0);
  ck_assert_uint_eq(*frame->plane(1).data, info.offset[1] % 251);
}
END_TEST

START_TEST(needs_no_padding_after_the_last_row) {
  const GstVideoInfo info = make_info("video/x-raw,format=RGB,width=33,height=2");
  ck_assert_int_eq(info.stride[0], 100);
  ck_assert(MappedFrame::map(counting_buffer(199).get(), info));
  const Result<MappedFrame> shorter = MappedFrame::map(counting_buffer(198).get(), info);
  ck_assert(!shorter);
  ck_assert(shorter.error().code == Code::kInvalidArgument);
  ck_assert(shorter.error().what.find("198") != std::string::npos);
  ck_assert(shorter.error().what.find("199") != std::string::npos);
}
END_TEST

START_TEST(odd_chroma_counts) {
  // 4:2:0 of 3x3: chroma is 2x2, and the last chroma row counts.
  const GstVideoInfo info = make_info("video/x-raw,format=I420,width=3,height=3");
  const gsize end = info.offset[2] + static_cast<gsize>(info.stride[2]) + 2;
  ck_assert(MappedFrame::map(counting_buffer(end).get(), info));
  ck_assert(!MappedFrame::map(counting_buffer(end - 1).get(), info));
  // YUY2 of width 3 has two macropixels a row: 8 bytes.
  const GstVideoInfo packed = make_info("video/x-raw,format=YUY2,width=3,height=1");
  ck_assert(MappedFrame::map(counting_buffer(8).get(), packed));
  ck_assert(!MappedFrame::map(counting_buffer(7).get(), packed));
}
END_TEST

static void add_meta(GstBuffer* buffer, GstVideoFormat format, guint width, guint height,
                     std::vector<gsize> offset, std::vector<gint> stride) {
  const auto planes = static_cast<guint>(offset.size());
  offset.resize(GST_VIDEO_MAX_PLANES);
  stride.resize(GST_VIDEO_MAX_PLANES);
  gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, format, width, height, planes,
                                 offset.data(), stride.data());
}

START_TEST(video_meta_is_honoured) {
  const GstVideoInfo info = make_info("video/x-raw,format=I420,width=4,height=4");
  const BufferRef buffer = counting_buffer(200);
  add_meta(buffer.get(), GST_VIDEO_FORMAT_I420, 4, 4, {10, 100, 150}, {16, 8, 8});
  const Result<MappedFrame> frame = MappedFrame::map(buffer.get(), info);
  ck_assert(frame);
  ck_assert_uint_eq(*frame->plane(0).data, 10);
  ck_assert_int_eq(frame->plane(0).stride, 16);
  ck_assert_uint_eq(frame->plane(0).data[16], 26);
  ck_assert_uint_eq(*frame->plane(2).data, 150);
  ck_assert_ptr_eq(frame->plane(0).rows.data(), frame->plane(0).data);
  ck_assert_uint_eq(frame->plane(0).rows.size(), 3 * 16 + 4);
  ck_assert_uint_eq(frame->plane(1).rows.size(), 8 + 2);
}
END_TEST

START_TEST(negative_strides) {
  const GstVideoInfo info = make_info("video/x-raw,format=GRAY8,width=4,height=4");
  const BufferRef buffer = counting_buffer(40);
  add_meta(buffer.get(), GST_VIDEO_FORMAT_GRAY8, 4, 4, {30}, {-10});
  const Result<MappedFrame> frame = MappedFrame::map(buffer.get(), info);
  ck_assert(frame);
  ck_assert_uint_eq(*frame->plane(0).data, 30);
  ck_assert_uint_eq(*(frame->plane(0).data + 3 * frame->plane(0).stride), 0);
  ck_assert_uint_eq(frame->plane(0).rows.front(), 0);
  ck_assert_uint_eq(frame->plane(0).rows.size(), 3 * 10 + 4);

  const BufferRef before = counting_buffer(40);
  add_meta(before.get(), GST_VIDEO_FORMAT_GRAY8, 4, 4, {29}, {-10});
  ck_assert(!MappedFrame::map(before.get(), info));
}
END_TEST

START_TEST(contradicting_metas_are_refused) {
  const GstVideoInfo info = make_info("video/x-raw,format=GRAY8,width=8,height=4");
  const BufferRef smaller = counting_buffer(100);
  add_meta(smaller.get(), GST_VIDEO_FORMAT_GRAY8, 4, 4, {0}, {8});
  const Result<MappedFrame> frame = MappedFrame::map(smaller.get(), info);
  ck_assert(!frame);
  ck_assert(frame.error().what.find("4x4") != std::string::npos);
  ck_assert(frame.error().what.find("8x4") != std::string::npos);

  const BufferRef other = counting_buffer(200);
  add_meta(other.get(), GST_VIDEO_FORMAT_RGB, 8, 4, {0}, {24});
  ck_assert(!MappedFrame::map(other.get(), info));

  const BufferRef far = counting_buffer(100);
  add_meta(far.get(), GST_VIDEO_FORMAT_GRAY8, 8, 4, {G_MAXSIZE - 3}, {8});
  ck_assert(!MappedFrame::map(far.get(), info));
}
END_TEST

START_TEST(planes_in_several_memories) {
  const GstVideoInfo info = make_info("video/x-raw,format=NV12,width=4,height=4");
  // Luma in one memory, chroma in a second.
  const BufferRef whole = counting_buffer(24);
  BufferRef apart(gst_buffer_copy_region(whole.get(), GST_BUFFER_COPY_MEMORY, 0, 16));
  const BufferRef chroma(gst_buffer_copy_deep(whole.get()));
  gst_buffer_append_memory(apart.get(),
                           gst_memory_share(gst_buffer_peek_memory(chroma.get(), 0), 16, 8));
  const Result<MappedFrame> frame = MappedFrame::map(apart.get(), info);
  ck_assert(frame);
  ck_assert_uint_eq(*frame->plane(1).data, 16);
  ck_assert_uint_eq(gst_buffer_n_memory(apart.get()), 2);

  // A plane that spans two memories is read through a copy; the buffer keeps its memories.
  BufferRef split(gst_buffer_copy_region(whole.get(), GST_BUFFER_COPY_MEMORY, 0, 6));
  gst_buffer_append_memory(split.get(),
                           gst_memory_share(gst_buffer_peek_memory(chroma.get(), 0), 6, 18));
  const Result<MappedFrame> spanning = MappedFrame::map(split.get(), info);
  ck_assert(spanning);
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 4; ++x)
      ck_assert_uint_eq(spanning->plane(0).data[y * 4 + x], static_cast<unsigned>(y * 4 + x));
  ck_assert_uint_eq(gst_buffer_n_memory(split.get()), 2);
}
END_TEST

// ---- FrameView --------------------------------------------------------------------------------

START_TEST(crop_meta_is_honoured) {
  const GstVideoInfo info = make_info("video/x-raw,format=GRAY8,width=4,height=3");
  const BufferRef buffer = counting_buffer(100);
  add_meta(buffer.get(), GST_VIDEO_FORMAT_GRAY8, 10, 10, {0}, {10});
  GstVideoCropMeta* crop = gst_buffer_add_video_crop_meta(buffer.get());
  crop->x = 6;
  crop->y = 7;
  crop->width = 4;
  crop->height = 3;
  const Result<Frame> frame = map_frame(buffer.get(), info);
  ck_assert(frame);
  ck_assert_int_eq(frame->view.full_width, 10);
  ck_assert_int_eq(frame->view.crop_x, 6);
  ck_assert_int_eq(frame->view.crop_y, 7);
  ck_assert_int_eq(frame->view.width, 4);
  ck_assert_int_eq(frame->view.height, 3);

  crop->x = 7;  // one too far
  const Result<Frame> outside = map_frame(buffer.get(), info);
  ck_assert(!outside);
  ck_assert(outside.error().what.find("(7, 7)") != std::string::npos);
  crop->x = G_MAXUINT;
  ck_assert(!map_frame(buffer.get(), info));
  crop->x = 0;
  crop->width = 0;
  ck_assert(!map_frame(buffer.get(), info));
}
END_TEST

// clang-format off
struct ColorRow {
  const char* caps;
  ColorMatrix matrix; ColorRange range; bool horizontal, vertical;
};
static const ColorRow kColorRows[] = {
  // GStreamer's own guesses where the caps are silent
  {"format=I420,width=720,height=576",   ColorMatrix::kBt601,  ColorRange::kLimited, false, false},
  {"format=I420,width=1280,height=720",  ColorMatrix::kBt709,  ColorRange::kLimited, true,  false},
  {"format=I420,width=64,height=64,colorimetry=bt601",           ColorMatrix::kBt601,  ColorRange::kLimited, false, false},
  {"format=I420,width=64,height=64,colorimetry=bt709",           ColorMatrix::kBt709,  ColorRange::kLimited, false, false},
  {"format=I420,width=64,height=64,colorimetry=bt2020",          ColorMatrix::kBt2020, ColorRange::kLimited, false, false},
  {"format=I420,width=64,height=64,colorimetry=1:4:0:0",         ColorMatrix::kBt601,  ColorRange::kFull,    false, false},
  {"format=I420,width=64,height=64,colorimetry=bt601,chroma-site=mpeg2",           ColorMatrix::kBt601,  ColorRange::kLimited, true,  false},
  {"format=I420,width=64,height=64,colorimetry=bt601,chroma-site=cosited",         ColorMatrix::kBt601,  ColorRange::kLimited, true,  true},
  {"format=I420,width=1280,height=720,colorimetry=bt709,chroma-site=jpeg",         ColorMatrix::kBt709,  ColorRange::kLimited, false, false},
};
// clang-format on

START_TEST(colorimetry) {
  const ColorRow& row = kColorRows[_i];
  const GstVideoInfo info = make_info((std::string("video/x-raw,") + row.caps).c_str());
  ck_assert_msg(color_matrix(info) == row.matrix, "%s", row.caps);
  ck_assert_msg(color_range(info) == row.range, "%s", row.caps);
  ck_assert_msg(chroma_site(info).horizontal_cosited == row.horizontal, "%s", row.caps);
  ck_assert_msg(chroma_site(info).vertical_cosited == row.vertical, "%s", row.caps);
}
END_TEST

START_TEST(unknown_colorimetry) {
  GstVideoInfo info = make_info("video/x-raw,format=I420,width=64,height=64");
  info.colorimetry.matrix = GST_VIDEO_COLOR_MATRIX_UNKNOWN;
  info.colorimetry.range = GST_VIDEO_COLOR_RANGE_UNKNOWN;
  info.chroma_site = GST_VIDEO_CHROMA_SITE_UNKNOWN;
  ck_assert(color_matrix(info) == ColorMatrix::kBt601);
  ck_assert(color_range(info) == ColorRange::kLimited);
  ck_assert(!chroma_site(info).horizontal_cosited);
  info.height = 1080;
  ck_assert(color_matrix(info) == ColorMatrix::kBt709);
  ck_assert(chroma_site(info).horizontal_cosited);
  info.colorimetry.matrix = GST_VIDEO_COLOR_MATRIX_SMPTE240M;
  info.height = 64;
  ck_assert(color_matrix(info) == ColorMatrix::kBt709);
  info.colorimetry.matrix = GST_VIDEO_COLOR_MATRIX_FCC;
  info.height = 1080;
  ck_assert(color_matrix(info) == ColorMatrix::kBt601);
}
END_TEST

// ---- history ----------------------------------------------------------------------------------

static FrameResult ok(std::vector<Label> labels) {
  FrameResult result;
  result.status = FrameStatus::kOk;
  result.labels = std::move(labels);
  return result;
}
static FrameResult of(FrameStatus status) {
  FrameResult result;
  result.status = status;
  return result;
}

static FrameResult skipped(const History& history, std::string_view reason) {
  FrameResult result = of(FrameStatus::kFailed);
  result.age = 77;  // what was there before does not show
  result.labels = result.raw = {{9, "before", 1}};
  history.skipped(reason, result);
  ck_assert(result.status == FrameStatus::kSkipped && result.raw.empty());
  ck_assert(result.reason == reason);
  return result;
}

START_TEST(history_cadence) {
  Cadence cadence;
  ck_assert(cadence.due(3));
  cadence.note(false);
  ck_assert_msg(cadence.due(3), "a gap is no attempt");
  cadence.note(true);
  for (int frame = 0; frame < 2; ++frame) {
    ck_assert(!cadence.due(3));
    cadence.note(false);
  }
  ck_assert(cadence.due(3));
  cadence.note(true);
  ck_assert(!cadence.due(2));
  ck_assert_msg(cadence.due(1), "the interval counts as it is now");
  cadence.forget();
  ck_assert(cadence.due(3));
}
END_TEST

START_TEST(history_ages) {
  History history;
  ck_assert(skipped(history, "interval").labels.empty());
  history.note(ok({{1, "one", 0.9F}}));
  for (unsigned age = 1; age <= 2; ++age) {
    const FrameResult left_out = skipped(history, "interval");
    ck_assert_uint_eq(left_out.age, age);
    ck_assert_uint_eq(left_out.labels.size(), 1);
    history.note(left_out);
  }
  history.note(of(FrameStatus::kFailed));
  ck_assert_uint_eq(skipped(history, "interval").age, 4);
  history.forget();
  ck_assert(skipped(history, "qos").labels.empty());
}
END_TEST

// A result that comes when its frame has left is the newest one from then on.
START_TEST(history_late_results) {
  History history;
  history.note(ok({{1, "one", 0.9F}}));
  history.note(skipped(history, "late"));
  history.note(skipped(history, "busy"));
  history.note_late(ok({{2, "two", 0.7F}}), 2);
  const FrameResult next = skipped(history, "late");
  ck_assert_uint_eq(next.age, 2);
  ck_assert_int_eq(next.labels[0].index, 2);
  history.note(next);
  ck_assert_uint_eq(skipped(history, "busy").age, 3);
}
END_TEST

START_TEST(history_failures) {
  History history;
  std::vector<bool> news;
  for (int i = 0; i < 5; ++i) {
    history.note(of(FrameStatus::kFailed));
    history.note(of(FrameStatus::kGap));
    news.push_back(history.failure_is_news());
  }
  ck_assert_uint_eq(history.consecutive_failures(), 5);
  ck_assert((news == std::vector<bool>{true, true, false, true, false}));
  history.note(ok({}));
  ck_assert_uint_eq(history.consecutive_failures(), 0);
  ck_assert_uint_eq(history.failures(), 5);
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify parts");
  TCase* bus = tcase_create("bus");
  tcase_add_loop_test(bus, bus_table, 0, static_cast<int>(std::size(kBusRows)));
  tcase_add_test(bus, posts_text_and_hint_once);
  tcase_add_test(bus, posts_what_can_be_shown);
  tcase_add_test(bus, posts_no_cancellation);
  tcase_add_test(bus, exceptions_end_at_the_vfunc);
  suite_add_tcase(suite, bus);
  TCase* pairs = tcase_create("pairs");
  tcase_add_test(pairs, pairs_that_make_no_sense);
  tcase_add_test(pairs, a_seed_is_for_random_numbers_alone);
  tcase_add_test(pairs, stats_have_these_fields);
  suite_add_tcase(suite, pairs);
  TCase* frames = tcase_create("frames");
  tcase_add_test(frames, maps_default_layout);
  tcase_add_test(frames, needs_no_padding_after_the_last_row);
  tcase_add_test(frames, odd_chroma_counts);
  tcase_add_test(frames, video_meta_is_honoured);
  tcase_add_test(frames, negative_strides);
  tcase_add_test(frames, contradicting_metas_are_refused);
  tcase_add_test(frames, planes_in_several_memories);
  tcase_add_test(frames, crop_meta_is_honoured);
  tcase_add_loop_test(frames, colorimetry, 0, static_cast<int>(std::size(kColorRows)));
  tcase_add_test(frames, unknown_colorimetry);
  suite_add_tcase(suite, frames);
  TCase* history = tcase_create("history");
  tcase_add_test(history, history_cadence);
  tcase_add_test(history, history_ages);
  tcase_add_test(history, history_late_results);
  tcase_add_test(history, history_failures);
  suite_add_tcase(suite, history);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return tv::test::run_suite(make_suite());
}

// The parts of the element that need no model: errors to the bus, mapped frames, history, the
// worker with a stub.
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <future>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "elements/common/bus.hpp"
#include "elements/common/mapped_frame.hpp"
#include "elements/tvclassify/choice.hpp"
#include "elements/tvclassify/classifier.hpp"
#include "elements/tvclassify/frame.hpp"
#include "elements/tvclassify/history.hpp"
#include "tests/elements/tvclassify/support.hpp"

using namespace tv;

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

START_TEST(history_interval) {
  History history;
  ck_assert(history.due(3));
  history.note(of(FrameStatus::kGap));
  ck_assert_msg(history.due(3), "a gap is no attempt");
  history.note(ok({{1, "one", 0.9F}}));
  for (unsigned age = 1; age <= 2; ++age) {
    ck_assert(!history.due(3));
    const FrameResult skipped = history.skipped("interval");
    ck_assert_uint_eq(skipped.age, age);
    ck_assert_uint_eq(skipped.labels.size(), 1);
    history.note(skipped);
  }
  ck_assert(history.due(3));
  history.note(of(FrameStatus::kFailed));
  ck_assert_msg(!history.due(3), "a failure is an attempt");
  ck_assert_uint_eq(history.skipped("interval").age, 4);
  history.forget();
  ck_assert(history.due(3));
  ck_assert(history.skipped("qos").labels.empty());
}
END_TEST

START_TEST(history_changes) {
  History history;
  const auto first = history.note(ok({{1, "one", 0.9F}}));
  ck_assert(first && first->previous.index == -1 && first->current.index == 1);
  ck_assert(!history.note(ok({{1, "one", 0.5F}})));
  ck_assert(!history.note(of(FrameStatus::kSkipped)));
  ck_assert(!history.note(of(FrameStatus::kFailed)));
  const auto second = history.note(ok({{2, "two", 0.8F}}));
  ck_assert(second && second->previous.text == "one" && second->current.text == "two");
  const auto none = history.note(ok({}));
  ck_assert(none && none->current.index == -1 && none->previous.index == 2);
  ck_assert(!history.note(ok({})));
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

// ---- the worker -------------------------------------------------------------------------------

// Says with class 1 of 2 when the first input value is positive; throws and fails on demand.
class StubModel : public inference::LoadedModel {
 public:
  std::function<void()> on_run = [] {};
  std::function<std::vector<float>()> answer;  // instead of the classes
  Result<std::vector<float>> run(std::span<const float> input, const Shape&) override {
    on_run();
    if (answer) return answer();
    return input[0] > 0 ? std::vector<float>{0, 2} : std::vector<float>{2, 0};
  }
  Result<std::vector<std::pair<std::string, TensorView>>> state_dict() override {
    return std::vector<std::pair<std::string, TensorView>>{};
  }
};

// Counts what the worker says.
struct Told {
  std::atomic<int> started{0}, loaded{0}, failed{0}, cancelled{0};
  std::promise<void> done;
  Classifier::Listener listener() {
    return {.started = [this] { ++started; },
            .loaded = [this](const inference::ReadyModel&) { ++loaded, done.set_value(); },
            .failed = [this](const Error&) { ++failed, done.set_value(); },
            .cancelled = [this] { ++cancelled, done.set_value(); },
            .progress = [](std::uint64_t, std::uint64_t) {}};
  }
};

static Classifier::Loader stub_loader(std::function<void()> on_run = [] {}) {
  return [on_run](const FetchOptions&) -> Result<inference::ReadyModel> {
    auto model = std::make_unique<StubModel>();
    model->on_run = on_run;
    inference::ReadyModel ready;
    ready.model = std::move(model);
    return ready;
  };
}

static const Transforms kSmall{.crop_size = 8, .resize_size = 8};

static std::vector<std::uint8_t> gray(std::uint8_t value) {
  return std::vector<std::uint8_t>(64, value);
}
static FrameView gray_view(const std::vector<std::uint8_t>& pixels) {
  FrameView view;
  view.format = PixelFormat::kGray8;
  view.width = view.height = view.full_width = view.full_height = 8;
  view.range = ColorRange::kFull;
  view.planes[0] = {pixels.data(), 8};
  return view;
}

START_TEST(worker_classifies_on_its_own_thread) {
  Told told;
  std::thread::id where;
  Classifier classifier(stub_loader([&] { where = std::this_thread::get_id(); }), kSmall,
                        TransformsBackend::kTensor, told.listener());
  ck_assert(classifier.wait_ready() == Classifier::Readiness::kReady);
  const auto light = gray(255), dark = gray(0);
  const Result<Scores> first = classifier.classify(gray_view(light), 2);
  ck_assert(first && first->top.size() == 2 && first->top[0].index == 1);
  ck_assert(where != std::this_thread::get_id());
  const std::thread::id before = where;
  // Another caller, as after a seek: the same worker.
  std::thread([&] {
    const Result<Scores> second = classifier.classify(gray_view(dark), 1);
    ck_assert(second && second->top.size() == 1 && second->top[0].index == 0);
  }).join();
  ck_assert(where == before);
  ck_assert_int_eq(told.loaded, 1);
  ck_assert_int_eq(told.failed, 0);
}
END_TEST

START_TEST(worker_survives_exceptions) {
  Told told;
  int calls = 0;
  Classifier classifier(stub_loader([&] {
                          if (++calls == 1) throw std::runtime_error("out of memory");
                          if (calls == 2) throw 1;
                        }),
                        kSmall, TransformsBackend::kTensor, told.listener());
  ck_assert(classifier.wait_ready() == Classifier::Readiness::kReady);
  const auto pixels = gray(9);
  for (int i = 0; i < 2; ++i) {
    const Result<Scores> failed = classifier.classify(gray_view(pixels), 1);
    ck_assert(!failed && failed.error().code == Code::kInternal);
  }
  ck_assert(classifier.classify(gray_view(pixels), 1));
}
END_TEST

// Stands for a download: returns when it is cancelled, and only then.
static Result<inference::ReadyModel> endless(const FetchOptions& options) {
  while (!*options.cancel) std::this_thread::yield();
  return Error{Code::kCancelled, "cancelled", ""};
}

START_TEST(load_failures_are_told_once) {
  const Classifier::Loader loaders[] = {[](const FetchOptions&) -> Result<inference::ReadyModel> {
                                          return Error{Code::kBadCheckpoint, "bad", ""};
                                        },
                                        [](const FetchOptions&) -> Result<inference::ReadyModel> {
                                          throw std::runtime_error("kaput");
                                        }};
  for (const Classifier::Loader& loader : loaders) {
    Told told;
    {
      Classifier classifier(loader, kSmall, TransformsBackend::kTensor, told.listener());
      ck_assert(classifier.wait_ready() == Classifier::Readiness::kFailed);
      ck_assert(classifier.wait_ready() == Classifier::Readiness::kFailed);
      const auto pixels = gray(9);
      ck_assert(!classifier.classify(gray_view(pixels), 1));
    }
    ck_assert_int_eq(told.started, 1);
    ck_assert_int_eq(told.failed, 1);
    ck_assert_int_eq(told.loaded + told.cancelled, 0);
  }
}
END_TEST

// The model is there, the memory for its input is not: nobody hears of a success first.
START_TEST(a_flow_that_cannot_be_made_is_a_failure) {
  Told told;
  {
    const Transforms huge{.crop_size = 1 << 30, .resize_size = 1 << 30};
    Classifier classifier(stub_loader(), huge, TransformsBackend::kTensor, told.listener());
    ck_assert(classifier.wait_ready() == Classifier::Readiness::kFailed);
  }
  ck_assert_int_eq(told.failed, 1);
  ck_assert_int_eq(told.loaded + told.cancelled, 0);
}
END_TEST

START_TEST(listeners_may_throw) {
  const auto throws = [](const auto&...) { throw std::runtime_error("no memory for a message"); };
  const Classifier::Listener listener{.started = throws,
                                      .loaded = throws,
                                      .failed = throws,
                                      .cancelled = throws,
                                      .progress = throws};
  const auto pixels = gray(255);
  {
    Classifier classifier(stub_loader(), kSmall, TransformsBackend::kTensor, listener);
    ck_assert(classifier.wait_ready() == Classifier::Readiness::kReady);
    ck_assert(classifier.classify(gray_view(pixels), 1));
  }
  {
    const auto fails = [](const FetchOptions& options) -> Result<inference::ReadyModel> {
      options.progress(1, 2);
      return Error{Code::kBadCheckpoint, "bad", ""};
    };
    Classifier classifier(fails, kSmall, TransformsBackend::kTensor, listener);
    ck_assert(classifier.wait_ready() == Classifier::Readiness::kFailed);
  }
  Classifier classifier(endless, kSmall, TransformsBackend::kTensor, listener);
}
END_TEST

// As an application does that stops the pipeline where it hears of it: on the worker itself.
START_TEST(listeners_may_destroy_the_classifier) {
  const std::string kinds[] = {"started", "progress", "loaded", "failed"};
  for (const std::string& kind : kinds) {
    std::unique_ptr<Classifier> classifier;
    std::promise<void> made, worker_gone;
    const auto destroy = [&](const std::string& which) {
      if (which != kind) return;
      made.get_future().wait();
      classifier.reset();
    };
    // Destroyed with the listener, which the worker holds to the end of loading.
    std::shared_ptr<void> last(nullptr, [&](void*) { worker_gone.set_value(); });
    Classifier::Listener listener;
    listener.started = [&destroy, last] { destroy("started"); };
    listener.loaded = [&destroy](const inference::ReadyModel&) { destroy("loaded"); };
    listener.failed = [&destroy](const Error&) { destroy("failed"); };
    listener.cancelled = [] {};
    listener.progress = [&destroy](std::uint64_t, std::uint64_t) { destroy("progress"); };
    const bool fails = kind == "failed";
    const auto loader = [fails](const FetchOptions& options) -> Result<inference::ReadyModel> {
      options.progress(1, 2);
      if (fails) return Error{Code::kBadCheckpoint, "bad", ""};
      return stub_loader()(options);
    };
    classifier = std::make_unique<Classifier>(loader, kSmall, TransformsBackend::kTensor,
                                              std::move(listener));
    last.reset();
    made.set_value();
    worker_gone.get_future().wait();
    ck_assert(!classifier);
  }
}
END_TEST

// A broken network is no reason to invent a class, nor to give up on the next frame.
START_TEST(logits_that_are_no_numbers_are_a_failure_of_the_frame) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  float logit = 0;
  const Classifier::Loader loader = [&](const FetchOptions&) -> Result<inference::ReadyModel> {
    auto model = std::make_unique<StubModel>();
    model->answer = [&] { return std::vector<float>{1, logit}; };
    inference::ReadyModel ready;
    ready.model = std::move(model);
    return ready;
  };
  Told told;
  Classifier classifier(loader, kSmall, TransformsBackend::kTensor, told.listener());
  ck_assert(classifier.wait_ready() == Classifier::Readiness::kReady);
  const auto pixels = gray(9);
  for (const float bad : {std::nanf(""), kInf, -kInf}) {
    logit = bad;
    const Result<Scores> failed = classifier.classify(gray_view(pixels), 2);
    ck_assert(!failed);
    ck_assert_int_eq(static_cast<int>(failed.error().code), static_cast<int>(Code::kBadCheckpoint));
    test::expect_contains(failed.error().what, "NaN or infinite");
  }
  logit = 2;
  const Result<Scores> good = classifier.classify(gray_view(pixels), 2);
  ck_assert(good && good->top.size() == 2 && good->top[0].index == 1);
}
END_TEST

START_TEST(flushing_interrupts_the_wait_alone) {
  Told told;
  Classifier classifier(endless, kSmall, TransformsBackend::kTensor, told.listener());
  auto waiting = std::async(std::launch::async, [&] { return classifier.wait_ready(); });
  classifier.set_flushing(true);
  ck_assert(waiting.get() == Classifier::Readiness::kInterrupted);
  classifier.set_flushing(false);
  ck_assert_int_eq(told.cancelled, 0);  // loading goes on
  waiting = std::async(std::launch::async, [&] { return classifier.wait_ready(); });
  classifier.close();
  ck_assert(waiting.get() == Classifier::Readiness::kInterrupted);
  told.done.get_future().wait();
  ck_assert_int_eq(told.cancelled, 1);
  ck_assert_int_eq(told.failed + told.loaded, 0);
}
END_TEST

START_TEST(closing_lets_an_inference_end) {
  Told told;
  std::promise<void> inside, go_on;
  Classifier classifier(stub_loader([&] {
                          inside.set_value();
                          go_on.get_future().wait();
                        }),
                        kSmall, TransformsBackend::kTensor, told.listener());
  ck_assert(classifier.wait_ready() == Classifier::Readiness::kReady);
  const auto pixels = gray(200);
  auto reply = std::async(std::launch::async, [&] {
    return static_cast<bool>(classifier.classify(gray_view(pixels), 1));
  });
  inside.get_future().wait();
  classifier.close();
  go_on.set_value();
  ck_assert_msg(reply.get(), "the frame that was inside has its result");
  ck_assert(!classifier.classify(gray_view(pixels), 1));
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify parts");
  TCase* bus = tcase_create("bus");
  tcase_add_loop_test(bus, bus_table, 0, static_cast<int>(std::size(kBusRows)));
  tcase_add_test(bus, posts_text_and_hint_once);
  tcase_add_test(bus, posts_no_cancellation);
  tcase_add_test(bus, exceptions_end_at_the_vfunc);
  suite_add_tcase(suite, bus);
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
  tcase_add_test(history, history_interval);
  tcase_add_test(history, history_changes);
  tcase_add_test(history, history_failures);
  suite_add_tcase(suite, history);
  TCase* worker = tcase_create("worker");
  tcase_add_test(worker, worker_classifies_on_its_own_thread);
  tcase_add_test(worker, worker_survives_exceptions);
  tcase_add_test(worker, load_failures_are_told_once);
  tcase_add_test(worker, a_flow_that_cannot_be_made_is_a_failure);
  tcase_add_test(worker, listeners_may_throw);
  tcase_add_test(worker, listeners_may_destroy_the_classifier);
  tcase_add_test(worker, logits_that_are_no_numbers_are_a_failure_of_the_frame);
  tcase_add_test(worker, flushing_interrupts_the_wait_alone);
  tcase_add_test(worker, closing_lets_an_inference_end);
  suite_add_tcase(suite, worker);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return tv::test::run_suite(make_suite());
}

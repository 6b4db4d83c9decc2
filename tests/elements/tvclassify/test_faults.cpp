// Every fault has one error with its own domain and code that names what is wrong, and the same
// element works again once the cause is gone; or one frame is marked and the video goes on.
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>

#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using namespace tv::test;

// ---- before the first frame -------------------------------------------------------------------

/// A short pipeline around one tvclassify.
class Pipeline {
 public:
  explicit Pipeline(const std::string& middle, const std::string& caps = rgb_caps()) {
    const std::string line = "videotestsrc num-buffers=2 pattern=red ! " + caps + " ! " + middle +
                             " ! fakesink name=out sync=false";
    GError* error = nullptr;
    pipeline_ = gst_parse_launch(line.c_str(), &error);
    ck_assert_msg(!error, "%s: %s", line.c_str(), error ? error->message : "");
    bus_ = gst_element_get_bus(pipeline_);
    element_ = find("tvclassify");
  }
  ~Pipeline() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(element_);
    gst_object_unref(bus_);
    gst_object_unref(pipeline_);
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  GstElement* element() { return element_; }

  /// Plays to EOS or to an error, goes to NULL, and gives the errors that tvclassify posted.
  std::vector<Seen> play() {
    gst_element_set_state(pipeline_, GST_STATE_PLAYING);
    const auto ends = static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    std::vector<Seen> errors;
    bool ended = false;
    while (!ended) {
      const MessageRef message(gst_bus_timed_pop_filtered(bus_, 60 * GST_SECOND, ends));
      ck_assert_msg(message != nullptr, "neither error nor end within a minute");
      ended = take(message.get(), errors);
      // A source that lost its element has an error of its own: wait for ours.
      ended = ended || GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS;
    }
    gst_element_set_state(pipeline_, GST_STATE_READY);
    while (const MessageRef more{gst_bus_pop_filtered(bus_, GST_MESSAGE_ERROR)})
      take(more.get(), errors);
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    return errors;
  }

 private:
  GstElement* find(const char* factory) {
    GstIterator* all = gst_bin_iterate_elements(GST_BIN(pipeline_));
    Value item(GST_TYPE_ELEMENT);
    GstElement* found = nullptr;
    while (!found && gst_iterator_next(all, item.get()) == GST_ITERATOR_OK) {
      auto* each = GST_ELEMENT(g_value_get_object(item.get()));
      if (g_str_equal(GST_OBJECT_NAME(gst_element_get_factory(each)), factory))
        found = GST_ELEMENT(gst_object_ref(each));
      g_value_reset(item.get());
    }
    gst_iterator_free(all);
    ck_assert(found != nullptr);
    return found;
  }
  bool take(GstMessage* message, std::vector<Seen>& errors) {
    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR ||
        GST_MESSAGE_SRC(message) != GST_OBJECT(element_))
      return false;
    GError* error = nullptr;
    gchar* debug = nullptr;
    gst_message_parse_error(message, &error, &debug);
    errors.push_back({error->domain, error->code, error->message, debug});
    g_error_free(error);
    g_free(debug);
    return true;
  }

  GstElement* pipeline_ = nullptr;
  GstBus* bus_ = nullptr;
  GstElement* element_ = nullptr;
};

// clang-format off
struct Fault {
  const char* id;
  const char* settings;                ///< see filled_in()
  GQuark (*domain)(); int code;
  std::vector<const char*> names;      ///< what the text has to say; see filled_in()
};
#define TINY "weights=Tiny_Weights.V1 "
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
static const Fault kFaults[] = {
  {"L1", "weights=\"\"", gst_library_error_quark, GST_LIBRARY_ERROR_SETTINGS, {"weights", "resnet50"}},
  {"L1", "weights=ResNet50_Weight.IMAGENET1K_V2", gst_resource_error_quark, GST_RESOURCE_ERROR_NOT_FOUND,
   {"ResNet50_Weight.IMAGENET1K_V2", "ResNet50_Weights.IMAGENET1K_V2"}},
  {"L1", "weights=resnet5000", gst_resource_error_quark, GST_RESOURCE_ERROR_NOT_FOUND, {"resnet5000", "resnet50"}},
  {"L1", "weights=Tiny_Weights.V9", gst_resource_error_quark, GST_RESOURCE_ERROR_NOT_FOUND, {"Tiny_Weights.V9", "Tiny_Weights.V1"}},
  {"L2", TINY "weights-file=%FAULTS%/missing.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ, {"missing.pth", "No such file"}},
  {"L2", TINY "weights-file=%FAULTS%/folder.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ, {"folder.pth", "directory"}},
  {"L2", TINY "weights-file=%FAULTS%/fifo.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ, {"fifo.pth", "FIFO"}},
  {"L2", TINY "weights-file=/dev/zero", gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ, {"/dev/zero", "device"}},
  {"L2", TINY "weights-file=%FAULTS%/empty.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ, {"empty.pth", "empty"}},
  {"L2", "weights=Tiny_Weights.MISSING", gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ, {"missing.pth", "Tiny_Weights.MISSING"}},
  {"L3", TINY "weights-file=%FAULTS%/truncated.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"Tiny_Weights.V1", "/truncated.pth: zip directory, offset 1", "cut short"}},
  {"L3", TINY "weights-file=%FAULTS%/flipped.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/flipped.pth: \"tiny/data/", "\", offset 1", "CRC-32"}},
  {"L3", TINY "weights-file=%FAULTS%/legacy_truncated.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/legacy_truncated.pth: storages, offset 2", "cut short inside storage \"", "announced"}},
  {"L3", TINY "weights-file=%FAULTS%/text.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/text.pth: offset 0: ", "unknown format", "\"no weight file"}},
  {"L4", TINY "weights-file=%FAULTS%/system.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/system.pth: data.pkl, offset 2: ", "refused global \"posix.system\""}},
  {"L4", TINY "weights-file=%FAULTS%/eval.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/eval.pth: data.pkl, offset 2: ", "refused global \"builtins.eval\""}},
  {"L4", TINY "weights-file=%FAULTS%/inst.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/inst.pth: data.pkl, offset 10: ", "refused opcode INST"}},
  {"L4", TINY "weights-file=%FAULTS%/obj.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/obj.pth: data.pkl, offset 28: ", "refused opcode OBJ"}},
  {"L4", TINY "weights-file=%FAULTS%/stack_global.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/stack_global.pth: data.pkl, offset 20: ", "refused opcode STACK_GLOBAL"}},
  {"L4", TINY "weights-file=%FAULTS%/ext.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/ext.pth: data.pkl, offset 2: ", "refused opcode EXT1"}},
  {"L4", TINY "weights-file=%FAULTS%/persid.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/persid.pth: data.pkl, offset 2: ", "refused opcode PERSID"}},
  {"L4", TINY "weights-file=%FAULTS%/memo.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/memo.pth: data.pkl, offset 3: ", "memo index 4294967295 in a stream of 9 bytes"}},
  {"L4", TINY "weights-file=%FAULTS%/shared.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/shared.pth: data.pkl, entry \"a.a.", "more than 1048576 values"}},
  {"L4", TINY "weights-file=%FAULTS%/deep.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/deep.pth: data.pkl, entry \"a.a.", "nested deeper than 64"}},
  {"L5", TINY "weights-file=%FAULTS%/duplicate.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/duplicate.pth: offset ", "record \"tiny/data/0\" occurs twice"}},
  {"L6", TINY "weights-file=%FAULTS%/short_storage.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/short_storage.pth: data.pkl, offset ", "storage \"0\" of 1728 x float32", "its record has 4 bytes"}},
  // Each frame would fail, and that alone is no error here.
  {"L6", TINY "max-consecutive-failures=0 weights-file=%FAULTS%/nan.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"/nan.pth", "features.0.weight", "NaN"}},
  {"L7", TINY "weights-file=%FAULTS%/seven_classes.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ, {"classifier.1.weight", "has 7 classes", "built for 4", "user-defined entry"}},
  {"L7", TINY "weights-file=%FAULTS%/renamed.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ, {"features.3.squeeze.weight", "features.3.squeezed.weight"}},
  {"L7", TINY "weights-file=%FAULTS%/resnet18.pth", gst_resource_error_quark, GST_RESOURCE_ERROR_READ, {"conv1.weight", "resnet18"}},
  {"L8", "weights=Tiny_Weights.WRONG_DIGEST", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"entries/tiny.pth has %BYTES% bytes with sha256 %DIGEST%, expected sha256 " ZEROS}},
  {"L8", "weights=Tiny_Weights.POISONED offline=true", gst_resource_error_quark, GST_RESOURCE_ERROR_READ,
   {"downloads are switched off", "https://localhost:1/poisoned.pth", "the file that was there had %BYTES% bytes with sha256 %DIGEST%, expected sha256 " ZEROS,
    "and is poisoned.pth.bad now", "hub/checkpoints/poisoned.pth"}},
  {"L8", "weights=Tiny_Weights.POISONED", gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ,
   {"cannot download", "https://localhost:1/poisoned.pth", "the file that was there had %BYTES% bytes with sha256 %DIGEST%, expected sha256 " ZEROS,
    "and is poisoned.pth.bad now", "hub/checkpoints/poisoned.pth"}},
  {"L9", "weights=Tiny_Weights.UNREACHABLE offline=true", gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ, {"hub/checkpoints/unreachable.pth"}},
  {"L9", "weights=Tiny_Weights.UNREACHABLE", gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ,
   {"https://localhost:1/unreachable.pth", "3 attempts", "hub/checkpoints/unreachable.pth", "sha256 %DIGEST%"}},
  {"D1", TINY "device=cuda", gst_library_error_quark, GST_LIBRARY_ERROR_INIT, {"cuda", "device=cpu"}},
  {"D1", "weights=Int8_Weights.V1 device=cuda", gst_core_error_quark, GST_CORE_ERROR_NOT_IMPLEMENTED, {"cuda:0", "int8", "device=cpu"}},
  {"D1", TINY "device=tpu", gst_library_error_quark, GST_LIBRARY_ERROR_SETTINGS, {"\"tpu\"", "cuda:N"}},
  {"pair", "weights=Int8_Weights.V1 precision=fp32", gst_library_error_quark, GST_LIBRARY_ERROR_SETTINGS,
   {"precision=fp32", "weights=Int8_Weights.V1", "int8", "auto"}},
  {"pair", TINY "share=false model-id=a", gst_library_error_quark, GST_LIBRARY_ERROR_SETTINGS, {"share=false", "model-id"}},
  {"size", TINY "crop-size=2 resize-size=2", gst_library_error_quark, GST_LIBRARY_ERROR_SETTINGS, {"2"}},
};
// clang-format on

/// %FAULTS%: the fixture's folder of broken files. %BYTES%, %DIGEST%: size and sha256 of the good
/// one.
static std::string filled_in(std::string text) {
  const std::pair<std::string, std::string> kMarks[] = {
      {"%FAULTS%", fixture("faults")},
      {"%BYTES%", std::to_string(read_bytes(fixture("entries/tiny.pth")).size())},
      {"%DIGEST%", digest()},
  };
  for (const auto& [mark, value] : kMarks)
    if (const std::size_t at = text.find(mark); at != std::string::npos)
      text.replace(at, mark.size(), value);
  return text;
}

/// A refused file is put aside: the cache gets it anew.
static void poison_cache() {
  const std::vector<std::uint8_t> bytes = read_bytes(fixture("entries/tiny.pth"));
  std::ofstream file(fixture("torch_home/hub/checkpoints/poisoned.pth"), std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  ck_assert(file.good());
}

// L1 to L9, D1: the rows of kFaults.
START_TEST(one_error_that_names_the_cause) {
  const Fault& fault = kFaults[_i];
  poison_cache();
  Pipeline pipeline("tvclassify " + filled_in(fault.settings));
  const std::vector<Seen> errors = pipeline.play();
  const std::string where = std::string(fault.id) + " " + fault.settings;
  ck_assert_msg(errors.size() == 1, "%s: %zu errors", where.c_str(), errors.size());
  const Seen& seen = errors.front();
  ck_assert_msg(seen.domain == fault.domain() && seen.code == fault.code, "%s: %s %d: %s",
                where.c_str(), g_quark_to_string(seen.domain), seen.code, seen.text.c_str());
  for (const char* each : fault.names) {
    const std::string name = filled_in(each);
    ck_assert_msg(seen.text.find(name) != std::string::npos, "%s: no \"%s\" in: %s", where.c_str(),
                  name.c_str(), seen.text.c_str());
  }

  // The debug text tells the developer what the user's text need not: where, and about what.
  const std::string debug = seen.debug;
  for (const char* part : {"elements/tvclassify/", "stage ", "weights "})
    ck_assert_msg(debug.find(part) != std::string::npos, "%s: no \"%s\" in: %s", where.c_str(),
                  part, debug.c_str());

  // The same object works once the cause is gone.
  g_object_set(pipeline.element(), "weights", "Tiny_Weights.CHECKED", "weights-file", nullptr,
               "device", "auto", "precision", 0, "crop-size", 0, "resize-size", 0, "offline", FALSE,
               "share", TRUE, nullptr);
  const std::vector<Seen> none = pipeline.play();
  ck_assert_msg(none.empty(), "%s: still %s", where.c_str(),
                none.empty() ? "" : none.front().text.c_str());
}
END_TEST

// L8: nobody loads the wrong file, and nobody loses it.
START_TEST(a_wrong_file_in_the_cache_is_set_aside) {
  const std::string cached = fixture("torch_home/hub/checkpoints/poisoned.pth");
  const std::string aside = cached + ".bad";
  poison_cache();
  static_cast<void>(unlink(aside.c_str()));
  Pipeline pipeline("tvclassify weights=Tiny_Weights.POISONED offline=true");
  ck_assert_uint_eq(pipeline.play().size(), 1);
  ck_assert_int_ne(access(cached.c_str(), F_OK), 0);
  ck_assert(read_bytes(aside) == read_bytes(fixture("entries/tiny.pth")));
}
END_TEST

static const char* const kNamesFromOutside[] = {"weights", "weights-file", "model", "device"};

/// The one error of an element with this value.
static Seen error_with(const char* property, const std::string& value) {
  Pipeline pipeline("tvclassify weights=Tiny_Weights.V1");
  g_object_set(pipeline.element(), property, value.c_str(), nullptr);
  const std::vector<Seen> errors = pipeline.play();
  ck_assert_msg(errors.size() == 1, "%s: %zu errors", property, errors.size());
  return errors.front();
}

// L1, L2: a value that is no UTF-8 and a terminal would obey, and one without end.
START_TEST(hostile_values_can_be_shown) {
  const char* const property = kNamesFromOutside[_i];
  const Seen bytes = error_with(property, "net\xFF\n\x1B[31mwork");
  const Seen endless = error_with(property, std::string(100'000, 'w'));
  expect_contains(bytes.text, "net\\xff\\x0a\\x1b[31mwork");
  ck_assert(bytes.text.find('\n') == std::string::npos);
  for (const std::string& text : {bytes.text, bytes.debug, endless.text, endless.debug}) {
    // Of a debug text that is no UTF-8 GStreamer makes none. It puts one line feed in front of it.
    ck_assert_msg(!text.empty() && g_utf8_validate(text.c_str(), -1, nullptr), "%s", property);
    ck_assert_msg(text.find('\x1B') == std::string::npos, "%s", property);
    ck_assert_msg(std::count(text.begin(), text.end(), '\n') <= 1, "%s", property);
    ck_assert_msg(text.size() < 5000, "%s: %zu bytes", property, text.size());
  }
}
END_TEST

// L1, L2, L9, D1: judged from READY to PAUSED.
START_TEST(quick_faults_fail_the_state_change) {
  for (const char* settings :
       {"weights=nonsense", "weights=Tiny_Weights.V1 weights-file=/nonexistent/x.pth",
        "weights=Tiny_Weights.V1 device=tpu", "weights=Tiny_Weights.UNREACHABLE offline=true"}) {
    GstElement* element =
        gst_parse_launch((std::string("tvclassify ") + settings).c_str(), nullptr);
    gst_object_ref_sink(element);
    ck_assert_int_eq(gst_element_set_state(element, GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
    ck_assert_int_eq(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    ck_assert_int_eq(gst_element_set_state(element, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
    gst_object_unref(element);
  }
}
END_TEST

/// gst-launch-1.0 in small: a main loop that the bus's sync handler stops, on the thread that
/// posts.
class Launcher {
 public:
  Launcher() : loop_(g_main_loop_new(nullptr, FALSE)) {
    const std::string line =
        "videotestsrc ! tvclassify name=mine weights=Tiny_Weights.V1 weights-file=" +
        fixture("faults/text.pth") + " ! fakesink";
    pipeline_ = gst_parse_launch(line.c_str(), nullptr);
    bus_ = gst_element_get_bus(pipeline_);
    gst_bus_set_sync_handler(bus_, on_message, this, nullptr);
  }
  ~Launcher() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_bus_set_sync_handler(bus_, nullptr, nullptr, nullptr);
    gst_object_unref(bus_);
    gst_object_unref(pipeline_);
    g_main_loop_unref(loop_);
  }
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  GstElement* pipeline() { return pipeline_; }
  GMainLoop* loop() { return loop_; }

  /// Starts, and returns when loading has failed and the ERROR is about to be posted.
  void fail_to_load() {
    ck_assert_int_eq(gst_element_set_state(pipeline_, GST_STATE_PAUSED), GST_STATE_CHANGE_ASYNC);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return failed_; });
  }
  int errors() const { return errors_; }
  /// Posted by somebody else than the thread that iterates the main context.
  int errors_outside_the_loop() const { return outside_; }

 private:
  static GstBusSyncReply on_message(GstBus*, GstMessage* message, gpointer data) {
    const MessageRef dropped(message);
    auto* self = static_cast<Launcher*>(data);
    GstProgressType type = GST_PROGRESS_TYPE_START;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_PROGRESS)
      gst_message_parse_progress(message, &type, nullptr, nullptr);
    if (type == GST_PROGRESS_TYPE_ERROR) {
      const std::lock_guard lock(self->mutex_);
      self->failed_ = true;
      self->changed_.notify_all();
    }
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR &&
        g_str_equal(GST_MESSAGE_SRC_NAME(message), "mine")) {
      ++self->errors_;
      self->outside_ += g_main_context_is_owner(nullptr) ? 0 : 1;
      // Not at once as gst-launch-1.0 does: the test ends also when it fails.
      g_idle_add(
          [](gpointer loop) -> gboolean {
            g_main_loop_quit(static_cast<GMainLoop*>(loop));
            return G_SOURCE_REMOVE;
          },
          self->loop_);
    }
    return GST_BUS_DROP;
  }

  GMainLoop* loop_ = nullptr;
  GstElement* pipeline_ = nullptr;
  GstBus* bus_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool failed_ = false;
  std::atomic<int> errors_ = 0, outside_ = 0;
};

// A stop of a main loop that does not run yet is forgotten, and no second error would come.
START_TEST(an_error_while_prerolling_waits_for_the_main_loop) {
  for (int i = 0; i < 5; ++i) {
    Launcher launcher;
    // As if the state change took long: on a busy machine, too, the element's patience lasts.
    GST_STATE_LOCK(launcher.pipeline());
    launcher.fail_to_load();
    g_main_loop_run(launcher.loop());
    GST_STATE_UNLOCK(launcher.pipeline());
    ck_assert_int_eq(launcher.errors(), 1);
    ck_assert_int_eq(launcher.errors_outside_the_loop(), 0);
  }
}
END_TEST

// Nobody iterates the main context, and nobody will.
START_TEST(an_error_is_not_lost_when_the_element_stops) {
  for (const GstState end : {GST_STATE_READY, GST_STATE_NULL}) {
    Launcher launcher;
    launcher.fail_to_load();
    gst_element_set_state(launcher.pipeline(), end);
    ck_assert_int_eq(launcher.errors(), 1);
    while (g_main_context_iteration(nullptr, FALSE)) {
    }
    ck_assert_int_eq(launcher.errors(), 1);
  }
}
END_TEST

// ---- caps -------------------------------------------------------------------------------------

// F1, F3.
START_TEST(refused_caps) {
  Bench bench("tvclassify weights=Tiny_Weights.V1", "");
  GstPad* pad = gst_element_get_static_pad(bench.element(), "sink");
  const auto accepted = [&](const char* text) {
    const CapsRef caps(gst_caps_from_string(text));
    return gst_pad_query_accept_caps(pad, caps.get()) != FALSE;
  };
  ck_assert(accepted("video/x-raw,format=NV12,width=16384,height=16,framerate=0/1"));
  ck_assert(
      accepted("video/x-raw,format=NV12,width=16,height=16,framerate=30/1,interlace-mode=mixed"));
  ck_assert(!accepted("video/x-raw,format=NV12,width=16385,height=16,framerate=30/1"));
  ck_assert(!accepted("video/x-raw,format=RGB16,width=16,height=16,framerate=30/1"));
  ck_assert(!accepted("video/x-raw(memory:DMABuf),format=NV12,width=16,height=16,framerate=30/1"));
  ck_assert(
      !accepted("video/x-raw(format:Interlaced),format=NV12,width=16,height=16,framerate=30/1,"
                "interlace-mode=alternate"));
  gst_object_unref(pad);
}
END_TEST

// F1: GStreamer asks for the caps before it sends them, so the element in front has the error: when
// it is linked, or when it finds out later what it makes.
START_TEST(refused_caps_end_a_pipeline) {
  for (const char* caps : {"video/x-raw,format=RGB16,width=64,height=48,framerate=30/1",
                           "video/x-raw,format=RGB,width=16385,height=1,framerate=30/1"}) {
    GError* error = nullptr;
    const std::string line =
        std::string("videotestsrc ! ") + caps + " ! tvclassify weights=Tiny_Weights.V1 ! fakesink";
    GstElement* unlinked =
        gst_parse_launch_full(line.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
    ck_assert_msg(unlinked == nullptr && error != nullptr, "%s", caps);
    ck_assert_msg(error->domain == GST_PARSE_ERROR && error->code == GST_PARSE_ERROR_LINK, "%s",
                  error->message);
    expect_contains(error->message, "tvclassify");
    g_clear_error(&error);

    GstElement* pipeline = gst_parse_launch(
        "appsrc name=source format=time ! tvclassify name=mine weights=Tiny_Weights.V1 ! fakesink",
        nullptr);
    GstElement* source = gst_bin_get_by_name(GST_BIN(pipeline), "source");
    const CapsRef given(gst_caps_from_string(caps));
    g_object_set(source, "caps", given.get(), nullptr);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    const BufferRef frame(gst_buffer_new_allocate(nullptr, 64 << 10, nullptr));
    GstFlowReturn flow = GST_FLOW_ERROR;
    g_signal_emit_by_name(source, "push-buffer", frame.get(), &flow);
    GstBus* bus = gst_element_get_bus(pipeline);
    const MessageRef message(gst_bus_timed_pop_filtered(
        bus, 60 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
    ck_assert(message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR);
    ck_assert_ptr_eq(GST_MESSAGE_SRC(message.get()), GST_OBJECT(source));
    gchar* debug = nullptr;
    gst_message_parse_error(message.get(), &error, &debug);
    ck_assert_msg(error->domain == GST_STREAM_ERROR && error->code == GST_STREAM_ERROR_FAILED, "%s",
                  error->message);
    expect_contains(debug, "not-negotiated");
    g_clear_error(&error);
    g_free(debug);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(bus);
    gst_object_unref(source);
    gst_object_unref(pipeline);
  }
}
END_TEST

static void assert_negotiation_error(const std::string& caps, const char* name,
                                     const std::string& settings = "") {
  Bench bench("tvclassify weights=Tiny_Weights.V1 " + settings, "");
  gst_harness_set_src_caps_str(bench.harness(), caps.c_str());
  ck_assert_int_eq(bench.push(rgb_buffer(picture(0))), GST_FLOW_NOT_NEGOTIATED);
  const std::vector<Seen> errors = bench.errors();
  ck_assert_msg(errors.size() == 1, "%s: %zu errors", caps.c_str(), errors.size());
  ck_assert(errors[0].domain == GST_CORE_ERROR && errors[0].code == GST_CORE_ERROR_NEGOTIATION);
  ck_assert_msg(errors[0].text.find(name) != std::string::npos, "%s", errors[0].text.c_str());
}

// F1, F3: GStreamer accepts them, and the element refuses them when they come.
START_TEST(caps_that_cannot_be_classified) {
  assert_negotiation_error(
      "video/x-raw,format=NV12,width=16,height=16,framerate=30/1,interlace-mode=alternate",
      "alternate");
  // 256 * 16384 * 256 pixels after the resize: beyond what a plan takes.
  assert_negotiation_error("video/x-raw,format=GRAY8,width=16384,height=1,framerate=30/1", "16384",
                           "resize-size=256");
}
END_TEST

// F3.
START_TEST(interlaced_modes_are_classified) {
  Bench bench("tvclassify weights=Tiny_Weights.V1", "");
  for (const char* mode : {"progressive", "interleaved", "mixed", "fields"}) {
    gst_harness_set_src_caps_str(
        bench.harness(),
        (rgb_caps() + ",interlace-mode=" + mode + ",pixel-aspect-ratio=16/11").c_str());
    ck_assert_int_eq(bench.classify(picture(2)).best(), 2);
  }
}
END_TEST

// F4: size; a change costs no second load.
START_TEST(caps_change_between_frames) {
  Bench bench("tvclassify weights=Tiny_Weights.V1", "");
  int loads = 0;
  for (int round = 0; round < 3; ++round)
    for (const Picture& each : pictures()) {
      if (each.width * each.height < 1000) continue;
      std::string caps = rgb_caps(each.width, each.height);
      if (round == 1) caps.replace(caps.find("30/1"), 4, "0/1");
      gst_harness_set_src_caps_str(bench.harness(), caps.c_str());
      ck_assert_int_eq(bench.classify(each).best(), each.best());
    }
  for (const MessageRef& each : bench.messages(GST_MESSAGE_PROGRESS)) {
    GstProgressType type;
    gst_message_parse_progress(each.get(), &type, nullptr, nullptr);
    loads += type == GST_PROGRESS_TYPE_COMPLETE;
  }
  ck_assert_msg(loads == 1, "new caps must not load the model again");
}
END_TEST

// ---- frames -----------------------------------------------------------------------------------

// F2.
START_TEST(padded_strides_and_offsets) {
  Bench bench("tvclassify weights=Tiny_Weights.V1");
  const Picture& blue = picture(2);
  const double score = bench.classify(blue).top->score;
  for (const std::size_t stride : {std::size_t{192}, std::size_t{200}, std::size_t{777}}) {
    constexpr gsize kOffset = 13;
    const BufferRef padded = rgb_buffer(blue, stride);
    BufferRef buffer(gst_buffer_new_allocate(nullptr, kOffset, nullptr));
    gst_buffer_memset(buffer.get(), 0, 0xFF, kOffset);
    gst_buffer_append_memory(buffer.get(), gst_buffer_get_all_memory(padded.get()));
    gsize offsets[GST_VIDEO_MAX_PLANES] = {kOffset};
    gint strides[GST_VIDEO_MAX_PLANES] = {static_cast<gint>(stride)};
    gst_buffer_add_video_meta_full(buffer.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_RGB,
                                   64, 48, 1, offsets, strides);
    const Meta meta = read_meta(bench.pass(std::move(buffer)).get());
    ck_assert_msg(meta.top->score == score, "stride %zu", stride);
  }
}
END_TEST

// F2: the crop meta selects the picture out of a larger one of another colour.
START_TEST(crop_meta_selects_the_picture) {
  Bench bench("tvclassify weights=Tiny_Weights.V1");
  const double score = bench.classify(picture(1)).top->score;
  constexpr std::size_t kWidth = 100, kHeight = 80, kX = 21, kY = 17;
  BufferRef buffer(gst_buffer_new_allocate(nullptr, kWidth * kHeight * 3, nullptr));
  gst_buffer_memset(buffer.get(), 0, 0xFF, kWidth * kHeight * 3);
  for (std::size_t y = 0; y < 48; ++y)
    gst_buffer_fill(buffer.get(), ((y + kY) * kWidth + kX) * 3, picture(1).rgb.data() + y * 64 * 3,
                    64 * 3);
  gst_buffer_add_video_meta(buffer.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_RGB, kWidth,
                            kHeight);
  GstVideoCropMeta* crop = gst_buffer_add_video_crop_meta(buffer.get());
  crop->x = kX;
  crop->y = kY;
  crop->width = 64;
  crop->height = 48;
  const BufferRef out = bench.pass(std::move(buffer));
  ck_assert(gst_buffer_get_video_crop_meta(out.get()) != nullptr);
  const Meta meta = read_meta(out.get());
  ck_assert_int_eq(meta.best(), 1);
  ck_assert(meta.top->score == score);
}
END_TEST

// F2.
START_TEST(short_buffers_pass_marked) {
  Bench bench("tvclassify weights=Tiny_Weights.V1");
  for (int i = 0; i < 5; ++i) {
    const BufferRef out = bench.pass(BufferRef(gst_buffer_new_allocate(nullptr, 100, nullptr)));
    ck_assert_uint_eq(gst_buffer_get_size(out.get()), 100);
    const Meta meta = read_meta(out.get());
    ASSERT_TEXT(meta.status, "failed");
    ck_assert_uint_eq(meta.labels.size(), 0);
    ck_assert(meta.reason.find("too small") != std::string::npos);
    ck_assert(meta.reason.find("9216") != std::string::npos);  // 64 * 48 * 3
  }
  const std::vector<Seen> warnings = bench.warnings();
  ck_assert_uint_eq(warnings.size(), 3);  // the 1st, 2nd and 4th
  ck_assert(warnings[0].domain == GST_STREAM_ERROR && warnings[0].code == GST_STREAM_ERROR_FORMAT);
  ASSERT_TEXT(bench.classify(picture(0)).status, "ok");
  ck_assert_uint_eq(bench.errors().size(), 0);
}
END_TEST

static void add_crop(GstBuffer* buffer, guint x, guint y, guint width, guint height) {
  GstVideoCropMeta* crop = gst_buffer_add_video_crop_meta(buffer);
  crop->x = x;
  crop->y = y;
  crop->width = width;
  crop->height = height;
}

static void add_layout(GstBuffer* buffer, GstVideoFormat format, guint width, guint height) {
  gst_buffer_add_video_meta(buffer, GST_VIDEO_FRAME_FLAG_NONE, format, width, height);
}

// clang-format off
/// What an element in front may say of a buffer of 64x48 RGB in caps of 64x48 RGB.
struct Contradiction { void (*say)(GstBuffer*); const char* reason; };
static const Contradiction kContradictions[] = {
  {[](GstBuffer* buffer) { add_crop(buffer, 1, 0, 64, 48); }, "crop meta asks for 64x48 at (1, 0) of a 64x48 frame"},
  {[](GstBuffer* buffer) { add_crop(buffer, 0, 47, 64, 2); }, "crop meta asks for 64x2 at (0, 47) of a 64x48 frame"},
  {[](GstBuffer* buffer) { add_crop(buffer, 0, 0, 0, 48); },  "crop meta asks for 0x48 at (0, 0) of a 64x48 frame"},
  {[](GstBuffer* buffer) { add_crop(buffer, G_MAXUINT, 0, 2, 48); }, "crop meta asks for 2x48 at (4294967295, 0)"},
  {[](GstBuffer* buffer) { add_layout(buffer, GST_VIDEO_FORMAT_BGR, 64, 48); },  "video meta says BGR 64x48, the caps say RGB 64x48"},
  {[](GstBuffer* buffer) { add_layout(buffer, GST_VIDEO_FORMAT_GRAY8, 64, 48); }, "video meta says GRAY8 64x48, the caps say RGB 64x48"},
  {[](GstBuffer* buffer) { add_layout(buffer, GST_VIDEO_FORMAT_RGB, 63, 48); },  "video meta says RGB 63x48, the caps say RGB 64x48"},
  {[](GstBuffer* buffer) { add_layout(buffer, GST_VIDEO_FORMAT_RGB, 64, 49); },  "too small"},
};
// clang-format on

// F2: what a buffer says of itself is not believed, and its pixels are not looked at.
START_TEST(contradicting_metas_pass_marked) {
  for (const Contradiction& row : kContradictions) {
    Bench bench("tvclassify weights=Tiny_Weights.V1");
    BufferRef buffer = rgb_buffer(picture(0));
    const gsize size = gst_buffer_get_size(buffer.get());
    row.say(buffer.get());
    const BufferRef out = bench.pass(std::move(buffer));
    ck_assert_uint_eq(gst_buffer_get_size(out.get()), size);
    const Meta meta = read_meta(out.get());
    ASSERT_TEXT(meta.status, "failed");
    ck_assert_uint_eq(meta.labels.size(), 0);
    expect_contains(meta.reason, row.reason);
    const std::vector<Seen> warnings = bench.warnings();
    ck_assert_msg(warnings.size() == 1, "%s: %zu warnings", row.reason, warnings.size());
    ck_assert(warnings[0].domain == GST_STREAM_ERROR);
    ck_assert_int_eq(warnings[0].code, GST_STREAM_ERROR_FORMAT);
    expect_contains(warnings[0].text, row.reason);
    ASSERT_TEXT(bench.classify(picture(0)).status, "ok");
    ck_assert_uint_eq(bench.errors().size(), 0);
  }
}
END_TEST

// F2: without end.
START_TEST(too_many_failures_are_an_error) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 max-consecutive-failures=3");
  const auto bad = [] { return BufferRef(gst_buffer_new_allocate(nullptr, 100, nullptr)); };
  bench.pass(bad());
  bench.pass(bad());
  bench.classify(picture(0));  // begins anew
  bench.pass(bad());
  bench.pass(bad());
  ck_assert_uint_eq(bench.errors().size(), 0);
  ck_assert_int_eq(bench.flow_of(bad()), GST_FLOW_ERROR);
  ck_assert_msg(bench.pull() != nullptr, "the last frame leaves, too");
  const std::vector<Seen> errors = bench.errors();
  ck_assert_uint_eq(errors.size(), 1);
  ck_assert(errors[0].domain == GST_STREAM_ERROR && errors[0].code == GST_STREAM_ERROR_FORMAT);
  ck_assert(errors[0].text.find("3 in a row") != std::string::npos);

  Bench patient("tvclassify weights=Tiny_Weights.V1 max-consecutive-failures=0");
  for (int i = 0; i < 40; ++i) patient.pass(bad());
  ck_assert_uint_eq(patient.errors().size(), 0);
}
END_TEST

// clang-format off
struct FlagRow { GstBufferFlags flag; const char* status; const char* reason; };
static const FlagRow kFlagRows[] = {
  {GST_BUFFER_FLAG_GAP,       "gap", "gap-flag"},
  {GST_BUFFER_FLAG_CORRUPTED, "gap", "corrupted"},
  {GST_BUFFER_FLAG_DROPPABLE, "ok",  ""},
  {GST_BUFFER_FLAG_HEADER,    "ok",  ""},
  {GST_BUFFER_FLAG_DISCONT,   "ok",  ""},
};
// clang-format on

// F5.
START_TEST(flags_are_kept) {
  Bench bench("tvclassify weights=Tiny_Weights.V1");
  for (const FlagRow& row : kFlagRows) {
    BufferRef buffer = rgb_buffer(picture(0));
    GST_BUFFER_FLAG_SET(buffer.get(), row.flag);
    const BufferRef out = bench.pass(std::move(buffer));
    ck_assert(GST_BUFFER_FLAG_IS_SET(out.get(), row.flag));
    const Meta meta = read_meta(out.get());
    ASSERT_TEXT(meta.status, row.status);
    ASSERT_TEXT(meta.reason, row.reason);
    ck_assert_int_eq(meta.labels.empty(), meta.status != "ok");
  }
  BufferRef empty(gst_buffer_new());
  GST_BUFFER_FLAG_SET(empty.get(), GST_BUFFER_FLAG_GAP);
  ASSERT_TEXT(read_meta(bench.pass(std::move(empty)).get()).status, "gap");
  const Meta bare = read_meta(bench.pass(BufferRef(gst_buffer_new())).get());
  ASSERT_TEXT(bare.status, "gap");
  ASSERT_TEXT(bare.reason, "empty");
  ck_assert_uint_eq(bench.warnings().size(), 0);
}
END_TEST

// ---- flow -------------------------------------------------------------------------------------

static GstFlowReturn answer = GST_FLOW_OK;
static GstFlowReturn answering_chain(GstPad*, GstObject*, GstBuffer* buffer) {
  gst_buffer_unref(buffer);
  return answer;
}

// S12.
START_TEST(downstream_answers_pass) {
  Bench bench("tvclassify weights=Tiny_Weights.V1");
  bench.classify(picture(0));
  gst_pad_set_chain_function(bench.harness()->sinkpad, answering_chain);
  for (const GstFlowReturn each :
       {GST_FLOW_ERROR, GST_FLOW_NOT_LINKED, GST_FLOW_FLUSHING, GST_FLOW_EOS,
        GST_FLOW_NOT_NEGOTIATED, GST_FLOW_CUSTOM_ERROR, GST_FLOW_OK}) {
    answer = each;
    ck_assert_int_eq(bench.flow_of(rgb_buffer(picture(0))), each);
    bench.flush();
  }
  ck_assert_uint_eq(bench.errors().size(), 0);
}
END_TEST

// S2.
START_TEST(events_keep_their_place) {
  Bench bench("tvclassify weights=Tiny_Weights.V1");
  bench.classify(picture(0));
  while (GstEvent* event = gst_harness_try_pull_event(bench.harness())) gst_event_unref(event);
  const auto custom = [] {
    return gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("mine"));
  };
  ck_assert(gst_harness_push_event(bench.harness(), custom()));
  ck_assert(gst_harness_push_event(bench.harness(), gst_event_new_gap(0, GST_SECOND)));
  bench.push(rgb_buffer(picture(0)));
  ck_assert(gst_harness_push_event(bench.harness(), gst_event_new_eos()));
  bench.drain();
  for (const GstEventType type : {GST_EVENT_CUSTOM_DOWNSTREAM, GST_EVENT_GAP, GST_EVENT_EOS}) {
    GstEvent* event = gst_harness_try_pull_event(bench.harness());
    ck_assert(event && GST_EVENT_TYPE(event) == type);
    gst_event_unref(event);
  }
  ck_assert(bench.pull() != nullptr);
  ck_assert_int_eq(bench.push(rgb_buffer(picture(0))), GST_FLOW_EOS);
}
END_TEST

// S9.
START_TEST(late_frames_pass_unclassified_with_qos) {
  Bench bench("tvclassify weights=Tiny_Weights.V1");
  const auto at = [](GstClockTime time) {
    BufferRef buffer = rgb_buffer(picture(0));
    GST_BUFFER_PTS(buffer.get()) = time;
    return buffer;
  };
  const auto late = [&] {
    return gst_harness_push_upstream_event(
        bench.harness(), gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, GST_SECOND, 0));
  };
  bench.pass(at(0));
  late();
  ASSERT_TEXT(read_meta(bench.pass(at(10)).get()).status, "ok");
  ck_assert_uint_eq(bench.messages(GST_MESSAGE_QOS).size(), 0);

  g_object_set(bench.element(), "qos", TRUE, nullptr);
  late();
  const Meta meta = read_meta(bench.pass(at(GST_SECOND)).get());
  ASSERT_TEXT(meta.status, "skipped");
  ASSERT_TEXT(meta.reason, "qos");
  ck_assert_uint_eq(meta.age, 1);
  ck_assert_uint_eq(bench.messages(GST_MESSAGE_QOS).size(), 1);
  ASSERT_TEXT(read_meta(bench.pass(at(GST_SECOND + 1)).get()).status, "ok");
}
END_TEST

// ---- states -----------------------------------------------------------------------------------

START_TEST(cycles) {
  Pipeline pipeline("tvclassify weights=Tiny_Weights.V1");
  for (int i = 0; i < 20; ++i) ck_assert(pipeline.play().empty());
}
END_TEST

// As GStreamer's own test of all elements: up and down unconfigured. PAUSED may fail, READY and
// NULL may not.
START_TEST(walks_unconfigured) {
  const GstState kWalks[][8] = {
      {GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_READY, GST_STATE_NULL, GST_STATE_READY,
       GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_NULL},
      {GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_PAUSED, GST_STATE_READY,
       GST_STATE_NULL, GST_STATE_PLAYING, GST_STATE_NULL},
      {GST_STATE_PAUSED, GST_STATE_NULL, GST_STATE_PLAYING, GST_STATE_READY, GST_STATE_PAUSED,
       GST_STATE_READY, GST_STATE_READY, GST_STATE_NULL}};
  for (const char* line : {"tvclassify", "tvclassify weights=Tiny_Weights.V1"}) {
    GstElement* element = gst_parse_launch(line, nullptr);
    gst_object_ref_sink(element);
    for (const auto& walk : kWalks)
      for (const GstState state : walk) {
        const GstStateChangeReturn result = gst_element_set_state(element, state);
        if (state <= GST_STATE_READY) ck_assert_int_ne(result, GST_STATE_CHANGE_FAILURE);
      }
    const int references = GST_OBJECT_REFCOUNT_VALUE(element);
    ck_assert_int_eq(references, 1);
    gst_object_unref(element);
  }
}
END_TEST

// ---- tee and what comes after -----------------------------------------------------------------

struct Branch {
  std::vector<std::pair<const void*, Meta>> seen;  // memory of the frame, and its meta
};

static GstPadProbeReturn note_frame(GstPad*, GstPadProbeInfo* info, gpointer data) {
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  const std::vector<Meta> metas = read_metas(buffer);
  static_cast<Branch*>(data)->seen.emplace_back(gst_buffer_peek_memory(buffer, 0),
                                                metas.empty() ? Meta{} : metas[0]);
  return GST_PAD_PROBE_OK;
}

static void watch(GstElement* pipeline, const char* name, Branch& branch) {
  GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline), name);
  GstPad* pad = gst_element_get_static_pad(element, "sink");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, note_frame, &branch, nullptr);
  gst_object_unref(pad);
  gst_object_unref(element);
}

static void play_to_eos(GstElement* pipeline) {
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstBus* bus = gst_element_get_bus(pipeline);
  const MessageRef end(gst_bus_timed_pop_filtered(
      bus, 60 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  ck_assert(end && GST_MESSAGE_TYPE(end.get()) == GST_MESSAGE_EOS);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(bus);
  gst_object_unref(pipeline);
}

// F7.
START_TEST(tee_shares_pixels) {
  GstElement* pipeline = gst_parse_launch(
      "videotestsrc num-buffers=5 pattern=green ! video/x-raw,format=RGB,width=64,height=48 ! tee "
      "name=t "
      "t. ! queue ! tvclassify weights=Tiny_Weights.V1 ! fakesink name=one sync=false "
      "t. ! queue ! fakesink name=two sync=false",
      nullptr);
  Branch one, two;
  watch(pipeline, "one", one);
  watch(pipeline, "two", two);
  play_to_eos(pipeline);
  ck_assert_uint_eq(one.seen.size(), 5);
  ck_assert_uint_eq(two.seen.size(), 5);
  for (std::size_t i = 0; i < 5; ++i) {
    ck_assert_ptr_eq(one.seen[i].first, two.seen[i].first);
    ASSERT_TEXT(one.seen[i].second.status, "ok");
    ck_assert_int_eq(one.seen[i].second.best(), 1);
    ASSERT_TEXT(two.seen[i].second.status, "");  // no meta on the other branch
  }
}
END_TEST

// F9.
START_TEST(meta_survives_conversion_and_coding) {
  GstElement* pipeline = gst_parse_launch(
      "videotestsrc num-buffers=3 pattern=blue ! "
      "video/x-raw,format=NV12,width=64,height=48,framerate=10/1 ! "
      "tvclassify weights=Tiny_Weights.V1 ! videoconvert ! videoscale ! videorate ! "
      "video/x-raw,format=I420,width=32,height=32,framerate=20/1 ! identity name=scaled ! jpegenc "
      "! "
      "identity name=coded ! jpegdec ! fakesink name=decoded sync=false",
      nullptr);
  Branch scaled, coded, decoded;
  watch(pipeline, "scaled", scaled);
  watch(pipeline, "coded", coded);
  watch(pipeline, "decoded", decoded);
  play_to_eos(pipeline);
  for (const Branch* branch : {&scaled, &coded, &decoded}) {
    ck_assert_uint_ge(branch->seen.size(), 5);
    for (const auto& each : branch->seen) ck_assert_int_eq(each.second.best(), 2);
  }
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify faults");
  TCase* before = tcase_create("before the first frame");
  tcase_set_timeout(before, 60);
  tcase_add_loop_test(before, one_error_that_names_the_cause, 0,
                      static_cast<int>(std::size(kFaults)));
  tcase_add_loop_test(before, hostile_values_can_be_shown, 0,
                      static_cast<int>(std::size(kNamesFromOutside)));
  suite_add_tcase(suite, before);
  // clang-format off
  const struct { const char* name; std::vector<const TTest*> tests; } kCases[] = {
    {"loading", {quick_faults_fail_the_state_change, an_error_while_prerolling_waits_for_the_main_loop,
                 an_error_is_not_lost_when_the_element_stops, a_wrong_file_in_the_cache_is_set_aside}},
    {"caps",    {refused_caps, refused_caps_end_a_pipeline, caps_that_cannot_be_classified, interlaced_modes_are_classified, caps_change_between_frames}},
    {"frames",  {padded_strides_and_offsets, crop_meta_selects_the_picture, short_buffers_pass_marked,
                 contradicting_metas_pass_marked, too_many_failures_are_an_error, flags_are_kept}},
    {"flow",    {downstream_answers_pass, events_keep_their_place, late_frames_pass_unclassified_with_qos}},
    {"states",  {cycles, walks_unconfigured}},
    {"after",   {tee_shares_pixels, meta_survives_conversion_and_coding}},
  };
  // clang-format on
  for (const auto& row : kCases) {
    TCase* tests = tcase_create(row.name);
    tcase_set_timeout(tests, 60);
    for (const TTest* each : row.tests) tcase_add_test(tests, each);
    suite_add_tcase(suite, tests);
  }
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}

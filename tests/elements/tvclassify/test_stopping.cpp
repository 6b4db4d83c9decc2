// Stopping while the model is loading: from the application's thread while a frame waits, and from
// the bus's sync handler, which runs on the element's own worker.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/elements/tvclassify/support.hpp"
#include "tests/temp_folder.hpp"

using namespace tv;
using namespace tv::test;

/// Takes connections and never says a word: a download from it neither ends nor fails.
class SilentServer {
 public:
  SilentServer() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    // Not Check's macros: no test runs yet.
    g_assert_cmpint(bind(socket_, name, size), ==, 0);
    g_assert_cmpint(listen(socket_, 64), ==, 0);
    g_assert_cmpint(getsockname(socket_, name, &size), ==, 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { close(socket_); }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  int port() const { return port_; }

 private:
  int socket_ = -1;
  int port_ = 0;
};

/// A flag that one thread raises and another waits for.
class Signal {
 public:
  void raise() {
    const std::lock_guard lock(mutex_);
    raised_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return raised_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool raised_ = false;
};

/// What a message is: a type, or of PROGRESS messages one kind.
struct Kind {
  GstMessageType type = GST_MESSAGE_UNKNOWN;
  GstProgressType progress = GST_PROGRESS_TYPE_START;
  bool operator==(const Kind&) const = default;

  static Kind of(GstMessage* message) {
    Kind kind{GST_MESSAGE_TYPE(message), GST_PROGRESS_TYPE_START};
    if (kind.type == GST_MESSAGE_PROGRESS)
      gst_message_parse_progress(message, &kind.progress, nullptr, nullptr);
    return kind;
  }
};

/// A pipeline with a handler for one kind of message of its tvclassify, called on the thread that
/// posts it, once.
class Handled {
 public:
  Handled(const std::string& settings, Kind kind, std::function<void(GstElement*)> handler)
      : kind_(kind), handler_(std::move(handler)) {
    const std::string line = "videotestsrc ! " + rgb_caps() + " ! tvclassify name=mine " +
                             settings + " ! fakesink name=out";
    pipeline_ = gst_parse_launch(line.c_str(), nullptr);
    bus_ = gst_element_get_bus(pipeline_);
    gst_bus_set_sync_handler(bus_, on_message, this, nullptr);
  }
  ~Handled() {
    if (pipeline_) {
      ck_assert_int_eq(gst_element_set_state(pipeline_, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
      gst_object_unref(pipeline_);
    }
    gst_bus_set_sync_handler(bus_, nullptr, nullptr, nullptr);
    gst_object_unref(bus_);
  }
  Handled(const Handled&) = delete;
  Handled& operator=(const Handled&) = delete;

  GstElement* pipeline() { return pipeline_; }
  /// The handler has the only reference from now on.
  void forget_pipeline() { pipeline_ = nullptr; }
  void pause() {
    // The handler may let go of its reference before this call of GStreamer's is over.
    gst_object_ref(pipeline_);
    ck_assert_int_eq(gst_element_set_state(pipeline_, GST_STATE_PAUSED), GST_STATE_CHANGE_ASYNC);
    gst_object_unref(pipeline_);
  }
  void wait_for_handler() { done_.wait(); }
  std::vector<Kind> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  static GstBusSyncReply on_message(GstBus*, GstMessage* message, gpointer data) {
    const MessageRef dropped(message);
    auto* self = static_cast<Handled*>(data);
    if (!g_str_equal(GST_MESSAGE_SRC_NAME(message), "mine")) return GST_BUS_DROP;
    const Kind kind = Kind::of(message);
    {
      const std::lock_guard lock(self->mutex_);
      if (kind.type == GST_MESSAGE_PROGRESS || kind.type == GST_MESSAGE_ERROR)
        self->seen_.push_back(kind);
      if (!(kind == self->kind_) || std::exchange(self->handled_, true)) return GST_BUS_DROP;
    }
    ck_assert_msg(std::this_thread::get_id() != self->main_, "not on a thread of the element's");
    self->handler_(self->pipeline_);
    self->done_.raise();
    return GST_BUS_DROP;
  }

  const Kind kind_;
  const std::function<void(GstElement*)> handler_;
  const std::thread::id main_ = std::this_thread::get_id();
  GstElement* pipeline_ = nullptr;
  GstBus* bus_ = nullptr;
  std::mutex mutex_;
  std::vector<Kind> seen_;
  bool handled_ = false;
  Signal done_;
};

static void stop(GstElement* pipeline) {
  ck_assert_int_eq(gst_element_set_state(pipeline, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
}

static std::string broken() {
  return "weights=Tiny_Weights.V1 weights-file=" + fixture("faults/text.pth");
}

// ---- from the bus's sync handler --------------------------------------------------------------

// clang-format off
struct StopRow { const char* settings; bool fails; Kind kind; };
static const StopRow kStopRows[] = {
  {"weights=Tiny_Weights.V1",      false, {GST_MESSAGE_PROGRESS, GST_PROGRESS_TYPE_START}},
  {"weights=Tiny_Weights.STALLED", false, {GST_MESSAGE_PROGRESS, GST_PROGRESS_TYPE_START}},
  {"weights=Tiny_Weights.V1",      false, {GST_MESSAGE_PROGRESS, GST_PROGRESS_TYPE_COMPLETE}},
  {nullptr,                        true,  {GST_MESSAGE_PROGRESS, GST_PROGRESS_TYPE_ERROR}},
  {nullptr,                        true,  {GST_MESSAGE_ERROR,    GST_PROGRESS_TYPE_START}},
};
// clang-format on

START_TEST(whoever_hears_of_loading_may_stop_the_element) {
  const StopRow& row = kStopRows[_i];
  Handled handled(row.settings ? row.settings : broken(), row.kind, stop);
  handled.pause();
  handled.wait_for_handler();
  GstState state = GST_STATE_PLAYING;
  // Not what it returns: an ERROR of before the stop makes that a failure.
  gst_element_get_state(handled.pipeline(), &state, nullptr, GST_CLOCK_TIME_NONE);
  ck_assert_int_eq(state, GST_STATE_NULL);
  // The same element loads again, to the end.
  GstElement* mine = gst_bin_get_by_name(GST_BIN(handled.pipeline()), "mine");
  g_object_set(mine, "weights", "Tiny_Weights.V1", "weights-file", nullptr, nullptr);
  gst_object_unref(mine);
  handled.pause();
  ck_assert_int_eq(gst_element_get_state(handled.pipeline(), &state, nullptr, GST_CLOCK_TIME_NONE),
                   GST_STATE_CHANGE_SUCCESS);
  ck_assert_int_eq(state, GST_STATE_PAUSED);
  ck_assert(handled.seen().back() == (Kind{GST_MESSAGE_PROGRESS, GST_PROGRESS_TYPE_COMPLETE}));
}
END_TEST

START_TEST(whoever_hears_of_loading_may_let_go_of_the_element) {
  const StopRow& row = kStopRows[_i];
  Signal gone;
  {
    Handled handled(row.settings ? row.settings : broken(), row.kind, [](GstElement* pipeline) {
      stop(pipeline);
      gst_object_unref(pipeline);
    });
    GstElement* mine = gst_bin_get_by_name(GST_BIN(handled.pipeline()), "mine");
    g_object_weak_ref(
        G_OBJECT(mine), [](gpointer signal, GObject*) { static_cast<Signal*>(signal)->raise(); },
        &gone);
    gst_object_unref(mine);
    handled.pause();
    handled.wait_for_handler();
    handled.forget_pipeline();
  }
  gone.wait();
}
END_TEST

// The application's thread holds the state lock and waits for the worker, which waits for the lock.
START_TEST(two_may_stop_the_element_at_once) {
  Signal inside;
  Handled handled("weights=Tiny_Weights.V1", {GST_MESSAGE_PROGRESS, GST_PROGRESS_TYPE_COMPLETE},
                  [&](GstElement* pipeline) {
                    inside.raise();
                    while (GST_STATE_TRYLOCK(pipeline)) {  // until the other one is on its way
                      GST_STATE_UNLOCK(pipeline);
                      std::this_thread::yield();
                    }
                    stop(pipeline);
                  });
  handled.pause();
  inside.wait();
  stop(handled.pipeline());
  handled.wait_for_handler();
}
END_TEST

// ---- from the application's thread ------------------------------------------------------------

struct Frames {
  Signal entered;
  int left = 0;
};

static void probe(GstElement* pipeline, const char* name, const char* pad_name,
                  GstPadProbeCallback callback, Frames& frames) {
  GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline), name);
  GstPad* pad = gst_element_get_static_pad(element, pad_name);
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, callback, &frames, nullptr);
  gst_object_unref(pad);
  gst_object_unref(element);
}

// A frame is inside and waits for a model that never comes; READY and NULL free it at once.
START_TEST(stops_while_a_frame_waits) {
  for (const GstState end : {GST_STATE_READY, GST_STATE_NULL}) {
    Frames frames;
    Signal started;
    Handled handled("weights=Tiny_Weights.STALLED", {GST_MESSAGE_PROGRESS, GST_PROGRESS_TYPE_START},
                    [&](GstElement*) { started.raise(); });
    probe(
        handled.pipeline(), "mine", "sink",
        [](GstPad*, GstPadProbeInfo*, gpointer data) {
          static_cast<Frames*>(data)->entered.raise();
          return GST_PAD_PROBE_OK;
        },
        frames);
    probe(
        handled.pipeline(), "mine", "src",
        [](GstPad*, GstPadProbeInfo*, gpointer data) {
          ++static_cast<Frames*>(data)->left;
          return GST_PAD_PROBE_OK;
        },
        frames);
    handled.pause();
    frames.entered.wait();
    started.wait();
    ck_assert(
        (handled.seen() == std::vector<Kind>{{GST_MESSAGE_PROGRESS, GST_PROGRESS_TYPE_START}}));
    ck_assert_int_eq(gst_element_set_state(handled.pipeline(), end), GST_STATE_CHANGE_SUCCESS);
    ck_assert_int_eq(frames.left, 0);
    // Cancelled is nobody's fault: no error.
    ck_assert(
        (handled.seen() == std::vector<Kind>{{GST_MESSAGE_PROGRESS, GST_PROGRESS_TYPE_START},
                                             {GST_MESSAGE_PROGRESS, GST_PROGRESS_TYPE_CANCELED}}));
  }
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify stopping");
  TCase* handlers = tcase_create("sync handlers");
  const int rows = static_cast<int>(std::size(kStopRows));
  tcase_add_loop_test(handlers, whoever_hears_of_loading_may_stop_the_element, 0, rows);
  tcase_add_loop_test(handlers, whoever_hears_of_loading_may_let_go_of_the_element, 0, rows);
  tcase_add_test(handlers, two_may_stop_the_element_at_once);
  suite_add_tcase(suite, handlers);
  TCase* frames = tcase_create("frames");
  tcase_add_test(frames, stops_while_a_frame_waits);
  suite_add_tcase(suite, frames);
  return suite;
}

int main(int argc, char** argv) {
  const SilentServer server;
  const TempFolder entries;
  entries.write("stalled.json", R"({"enum": "Tiny_Weights", "entry": "STALLED", )"
                                R"("builder": "squeezenet1_1", "categories": ["a", "b"], )"
                                R"("transforms": {"crop_size": 64, "resize_size": 72}, )"
                                R"("url": "https://localhost:)" +
                                    std::to_string(server.port()) +
                                    R"(/stalled.pth", "sha256": ")" + std::string(64, '0') +
                                    R"("})");
  const std::string before = std::getenv("TV_WEIGHTS_PATH");
  setenv("TV_WEIGHTS_PATH", (before + ":" + entries.path()).c_str(), 1);
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}

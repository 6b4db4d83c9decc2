// GStreamer's latency tracer and the element. Tracers begin with GStreamer, so each line plays in
// a program of its own: this one, with --play.
#include <sys/wait.h>

#include <filesystem>

#include "tests/elements/tvclassify/pipelines.hpp"

using namespace tv;
using namespace tv::test;

constexpr int kFrames = 20;
/// For what hangs; what does not takes less than a second.
constexpr const char* kSeconds = "20";
/// How `timeout` ends when those seconds are over.
constexpr int kHung = 124;

/// What the child does, where nothing may be asserted.
static int play(const std::string& element) {
  const std::string line = "videotestsrc num-buffers=" + std::to_string(kFrames) + " ! " + element +
                           " name=traced ! fakesink sync=false";
  GstElement* pipeline = gst_parse_launch(line.c_str(), nullptr);
  if (!pipeline) return EXIT_FAILURE;
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstBus* bus = gst_element_get_bus(pipeline);
  const MessageRef end(gst_bus_timed_pop_filtered(
      bus, GST_CLOCK_TIME_NONE, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  gst_object_unref(bus);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
  return GST_MESSAGE_TYPE(end.get()) == GST_MESSAGE_EOS ? EXIT_SUCCESS : EXIT_FAILURE;
}

struct Traced {
  int status = -1;  ///< of the child
  int lines = 0;    ///< latencies of the element
};

static Traced trace(const char* tracer, const std::string& element) {
  const TempFolder folder;
  const std::string log = folder.path("trace");
  gchar** environment = g_get_environ();
  const std::pair<const char*, const char*> set[] = {{"GST_TRACERS", tracer},
                                                     {"GST_DEBUG", "GST_TRACER:7"},
                                                     {"GST_DEBUG_NO_COLOR", "1"},
                                                     {"GST_DEBUG_FILE", log.c_str()}};
  for (const auto& [name, value] : set)
    environment = g_environ_setenv(environment, name, value, TRUE);
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const char* arguments[] = {"timeout", "--kill-after=5", kSeconds, self.c_str(),
                             "--play",  element.c_str(),  nullptr};
  Traced traced;
  if (g_spawn_sync(nullptr, const_cast<char**>(arguments), environment, G_SPAWN_SEARCH_PATH,
                   nullptr, nullptr, nullptr, nullptr, &traced.status, nullptr) &&
      WIFEXITED(traced.status))
    traced.status = WEXITSTATUS(traced.status);
  g_strfreev(environment);
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);)
    if (line.find(" element-latency, ") != std::string::npos &&
        line.find("element=(string)traced") != std::string::npos)
      ++traced.lines;
  return traced;
}

START_TEST(the_latency_tracer_sees_every_frame) {
  const Traced element = trace("latency(flags=element)", kStub);
  ck_assert_int_eq(element.status, 0);
  ck_assert_int_eq(element.lines, kFrames);
  const Traced pipeline = trace("latency(flags=pipeline)", kStub);
  ck_assert_int_eq(pipeline.status, 0);
  ck_assert_int_eq(pipeline.lines, 0);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (argc == 3 && std::string_view(argv[1]) == "--play") return play(argv[2]);
  if (trace("latency(flags=element)", "identity").status == kHung) {
    std::puts("SKIP: GStreamer's latency tracer hangs without the element, too");
    return 77;
  }
  // No timeout of Check's: those of the children end what hangs.
  return run_suite(make_suite("tvclassify tracing", 0, the_latency_tracer_sees_every_frame));
}

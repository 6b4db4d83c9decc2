// Frames in CUDA memory on a GPU: the same answers as from system memory, with no copy through the
// CPU, in the context that LibTorch uses and in another one.
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>
#include <gst/gst.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "elements/tvclassify/cuda_driver.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;

namespace {

struct Answer {
  GstClockTime time = GST_CLOCK_TIME_NONE;
  std::string status;
  int index = -1;
  double score = 0;
};

/// What leaves one element.
struct Collected {
  std::mutex mutex;
  std::vector<Answer> answers;
  int cuda_frames = 0;
  const void* context = nullptr;  // of the last frame's memory
};

GstPadProbeReturn collect(GstPad*, GstPadProbeInfo* info, gpointer data) {
  auto& into = *static_cast<Collected*>(data);
  GstBuffer* const buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  Answer answer;
  answer.time = GST_BUFFER_PTS(buffer);
  if (GstCustomMeta* meta = gst_buffer_get_custom_meta(buffer, "TvClassifyMeta")) {
    const GstStructure* const fields = gst_custom_meta_get_structure(meta);
    if (const char* status = gst_structure_get_string(fields, "status")) answer.status = status;
    gst_structure_get_int(fields, "index", &answer.index);
    gst_structure_get_double(fields, "score", &answer.score);
  }
  const std::lock_guard lock(into.mutex);
  into.answers.push_back(std::move(answer));
  GstMemory* const memory = gst_buffer_peek_memory(buffer, 0);
  if (gst_is_cuda_memory(memory)) {
    ++into.cuda_frames;
    into.context = gst_cuda_context_get_handle(GST_CUDA_MEMORY_CAST(memory)->context);
  }
  return GST_PAD_PROBE_OK;
}

/// The element says once when it copies frames from a GPU to the CPU.
std::atomic<int> g_copies{0};
void watch_log(GstDebugCategory*, GstDebugLevel, const gchar*, const gchar*, gint, GObject*,
               GstDebugMessage* message, gpointer) {
  const gchar* const text = gst_debug_message_get(message);
  if (text && std::strstr(text, "are copied to the CPU")) ++g_copies;
}

struct Both {
  Collected system, cuda;
};

/// The same pictures by way of system memory and of CUDA memory. `context`: set on the pipeline
/// before it starts; nullptr: none.
void run(const std::string& format, GstCudaContext* context, Both& both) {
  const std::string classify =
      "tvclassify model=resnet18 weights=none seed=1 device=cuda max-in-flight=8 ";
  const std::string line =
      "videotestsrc num-buffers=100 pattern=snow ! video/x-raw,width=322,height=242,format=" +
      format + ",framerate=30/1 ! tee name=t t. ! queue ! " + classify +
      "name=system ! fakesink async=false t. ! queue ! cudaupload ! " +
      "video/x-raw(memory:CUDAMemory) ! " + classify + "name=cuda ! fakesink async=false";
  GError* error = nullptr;
  GstElement* const pipeline = gst_parse_launch(line.c_str(), &error);
  ck_assert_msg(error == nullptr, "%s", error ? error->message : "");
  for (auto [name, into] : {std::pair{"system", &both.system}, {"cuda", &both.cuda}}) {
    GstElement* const element = gst_bin_get_by_name(GST_BIN(pipeline), name);
    GstPad* const pad = gst_element_get_static_pad(element, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, collect, into, nullptr);
    gst_object_unref(pad);
    gst_object_unref(element);
  }
  if (context) {
    GstContext* const told = gst_context_new_cuda_context(context);
    gst_element_set_context(pipeline, told);
    gst_context_unref(told);
  }
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstBus* const bus = gst_element_get_bus(pipeline);
  GstMessage* const end = gst_bus_timed_pop_filtered(
      bus, 240 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  ck_assert_msg(end != nullptr, "the pipeline hangs");
  if (GST_MESSAGE_TYPE(end) == GST_MESSAGE_ERROR) {
    gst_message_parse_error(end, &error, nullptr);
    ck_abort_msg("%s: %s", format.c_str(), error->message);
  }
  gst_message_unref(end);
  gst_object_unref(bus);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
}

void expect_same(const std::string& format, const Both& both) {
  ck_assert_uint_eq(both.system.answers.size(), 100);
  ck_assert_uint_eq(both.cuda.answers.size(), 100);
  ck_assert_int_eq(both.system.cuda_frames, 0);
  ck_assert_int_eq(both.cuda.cuda_frames, 100);
  for (std::size_t i = 0; i < 100; ++i) {
    const Answer &a = both.system.answers[i], &b = both.cuda.answers[i];
    expect_equal(a.status, "ok");
    expect_equal(b.status, "ok");
    ck_assert_uint_eq(a.time, b.time);
    // Noise: a frame that is read too early, or one late, has another score.
    ck_assert_msg(
        a.index == b.index && std::abs(a.score - b.score) < 1e-6,
        "%s, frame %zu: class %d with %.9f from system memory, %d with %.9f from the GPU's",
        format.c_str(), i, a.index, a.score, b.index, b.score);
  }
}

constexpr const char* kFormats[] = {"NV12", "I420", "P010_10LE", "Y444", "RGBA", "BGRx", "RGB"};

START_TEST(answers_are_those_of_system_memory) {
  Both both;
  g_copies = 0;
  run(kFormats[_i], nullptr, both);
  expect_same(kFormats[_i], both);
  ck_assert_int_eq(g_copies, 0);
  ck_assert_ptr_eq(both.cuda.context, primary_context(0));
}
END_TEST

START_TEST(a_context_of_somebody_else_works_too) {
  GstCudaContext* const foreign = gst_cuda_context_new(0);
  ck_assert(foreign != nullptr);
  ck_assert_ptr_ne(gst_cuda_context_get_handle(foreign), primary_context(0));
  Both both;
  g_copies = 0;
  run("NV12", foreign, both);
  expect_same("NV12", both);
  ck_assert_ptr_eq(both.cuda.context, gst_cuda_context_get_handle(foreign));
  // Which of the two is the driver's to say; the answers are the same.
  std::printf("frames in another context: %s\n", g_copies ? "copied" : "read where they lie");
  gst_object_unref(foreign);
}
END_TEST

int skip(const char* why) {
  std::printf("SKIP: %s\n", why);
  return 77;
}

bool has_element(const char* name) {
  GstElementFactory* const factory = gst_element_factory_find(name);
  if (factory) gst_object_unref(factory);
  return factory != nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (!gst_cuda_load_library() || !cuda_driver()) return skip("no CUDA driver");
  if (!has_element("cudaupload"))
    return skip("no element cudaupload: GStreamer's nvcodec has no GPU");
  setenv("CK_FORK", "no", 1);  // CUDA does not survive a fork
  gst_debug_set_threshold_for_name("tvclassify", GST_LEVEL_INFO);
  gst_debug_set_active(TRUE);
  gst_debug_remove_log_function(gst_debug_log_default);
  gst_debug_add_log_function(watch_log, nullptr, nullptr);
  return run_suite("cuda memory on a GPU", 0,
                   Loop{answers_are_those_of_system_memory, static_cast<int>(std::size(kFormats))},
                   a_context_of_somebody_else_works_too);
}

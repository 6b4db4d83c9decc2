// What tests of the element on a GPU share: what leaves it, and whether that was by way of the CPU.
#pragma once

#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/gst.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "elements/common/gst_ptr.hpp"
#include "tests/gpu/pipeline.hpp"
#include "tests/suite.hpp"

namespace tv::test {

struct Answer {
  GstClockTime time = GST_CLOCK_TIME_NONE;
  std::string status;
  int index = -1;
  double score = 0;
};

/// What leaves one element.
struct Collected {
  std::mutex mutex;  // guards what follows while the pipeline runs
  std::vector<Answer> answers;
  int cuda_frames = 0;
  const void* context = nullptr;  // of the last frame's memory
  CapsRef caps;                   // of the last frame
};

inline GstPadProbeReturn collect(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
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
  into.caps.reset(gst_pad_get_current_caps(pad));
  GstMemory* const memory = gst_buffer_peek_memory(buffer, 0);
  if (gst_is_cuda_memory(memory)) {
    ++into.cuda_frames;
    into.context = gst_cuda_context_get_handle(GST_CUDA_MEMORY_CAST(memory)->context);
  }
  return GST_PAD_PROBE_OK;
}

/// The same frames from system memory and from CUDA memory have the same answers. Noise: a frame
/// that is read too early, or one late, has another score.
inline void expect_same(const std::string& what, std::size_t frames, const Collected& system,
                        const Collected& cuda) {
  ck_assert_uint_eq(system.answers.size(), frames);
  ck_assert_uint_eq(cuda.answers.size(), frames);
  ck_assert_int_eq(system.cuda_frames, 0);
  ck_assert_int_eq(cuda.cuda_frames, static_cast<int>(frames));
  for (std::size_t i = 0; i < frames; ++i) {
    const Answer &a = system.answers[i], &b = cuda.answers[i];
    expect_equal(a.status, "ok");
    expect_equal(b.status, "ok");
    ck_assert_uint_eq(a.time, b.time);
    ck_assert_msg(
        a.index == b.index && std::abs(a.score - b.score) < 1e-6,
        "%s, frame %zu: class %d with %.9f from system memory, %d with %.9f from the GPU's",
        what.c_str(), i, a.index, a.score, b.index, b.score);
  }
}

/// How often an element has said, which it does once a start, that it copies frames from a GPU to
/// the CPU.
inline std::atomic<int>& copies_to_cpu() {
  static std::atomic<int> copies{0};
  return copies;
}
inline void note_copies(GstDebugCategory*, GstDebugLevel, const gchar*, const gchar*, gint,
                        GObject*, GstDebugMessage* message, gpointer) {
  const gchar* const text = gst_debug_message_get(message);
  if (text && std::strstr(text, "are copied to the CPU")) ++copies_to_cpu();
}
inline void watch_copies() {
  gst_debug_set_threshold_for_name("tvclassify", GST_LEVEL_INFO);
  gst_debug_set_active(TRUE);
  gst_debug_remove_log_function(gst_debug_log_default);
  (gst_debug_add_log_function)(note_copies, nullptr, nullptr);  // its macro compares with a void*
}

}  // namespace tv::test

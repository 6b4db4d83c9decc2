// Pipelines that a test builds from a line and runs to their end.
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "elements/common/gst_ptr.hpp"
#include "tests/suite.hpp"

namespace tv::test {

/// Stopped and let go of at the end of the scope.
class Pipeline {
 public:
  explicit Pipeline(const std::string& line) {
    GError* error = nullptr;
    pipeline_ = gst_parse_launch(line.c_str(), &error);
    ck_assert_msg(error == nullptr, "%s", error ? error->message : "");
  }
  ~Pipeline() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(pipeline_);
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  GstElement* get() { return pipeline_; }
  /// Lives as long as the pipeline.
  GstElement* element(const char* name) {
    GstElement* const found = gst_bin_get_by_name(GST_BIN(pipeline_), name);
    ck_assert_msg(found != nullptr, "no element %s", name);
    gst_object_unref(found);
    return found;
  }
  /// Called for each buffer that leaves the element.
  void probe(const char* name, GstPadProbeCallback callback, gpointer data) {
    GstPad* const pad = gst_element_get_static_pad(element(name), "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, callback, data, nullptr);
    gst_object_unref(pad);
  }
  void play() { gst_element_set_state(pipeline_, GST_STATE_PLAYING); }
  /// Fails with an error's text, or when the end does not come.
  void wait_for_end(const std::string& what) {
    GstBus* const bus = gst_element_get_bus(pipeline_);
    GstMessage* const end = gst_bus_timed_pop_filtered(
        bus, 240 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    gst_object_unref(bus);
    ck_assert_msg(end != nullptr, "%s: the pipeline hangs", what.c_str());
    if (GST_MESSAGE_TYPE(end) == GST_MESSAGE_ERROR) {
      GError* error = nullptr;
      gst_message_parse_error(end, &error, nullptr);
      ck_abort_msg("%s: %s", what.c_str(), error->message);
    }
    gst_message_unref(end);
    gst_element_set_state(pipeline_, GST_STATE_NULL);
  }

 private:
  GstElement* pipeline_ = nullptr;
};

/// Gives buffers to an appsrc, one in a frame's time of 1/30 s, and the end behind them.
inline void feed(GstElement* source, std::vector<BufferRef> buffers) {
  GstFlowReturn flow = GST_FLOW_OK;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    GstBuffer* const buffer = buffers[i].get();
    GST_BUFFER_PTS(buffer) = GST_BUFFER_DTS(buffer) = gst_util_uint64_scale(i, GST_SECOND, 30);
    GST_BUFFER_DURATION(buffer) = GST_SECOND / 30;
    g_signal_emit_by_name(source, "push-buffer", buffer, &flow);
    ck_assert_int_eq(flow, GST_FLOW_OK);
  }
  g_signal_emit_by_name(source, "end-of-stream", &flow);
}
/// A buffer of these bytes.
inline BufferRef buffer_of(std::span<const std::uint8_t> bytes) {
  GstBuffer* const buffer = gst_buffer_new_allocate(nullptr, bytes.size(), nullptr);
  gst_buffer_fill(buffer, 0, bytes.data(), bytes.size());
  return BufferRef(buffer);
}

/// The exit status of a program that has nothing to test here.
inline int skipped(const char* why) {
  std::printf("SKIP: %s\n", why);
  return 77;
}

inline bool has_element(const char* name) {
  GstElementFactory* const factory = gst_element_factory_find(name);
  if (factory) gst_object_unref(factory);
  return factory != nullptr;
}

}  // namespace tv::test

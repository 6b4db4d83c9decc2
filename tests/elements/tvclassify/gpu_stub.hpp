// What tests with a stub in the GPUs' place share: a machine that seems to have GPUs, and elements
// that must not start on one.
#pragma once

#include "tests/elements/tvclassify/solid.hpp"

namespace tv::test {

inline void reset_stubs() {
  stub().reset();
  gpu_stub().reset();
}

/// An element with these settings must not start: the one error that it posts.
inline Seen refusal(const std::string& settings) {
  GstElement* element = gst_parse_launch((kStub + settings).c_str(), nullptr);
  gst_object_ref_sink(element);
  GstBus* bus = gst_bus_new();
  gst_element_set_bus(element, bus);
  ck_assert_int_eq(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  const MessageRef message(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR));
  ck_assert_msg(message != nullptr, "%s: no error", settings.c_str());
  const Seen seen = read_error(message.get());
  ck_assert_msg(MessageRef(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR)) == nullptr,
                "%s: a second error", settings.c_str());
  gst_element_set_state(element, GST_STATE_NULL);
  gst_element_set_bus(element, nullptr);
  gst_object_unref(bus);
  gst_object_unref(element);
  return seen;
}

/// main() of such a test.
inline int run_with_gpus(int argc, char** argv, Suite* (*make_suite)()) {
  setenv("TV_ASSUME_GPU", "1", 1);  // the stub needs no driver
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}

}  // namespace tv::test

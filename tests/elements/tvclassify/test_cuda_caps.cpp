// CUDA memory where there is no CUDA driver: what the caps promise, and that nothing breaks. Also
// in a build without GStreamer's CUDA library, where the pads take system memory alone.
#include "tests/elements/tvclassify/solid.hpp"

using namespace tv;
using namespace tv::test;

#ifdef TV_GST_CUDA
static constexpr bool kBuilt = true;
#else
static constexpr bool kBuilt = false;
#endif

static std::string caps_of(const char* format, const char* feature = "memory:CUDAMemory") {
  return std::string("video/x-raw(") + feature +
         "),framerate=30/1,width=64,height=48,format=" + format;
}

static bool accepts(Bench& bench, const std::string& text) {
  const CapsRef caps(gst_caps_from_string(text.c_str()));
  ck_assert_msg(caps != nullptr, "%s", text.c_str());
  const bool sink = gst_pad_peer_query_accept_caps(bench.harness()->srcpad, caps.get());
  const bool source = gst_pad_peer_query_accept_caps(bench.harness()->sinkpad, caps.get());
  ck_assert_msg(sink == source, "%s: the video does not pass as it comes", text.c_str());
  return sink;
}

START_TEST(caps_are_those_of_the_templates) {
  Bench bench(kStub, "");
  for (const char* format : {"NV12", "P010_10LE", "I420", "Y444", "RGB", "BGR", "RGBA", "BGRA",
                             "RGBx", "BGRx", "RGBP"}) {
    ck_assert_msg(accepts(bench, caps_of(format)) == kBuilt, "%s", format);
    ck_assert_msg(accepts(bench, caps_of(format, "memory:SystemMemory")), "%s", format);
  }
  for (const char* format : {"YUY2", "GRAY8", "ARGB", "Y42B", "BGRP"})
    ck_assert_msg(!accepts(bench, caps_of(format)), "%s", format);
  for (const char* feature : {"memory:DMABuf", "memory:GLMemory", "memory:Unknown"})
    ck_assert_msg(!accepts(bench, caps_of("NV12", feature)), "%s", feature);
}
END_TEST

START_TEST(system_memory_keeps_its_feature) {
  Bench bench(kStub, rgb_caps());
  ck_assert_uint_eq(read_metas(bench.pass(rgb_buffer(picture(0))).get()).size(), 1);
  const CapsRef caps(gst_pad_get_current_caps(bench.harness()->sinkpad));
  ck_assert(gst_caps_features_is_equal(gst_caps_get_features(caps.get(), 0),
                                       GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY));
}
END_TEST

// ---- memory that nobody can map ---------------------------------------------------------------

struct Stubborn {
  GstAllocator parent;
};
struct StubbornClass {
  GstAllocatorClass parent_class;
};
G_DEFINE_TYPE(Stubborn, stubborn, GST_TYPE_ALLOCATOR)
static void stubborn_class_init(StubbornClass* klass) {
  GST_ALLOCATOR_CLASS(klass)->free = [](GstAllocator*, GstMemory* memory) { g_free(memory); };
}
static void stubborn_init(Stubborn* self) {
  GstAllocator* const allocator = GST_ALLOCATOR(self);
  allocator->mem_type = "StubbornMemory";
  allocator->mem_map = [](GstMemory*, gsize, GstMapFlags) -> gpointer { return nullptr; };
  allocator->mem_unmap = [](GstMemory*) {};
}

/// As large as the caps want it.
static BufferRef unmappable(gsize size) {
  GObject* const allocator = G_OBJECT(g_object_new(stubborn_get_type(), nullptr));
  gst_object_ref_sink(allocator);
  auto* const memory = g_new0(GstMemory, 1);
  gst_memory_init(memory, static_cast<GstMemoryFlags>(0), GST_ALLOCATOR(allocator), nullptr, size,
                  0, 0, size);
  gst_object_unref(allocator);
  BufferRef buffer(gst_buffer_new());
  gst_buffer_append_memory(buffer.get(), memory);
  return buffer;
}

START_TEST(what_cannot_be_mapped_fails_the_frame_alone) {
  Bench bench(kStub, kBuilt ? caps_of("RGB") : rgb_caps());
  const Meta failed = read_meta(bench.pass(unmappable(64 * 48 * 3)).get());
  ASSERT_TEXT(failed.status, "failed");
  expect_contains(failed.reason, "StubbornMemory");
  ASSERT_TEXT(read_meta(bench.pass(rgb_buffer(picture(0))).get()).status, "ok");
  ck_assert_uint_eq(bench.errors().size(), 0);
}
END_TEST

// ---- contexts ---------------------------------------------------------------------------------

START_TEST(without_a_driver_nobody_is_answered) {
  Bench bench(kStub + "device=auto", rgb_caps());
  for (const char* type : {"gst.cuda.context", "gst.gl.GLDisplay"})
    for (GstPad* pad : {bench.harness()->srcpad, bench.harness()->sinkpad}) {
      GstQuery* const query = gst_query_new_context(type);
      ck_assert(!gst_pad_peer_query(pad, query));
      GstContext* found = nullptr;
      gst_query_parse_context(query, &found);
      ck_assert_ptr_null(found);
      gst_query_unref(query);
    }
  // One without a context in it, and one of another kind.
  for (const char* type : {"gst.cuda.context", "gst.gl.GLDisplay"}) {
    GstContext* const context = gst_context_new(type, TRUE);
    gst_element_set_context(bench.element(), context);
    gst_context_unref(context);
  }
  ck_assert_uint_eq(bench
                        .messages(static_cast<GstMessageType>(GST_MESSAGE_HAVE_CONTEXT |
                                                              GST_MESSAGE_NEED_CONTEXT))
                        .size(),
                    0);
  ck_assert_uint_eq(read_metas(bench.pass(rgb_buffer(picture(0))).get()).size(), 1);
}
END_TEST

// A GPU that is asked for and not there: the start fails with its own error, not in the driver.
START_TEST(a_named_gpu_without_a_driver_is_one_error) {
  Bench bench(kStub, "");
  bench.set_state(GST_STATE_NULL);
  g_object_set(bench.element(), "device", "cuda:3", nullptr);
  // Not even GStreamer's library for CUDA is needed to say so.
  GstContext* const context = gst_context_new("gst.cuda.context", TRUE);
  gst_element_set_context(bench.element(), context);
  gst_context_unref(context);
  ck_assert_int_eq(gst_element_set_state(bench.element(), GST_STATE_READY),
                   GST_STATE_CHANGE_SUCCESS);
  ck_assert_int_eq(gst_element_set_state(bench.element(), GST_STATE_PAUSED),
                   GST_STATE_CHANGE_FAILURE);
  const auto errors = bench.errors();
  ck_assert_uint_eq(errors.size(), 1);
  ck_assert_int_eq(errors[0].code, GST_LIBRARY_ERROR_INIT);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)) {
    std::puts("SKIP: there is a CUDA driver");
    return 77;
  }
  return run_suite(
      make_suite("tvclassify cuda caps", 60, caps_are_those_of_the_templates,
                 system_memory_keeps_its_feature, what_cannot_be_mapped_fails_the_frame_alone,
                 without_a_driver_nobody_is_answered, a_named_gpu_without_a_driver_is_one_error));
}

// Frames in CUDA memory on a machine without a GPU: GStreamer's own CUDA memory, on a fake driver.
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>

#include "tests/elements/inference/stub_backend.hpp"
#include "tests/elements/tvclassify/cuda/fake_cuda.hpp"
#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using namespace tv::test;

static const std::string kModel =
    "tvclassify model=squeezenet1_1 weights=none crop-size=32 resize-size=32 ";

static SeenFrame seen() {
  SeenFrame last;
  gpu_stub().seen(&last);
  return last;
}

static std::string cuda_caps(const char* format, int width = 64, int height = 48) {
  return std::string("video/x-raw(memory:CUDAMemory),framerate=30/1,format=") + format +
         ",width=" + std::to_string(width) + ",height=" + std::to_string(height);
}

/// A context and memory in it.
class Gpu {
 public:
  explicit Gpu(GstCudaContext* context) : context_(context) { ck_assert(context != nullptr); }
  explicit Gpu(int device) : Gpu(gst_cuda_context_new(static_cast<guint>(device))) {}
  ~Gpu() { gst_object_unref(context_); }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;
  GstCudaContext* context() { return context_; }

  /// A frame of one colour, without a video meta: its memory knows its layout.
  BufferRef frame(const std::string& caps_text, int red, int green = 0) {
    const CapsRef caps(gst_caps_from_string(caps_text.c_str()));
    GstVideoInfo info;
    ck_assert(gst_video_info_from_caps(&info, caps.get()));
    GstAllocator* const allocator = gst_allocator_find(GST_CUDA_MEMORY_TYPE_NAME);
    GstMemory* const memory = gst_cuda_allocator_alloc(GST_CUDA_ALLOCATOR_CAST(allocator), context_,
#if GST_CHECK_VERSION(1, 24, 0)
                                                       nullptr,
#endif
                                                       &info);
    gst_object_unref(allocator);
    ck_assert(memory != nullptr);
    const GstVideoInfo& layout = GST_CUDA_MEMORY_CAST(memory)->info;
    GstMapInfo map;
    ck_assert(gst_memory_map(memory, &map, static_cast<GstMapFlags>(GST_MAP_WRITE | GST_MAP_CUDA)));
    const int levels[] = {red, green, 0, 7};
    for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(&layout); ++c) {
      guint8* row = map.data + GST_VIDEO_INFO_COMP_OFFSET(&layout, c);
      for (int y = 0; y < GST_VIDEO_INFO_COMP_HEIGHT(&layout, c); ++y) {
        for (int x = 0; x < GST_VIDEO_INFO_COMP_WIDTH(&layout, c); ++x)
          row[x * GST_VIDEO_INFO_COMP_PSTRIDE(&layout, c)] = static_cast<guint8>(
              GST_VIDEO_INFO_IS_RGB(&layout) ? levels[c] : (c == 0 ? red : 128));
        row += GST_VIDEO_INFO_COMP_STRIDE(&layout, c);
      }
    }
    gst_memory_unmap(memory, &map);
    BufferRef buffer(gst_buffer_new());
    gst_buffer_append_memory(buffer.get(), memory);
    return buffer;
  }

 private:
  GstCudaContext* const context_;
};

static const void* device_pointer(GstBuffer* buffer) {
  GstMemory* const memory = gst_buffer_peek_memory(buffer, 0);
  GstMapInfo map;
  ck_assert(gst_memory_map(memory, &map, static_cast<GstMapFlags>(GST_MAP_READ | GST_MAP_CUDA)));
  const void* const data = map.data;
  gst_memory_unmap(memory, &map);
  return data;
}

/// The context that LibTorch would use.
static GstCudaContext* primary(int device) {
  CUcontext context = nullptr;
  fake_cuda()->retain_primary(&context, device);
  GstCudaContext* const made = gst_cuda_context_new_wrapped(context, device);
  ck_assert(made != nullptr);
  return made;
}

/// Asks the element as a neighbour does. nullptr: unanswered.
static GstCudaContext* context_behind(GstPad* pad) {
  GstQuery* const query = gst_query_new_context(GST_CUDA_CONTEXT_TYPE);
  GstContext* found = nullptr;
  GstCudaContext* context = nullptr;
  if (gst_pad_peer_query(pad, query)) gst_query_parse_context(query, &found);
  if (found)
    gst_structure_get(gst_context_get_structure(found), GST_CUDA_CONTEXT_TYPE,
                      GST_TYPE_CUDA_CONTEXT, &context, nullptr);
  gst_query_unref(query);
  return context;
}

static int g_blocks, g_host_blocks, g_downloads;
static void note_memory() {
  gpu_stub().reset();  // a test that failed may have left it held
  g_blocks = fake_cuda()->device_blocks();
  g_host_blocks = fake_cuda()->host_blocks();
  g_downloads = fake_cuda()->downloads();
}
static void assert_all_returned() {
  fake_cuda()->fail_copies(0);
  fake_cuda()->fail_host(0);
  fake_cuda()->isolate(0);
  ck_assert_int_eq(fake_cuda()->device_blocks(), g_blocks);
  ck_assert_int_eq(fake_cuda()->host_blocks(), g_host_blocks);
  ck_assert_int_eq(fake_cuda()->events(), 0);
  ck_assert_int_eq(fake_cuda()->pushed(), 0);
}

// ---- frames -----------------------------------------------------------------------------------

// clang-format off
static constexpr const char* kFormats[] = {
  "NV12", "I420", "Y444", "RGB", "BGR", "RGBA", "BGRA", "RGBx", "BGRx", "RGBP"};
// clang-format on

// Whatever the GPU's rows are padded to, no copy is made, and the video leaves in the same memory.
START_TEST(frames_are_read_where_they_lie) {
  const std::string format = kFormats[_i];
  // Full range: luma is the grey that it shows.
  const bool rgb = format[0] == 'R' || format[0] == 'B';
  const std::string caps = cuda_caps(format.c_str(), 66, 50) + (rgb ? "" : ",colorimetry=1:4:0:0");
  Bench bench(kModel + "device=cuda", caps);
  Gpu gpu(primary(0));
  BufferRef frame = gpu.frame(caps, 100, 200);
  const void* const there = device_pointer(frame.get());
  const BufferRef out = bench.pass(std::move(frame));
  const Meta meta = read_meta(out.get());
  ASSERT_TEXT(meta.status, "ok");
  ck_assert_int_eq(meta.best(), stub_class(100, rgb));
  const SeenFrame last = seen();
  ck_assert(last.on_device);
  ck_assert_ptr_eq(last.plane, there);
  ck_assert_int_eq(last.stride % 512, 0);
  ck_assert(gst_is_cuda_memory(gst_buffer_peek_memory(out.get(), 0)));
  ck_assert_ptr_eq(device_pointer(out.get()), there);
  ck_assert_int_eq(fake_cuda()->downloads(), g_downloads);
}
END_TEST

START_TEST(buffers_of_a_pool_return) {
  const std::string text = cuda_caps("NV12") + ",colorimetry=1:4:0:0";
  Bench bench(kModel + "device=cuda", text);
  Gpu gpu(primary(0));
  GstBufferPool* const pool = gst_cuda_buffer_pool_new(gpu.context());
  const CapsRef caps(gst_caps_from_string(text.c_str()));
  GstStructure* const config = gst_buffer_pool_get_config(pool);
  gst_buffer_pool_config_set_params(config, caps.get(), 64 * 48 * 3 / 2, 1, 1);
  ck_assert(gst_buffer_pool_set_config(pool, config));
  ck_assert(gst_buffer_pool_set_active(pool, TRUE));
  // The only buffer: without a way back this waits for ever.
  for (int i = 0; i < 5; ++i) {
    GstBuffer* buffer = nullptr;
    ck_assert_int_eq(gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr), GST_FLOW_OK);
    GstMapInfo map;
    ck_assert(gst_buffer_map(buffer, &map, static_cast<GstMapFlags>(GST_MAP_WRITE | GST_MAP_CUDA)));
    memset(map.data, 10 * i, 48 * 512);
    memset(map.data + 48 * 512, 128, 24 * 512);
    gst_buffer_unmap(buffer, &map);
    ck_assert_int_eq(read_meta(bench.pass(BufferRef(buffer)).get()).best(),
                     stub_class(10 * i, false));
    ck_assert(seen().on_device);
  }
  gst_buffer_pool_set_active(pool, FALSE);
  gst_object_unref(pool);
}
END_TEST

// In live mode a frame leaves before the model has read it: its pool must not give it out again.
START_TEST(a_pool_waits_until_the_pixels_are_read) {
  Gpu gpu(primary(0));
  for (const bool there : {true, false}) {
    const std::string text = there ? cuda_caps("RGB") : rgb_caps();
    Bench bench(kModel + "latency-mode=live max-latency=0 device=cuda", text);
    GstBufferPool* const pool =
        there ? gst_cuda_buffer_pool_new(gpu.context()) : gst_buffer_pool_new();
    const CapsRef caps(gst_caps_from_string(text.c_str()));
    GstStructure* const config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps.get(), 64 * 48 * 3, 1, 1);
    ck_assert(gst_buffer_pool_set_config(pool, config));
    ck_assert(gst_buffer_pool_set_active(pool, TRUE));
    GstBuffer* buffer = nullptr;
    ck_assert_int_eq(gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr), GST_FLOW_OK);
    if (!there) gst_buffer_memset(buffer, 0, 1, 64 * 48 * 3);
    gpu_stub().reset();
    gpu_stub().hold_reading(1);
    const Meta late = read_meta(bench.pass(BufferRef(buffer)).get());
    ASSERT_TEXT(late.status, "skipped");
    gpu_stub().wait_reading(1);
    GstBufferPoolAcquireParams at_once{};
    at_once.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT;
    ck_assert_int_eq(gst_buffer_pool_acquire_buffer(pool, &buffer, &at_once), GST_FLOW_EOS);
    gpu_stub().hold_reading(0);
    ck_assert_int_eq(gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr), GST_FLOW_OK);
    gst_buffer_unref(buffer);
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
  }
}
END_TEST

START_TEST(a_foreign_context_is_asked_of_the_driver) {
  Bench bench(kModel + "device=cuda", cuda_caps("RGB"));
  Gpu gpu(0);
  ck_assert_ptr_ne(gst_cuda_context_get_handle(gpu.context()), fake_cuda()->primary(0));
  ck_assert_int_eq(read_meta(bench.pass(gpu.frame(cuda_caps("RGB"), 7)).get()).best(), 7);
  ck_assert(seen().on_device);
  ck_assert_int_eq(fake_cuda()->downloads(), g_downloads);
  fake_cuda()->isolate(1);
  ck_assert_int_eq(read_meta(bench.pass(gpu.frame(cuda_caps("RGB"), 8)).get()).best(), 8);
  ck_assert(!seen().on_device);
  ck_assert_int_eq(fake_cuda()->downloads(), g_downloads + 1);
}
END_TEST

START_TEST(frames_of_another_gpu_are_copied) {
  Bench bench(kModel + "device=cuda:0", cuda_caps("RGBP"));
  Gpu gpu(1);
  const Meta meta = read_meta(bench.pass(gpu.frame(cuda_caps("RGBP"), 9, 255)).get());
  ck_assert_int_eq(meta.best(), stub_class(9, true));
  ck_assert(!seen().on_device);
  ck_assert_int_eq(fake_cuda()->downloads(), g_downloads + 1);
}
END_TEST

START_TEST(a_model_on_the_cpu_gets_a_copy) {
  Bench bench(kModel + "device=cpu", cuda_caps("BGRx", 33, 21));
  Gpu gpu(0);
  const int frames = seen().frames;
  const Meta meta = read_meta(bench.pass(gpu.frame(cuda_caps("BGRx", 33, 21), 40)).get());
  ASSERT_TEXT(meta.status, "ok");
  ck_assert_int_eq(meta.best(), stub_class(40, false));
  ck_assert_int_eq(seen().frames, frames);
  ck_assert_int_eq(fake_cuda()->downloads(), g_downloads + 1);
}
END_TEST

START_TEST(system_memory_goes_to_a_model_on_a_gpu_as_it_is) {
  Bench bench(kModel + "device=cuda");
  ASSERT_TEXT(read_meta(bench.pass(rgb_buffer(picture(0))).get()).status, "ok");
  ck_assert(!seen().on_device);
  ck_assert_ptr_null(seen().written);
}
END_TEST

START_TEST(regions_are_read_where_they_lie) {
  const std::string caps = cuda_caps("RGB");
  Bench bench(kModel + "device=cuda inference-region=roi-list", caps);
  Gpu gpu(primary(0));
  BufferRef frame = gpu.frame(caps, 100, 200);
  gst_buffer_add_video_region_of_interest_meta(frame.get(), "thing", 8, 6, 20, 20);
  const auto* const there = static_cast<const guint8*>(device_pointer(frame.get()));
  ASSERT_TEXT(read_meta(bench.pass(std::move(frame)).get()).status, "ok");
  ck_assert(seen().on_device);
  ck_assert_ptr_eq(seen().plane, there);  // the region is a crop of the same planes
}
END_TEST

// ---- faults -----------------------------------------------------------------------------------

START_TEST(a_failed_copy_fails_the_frame_alone) {
  Bench bench(kModel + "device=cpu", cuda_caps("RGB"));
  Gpu gpu(0);
  fake_cuda()->fail_copies(1);
  const Meta failed = read_meta(bench.pass(gpu.frame(cuda_caps("RGB"), 1)).get());
  ASSERT_TEXT(failed.status, "failed");
  expect_contains(failed.reason, "gst.cuda.memory");
  fake_cuda()->fail_copies(0);
  ck_assert_int_eq(read_meta(bench.pass(gpu.frame(cuda_caps("RGB"), 2)).get()).best(), 2);
  ck_assert_uint_eq(bench.errors().size(), 0);
}
END_TEST

// Checks of the CPU's path hold for the GPU: nothing beyond the memory is read.
START_TEST(a_layout_beyond_the_memory_is_refused) {
  Bench bench(kModel + "device=cuda", cuda_caps("NV12"));
  Gpu gpu(primary(0));
  const int frames = seen().frames;
  BufferRef beyond = gpu.frame(cuda_caps("NV12"), 1);
  gsize offsets[GST_VIDEO_MAX_PLANES] = {0, 48 * 512};
  gint strides[GST_VIDEO_MAX_PLANES] = {512, 2048};
  gst_buffer_add_video_meta_full(beyond.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12, 64,
                                 48, 2, offsets, strides);
  const Meta failed = read_meta(bench.pass(std::move(beyond)).get());
  ASSERT_TEXT(failed.status, "failed");
  expect_contains(failed.reason, "buffer too small: plane 1");
  BufferRef other = gpu.frame(cuda_caps("NV12", 32, 24), 1);
  expect_contains(read_meta(bench.pass(std::move(other)).get()).reason, "NV12 32x24");
  ck_assert_int_eq(seen().frames, frames);
}
END_TEST

// ---- contexts ---------------------------------------------------------------------------------

START_TEST(neighbours_get_the_primary_context) {
  Bench bench(kModel + "device=cuda:1", cuda_caps("RGB"));
  for (GstPad* pad : {bench.harness()->srcpad, bench.harness()->sinkpad}) {
    GstCudaContext* const context = context_behind(pad);
    ck_assert(context != nullptr);
    ck_assert(fake_cuda()->primary(1) != nullptr);
    ck_assert_ptr_eq(gst_cuda_context_get_handle(context), fake_cuda()->primary(1));
    gst_object_unref(context);
  }
  // One message says so to the whole pipeline.
  const auto told = bench.messages(GST_MESSAGE_HAVE_CONTEXT);
  ck_assert_uint_eq(told.size(), 1);
}
END_TEST

START_TEST(a_neighbours_context_is_kept_and_passed_on) {
  Bench bench(kModel + "device=cuda:0", "");
  bench.set_state(GST_STATE_NULL);  // forgets the primary
  bench.messages(GST_MESSAGE_HAVE_CONTEXT);
  Gpu other(1), mine(0);
  for (Gpu* each : {&other, &mine}) {
    GstContext* const context = gst_context_new_cuda_context(each->context());
    gst_element_set_context(bench.element(), context);
    gst_context_unref(context);
  }
  bench.set_state(GST_STATE_PLAYING);
  GstCudaContext* const found = context_behind(bench.harness()->srcpad);
  ck_assert_ptr_eq(found, mine.context());
  gst_object_unref(found);
  ck_assert_uint_eq(bench.messages(GST_MESSAGE_HAVE_CONTEXT).size(), 0);
}
END_TEST

START_TEST(a_model_on_the_cpu_offers_nothing) {
  Bench bench(kModel + "device=cpu", cuda_caps("RGB"));
  ck_assert_ptr_null(context_behind(bench.harness()->srcpad));
  ck_assert_uint_eq(bench.messages(GST_MESSAGE_HAVE_CONTEXT).size(), 0);
}
END_TEST

// ---- allocation -------------------------------------------------------------------------------

struct Proposal {
  GstBufferPool* pool = nullptr;
  guint size = 0, min = 0;
  GstAllocator* allocator = nullptr;
  ~Proposal() {
    gst_clear_object(&pool);
    gst_clear_object(&allocator);
  }
};
static void ask_for_memory(Bench& bench, const std::string& caps_text, Proposal& proposal) {
  const CapsRef caps(gst_caps_from_string(caps_text.c_str()));
  GstQuery* const query = gst_query_new_allocation(caps.get(), TRUE);
  ck_assert(gst_pad_peer_query(bench.harness()->srcpad, query));
  if (gst_query_get_n_allocation_pools(query) > 0)
    gst_query_parse_nth_allocation_pool(query, 0, &proposal.pool, &proposal.size, &proposal.min,
                                        nullptr);
  if (gst_query_get_n_allocation_params(query) > 0)
    gst_query_parse_nth_allocation_param(query, 0, &proposal.allocator, nullptr);
  gst_query_unref(query);
}

START_TEST(cuda_frames_are_offered_a_pool) {
  Bench bench(kModel + "device=cuda max-in-flight=7", cuda_caps("NV12"));
  Proposal proposal;
  ask_for_memory(bench, cuda_caps("NV12"), proposal);
  ck_assert(GST_IS_CUDA_BUFFER_POOL(proposal.pool));
  ck_assert_uint_ge(proposal.min, 7);
  ck_assert_uint_ge(proposal.size, 512 * 48 * 3 / 2);  // of the GPU's rows, not of the caps'
  ck_assert_ptr_eq(gst_cuda_context_get_handle(GST_CUDA_BUFFER_POOL_CAST(proposal.pool)->context),
                   fake_cuda()->primary(0));
}
END_TEST

START_TEST(others_are_offered_pinned_memory) {
  Bench bench(kModel + "device=cuda", rgb_caps());
  Proposal proposal;
  ask_for_memory(bench, rgb_caps(), proposal);
  ck_assert(proposal.allocator != nullptr);
  ck_assert_ptr_null(proposal.pool);
  GstAllocationParams params;
  gst_allocation_params_init(&params);
  params.prefix = 64;
  params.padding = 32;
  GstMemory* memory = gst_allocator_alloc(proposal.allocator, 1000, &params);
  ck_assert_int_eq(fake_cuda()->host_blocks(), g_host_blocks + 1);
  gsize offset = 0, whole = 0;
  ck_assert_uint_eq(gst_memory_get_sizes(memory, &offset, &whole), 1000);
  ck_assert_uint_eq(offset, 64);
  ck_assert_uint_eq(whole, 1096);
  GstMapInfo map;
  ck_assert(gst_memory_map(memory, &map, GST_MAP_WRITE));
  memset(map.data, 1, map.size);
  gst_memory_unmap(memory, &map);
  gst_memory_unref(memory);
  ck_assert_int_eq(fake_cuda()->host_blocks(), g_host_blocks);
  // Where the driver has none left, ordinary memory does.
  fake_cuda()->fail_host(1);
  memory = gst_allocator_alloc(proposal.allocator, 1000, nullptr);
  ck_assert(memory != nullptr);
  ck_assert_int_eq(fake_cuda()->host_blocks(), g_host_blocks);
  gst_memory_unref(memory);
}
END_TEST

START_TEST(a_model_on_the_cpu_proposes_no_memory) {
  Bench bench(kModel + "device=cpu", rgb_caps());
  Proposal proposal;
  ask_for_memory(bench, rgb_caps(), proposal);
  ck_assert_ptr_null(proposal.pool);
  ck_assert_ptr_null(proposal.allocator);
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify cuda memory");
  // clang-format off
  const struct { const char* name; std::vector<const TTest*> tests; } kCases[] = {
    {"frames",     {buffers_of_a_pool_return, a_pool_waits_until_the_pixels_are_read, a_foreign_context_is_asked_of_the_driver, frames_of_another_gpu_are_copied,
                    a_model_on_the_cpu_gets_a_copy, system_memory_goes_to_a_model_on_a_gpu_as_it_is,
                    regions_are_read_where_they_lie}},
    {"faults",     {a_failed_copy_fails_the_frame_alone, a_layout_beyond_the_memory_is_refused}},
    {"contexts",   {neighbours_get_the_primary_context, a_neighbours_context_is_kept_and_passed_on,
                    a_model_on_the_cpu_offers_nothing}},
    {"allocation", {cuda_frames_are_offered_a_pool, others_are_offered_pinned_memory,
                    a_model_on_the_cpu_proposes_no_memory}},
  };
  // clang-format on
  for (const auto& row : kCases) {
    TCase* tests = tcase_create(row.name);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, note_memory, assert_all_returned);
    for (const TTest* each : row.tests) tcase_add_test(tests, each);
    suite_add_tcase(suite, tests);
  }
  TCase* formats = tcase_create("each format");
  tcase_set_timeout(formats, 60);
  tcase_add_checked_fixture(formats, note_memory, assert_all_returned);
  tcase_add_loop_test(formats, frames_are_read_where_they_lie, 0,
                      static_cast<int>(std::size(kFormats)));
  suite_add_tcase(suite, formats);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (!gst_cuda_load_library() || !fake_cuda()) {
    std::puts("SKIP: GStreamer does not load the fake CUDA driver");
    return 77;
  }
  gst_cuda_memory_init_once();
  return run_suite(make_suite());
}

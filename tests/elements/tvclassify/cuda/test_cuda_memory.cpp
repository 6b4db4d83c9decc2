// Frames in CUDA memory on a machine without a GPU: GStreamer's own CUDA memory, on a fake driver.
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#if GST_CHECK_VERSION(1, 24, 0)
#include <gst/cuda/gstcudastream.h>
#endif
#include <gst/cuda/gstcudautils.h>

#include <atomic>
#include <string_view>

#include "elements/common/log.hpp"
#include "elements/tvclassify/cuda_driver.hpp"
#include "elements/tvclassify/cuda_peer.hpp"
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

static int g_blocks, g_host_blocks, g_downloads, g_peer_copies;
static void note_memory() {
  gpu_stub().reset();  // a test that failed may have left it held
  g_blocks = fake_cuda()->device_blocks();
  g_host_blocks = fake_cuda()->host_blocks();
  g_downloads = fake_cuda()->downloads();
  g_peer_copies = fake_cuda()->peer_copies();
}
static void assert_all_returned() {
  fake_cuda()->fail_copies(0);
  fake_cuda()->fail_host(0);
  fake_cuda()->isolate(0);
  fake_cuda()->fail_peers(0);
  fake_cuda()->be_lazy(0);
  fake_cuda()->join_devices(0);
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
static bool is_rgb(const std::string& format) {
  return format[0] == 'R' || format[0] == 'B';
}
/// Of one colour's frames. Full range: luma is the grey that it shows.
static std::string coloured_caps(const std::string& format) {
  return cuda_caps(format.c_str(), 66, 50) + (is_rgb(format) ? "" : ",colorimetry=1:4:0:0");
}

START_TEST(frames_are_read_where_they_lie) {
  const std::string format = kFormats[_i];
  const bool rgb = is_rgb(format);
  const std::string caps = coloured_caps(format);
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
  ck_assert_int_eq(fake_cuda()->peer_copies(), g_peer_copies);
  fake_cuda()->isolate(1);
  ck_assert_int_eq(read_meta(bench.pass(gpu.frame(cuda_caps("RGB"), 8)).get()).best(), 8);
  ck_assert(seen().on_device);
  ck_assert_int_eq(fake_cuda()->peer_copies(), g_peer_copies + 1);
  ck_assert_int_eq(fake_cuda()->downloads(), g_downloads);
}
END_TEST

/// Frames that the model's GPU, the first one, cannot read.
struct Elsewhere {
  const char* what;
  int device, isolate;
};
static constexpr Elsewhere kElsewhere[] = {{"another GPU", 1, 0}, {"a context apart", 0, 1}};

// The stub reads the copy when it may: before that, a lazy GPU has not made it.
START_TEST(frames_elsewhere_are_copied_between_gpus) {
  const std::string format = kFormats[static_cast<std::size_t>(_i) / 2];
  const Elsewhere& where = kElsewhere[_i % 2];
  const bool rgb = is_rgb(format);
  const std::string caps = coloured_caps(format);
  fake_cuda()->isolate(where.isolate);
  fake_cuda()->be_lazy(1);
  Bench bench(kModel + "device=cuda:0", caps);
  Gpu gpu(where.device);
  BufferRef frame = gpu.frame(caps, 100, 200);
  const void* const there = device_pointer(frame.get());
  const BufferRef out = bench.pass(std::move(frame));
  const Meta meta = read_meta(out.get());
  ASSERT_TEXT(meta.status, "ok");
  ck_assert_int_eq(meta.best(), stub_class(100, rgb));
  const SeenFrame last = seen();
  ck_assert(last.on_device);
  ck_assert(last.written != nullptr);
  ck_assert_ptr_ne(last.plane, there);
  ck_assert_ptr_eq(device_pointer(out.get()), there);  // what leaves is what came
  ck_assert_int_eq(fake_cuda()->peer_copies(), g_peer_copies + 1);
  ck_assert_int_eq(fake_cuda()->downloads(), g_downloads);
}
END_TEST

#if GST_CHECK_VERSION(1, 24, 0)
// The memory's stream has not written it yet when the frame arrives.
START_TEST(frames_that_are_being_written_are_waited_for) {
  const std::string caps_text = cuda_caps("RGB");
  const CapsRef caps(gst_caps_from_string(caps_text.c_str()));
  GstVideoInfo info;
  ck_assert(gst_video_info_from_caps(&info, caps.get()));
  for (const int device : {0, 1}) {
    fake_cuda()->be_lazy(1);
    Bench bench(kModel + "device=cuda:0", caps_text);
    Gpu gpu(device);
    GstCudaStream* const stream = gst_cuda_stream_new(gpu.context());
    ck_assert(stream != nullptr);
    GstAllocator* const allocator = gst_allocator_find(GST_CUDA_MEMORY_TYPE_NAME);
    GstMemory* const memory =
        gst_cuda_allocator_alloc(GST_CUDA_ALLOCATOR_CAST(allocator), gpu.context(), stream, &info);
    gst_object_unref(allocator);
    BufferRef frame(gst_buffer_new());
    gst_buffer_append_memory(frame.get(), memory);
    fake_cuda()->fill(reinterpret_cast<CUdeviceptr>(device_pointer(frame.get())), 77,
                      gst_memory_get_sizes(memory, nullptr, nullptr),
                      gst_cuda_stream_get_handle(stream));
    ck_assert_int_eq(read_meta(bench.pass(std::move(frame)).get()).best(), 77);
    ck_assert(seen().on_device);
    ck_assert(seen().written != nullptr);
    ck_assert_int_eq(fake_cuda()->peer_copies(), g_peer_copies + device);
    gst_cuda_stream_unref(stream);
  }
}
END_TEST
#endif

START_TEST(copies_use_their_memory_again) {
  const Elsewhere& where = kElsewhere[_i];
  fake_cuda()->isolate(where.isolate);
  const std::string caps = cuda_caps("RGB");
  Bench bench(kModel + "device=cuda:0 max-in-flight=8", caps);
  Gpu gpu(where.device);
  constexpr int kAtOnce = 4;
  const int made = fake_cuda()->made(0);
  for (int i = 0; i < 100; i += kAtOnce) {
    for (int k = i; k < i + kAtOnce; ++k)
      ck_assert_int_eq(bench.push(gpu.frame(caps, k)), GST_FLOW_OK);
    for (int k = i; k < i + kAtOnce; ++k) {
      const BufferRef out(gst_harness_pull(bench.harness()));
      ck_assert_int_eq(read_meta(out.get()).best(), k);
    }
  }
  ck_assert_int_eq(fake_cuda()->peer_copies(), g_peer_copies + 100);
  ck_assert_int_eq(fake_cuda()->downloads(), g_downloads);
  ck_assert_int_ge(fake_cuda()->made(0), made + 1);
  ck_assert_int_le(fake_cuda()->made(0), made + kAtOnce);
}
END_TEST

START_TEST(frames_that_grow_get_larger_memory) {
  Bench bench(kModel + "device=cuda:0", cuda_caps("RGB"));
  Gpu gpu(1);
  const int made = fake_cuda()->made(0);
  const struct {
    int width, height, made;
  } kSizes[] = {{64, 48, 1}, {640, 480, 2}, {64, 48, 2}, {640, 480, 2}};
  for (const auto& size : kSizes) {
    const std::string caps = cuda_caps("RGB", size.width, size.height);
    gst_harness_set_src_caps_str(bench.harness(), caps.c_str());
    ck_assert_int_eq(read_meta(bench.pass(gpu.frame(caps, 9)).get()).best(), 9);
    ck_assert_int_eq(fake_cuda()->made(0), made + size.made);
    // The smaller one is not kept.
    ck_assert_int_eq(fake_cuda()->device_blocks(), g_blocks + 1);
  }
}
END_TEST

START_TEST(gpus_that_can_reach_each_other_do) {
  for (const int joined : {0, 1}) {
    fake_cuda()->join_devices(0);  // GStreamer joins contexts of its own
    Bench bench(kModel + "device=cuda:0", cuda_caps("RGB"));
    Gpu gpu(1);
    fake_cuda()->join_devices(joined);
    auto* const theirs = static_cast<CUcontext>(gst_cuda_context_get_handle(gpu.context()));
    for (int i = 0; i < 3; ++i)
      ck_assert_int_eq(read_meta(bench.pass(gpu.frame(cuda_caps("RGB"), i)).get()).best(), i);
    ck_assert_int_eq(fake_cuda()->has_way(static_cast<CUcontext>(fake_cuda()->primary(0)), theirs),
                     joined);
  }
  ck_assert_int_eq(fake_cuda()->peer_copies(), g_peer_copies + 6);
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

/// data: std::atomic<int>.
static void count_complaints(GstDebugCategory*, GstDebugLevel level, const gchar*, const gchar*,
                             gint, GObject*, GstDebugMessage* message, gpointer data) {
  const std::string_view text = gst_debug_message_get(message);
  if (level == GST_LEVEL_WARNING && text.starts_with("no copy from GPU to GPU"))
    ++*static_cast<std::atomic<int>*>(data);
}

START_TEST(a_failed_copy_between_gpus_goes_by_the_cpu) {
  Bench bench(kModel + "device=cuda:0", cuda_caps("NV12"));
  Gpu gpu(1);
  std::atomic<int> complaints{0};
  gst_debug_category_set_threshold(log_category(), GST_LEVEL_WARNING);
  // In parentheses: its macro compares with a void*.
  (gst_debug_add_log_function)(count_complaints, &complaints, nullptr);
  fake_cuda()->fail_peers(1);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TEXT(read_meta(bench.pass(gpu.frame(cuda_caps("NV12"), 1)).get()).status, "ok");
    ck_assert(!seen().on_device);
    ck_assert_int_eq(fake_cuda()->downloads(), g_downloads + i + 1);
  }
  gst_debug_remove_log_function_by_data(&complaints);
  gst_debug_category_reset_threshold(log_category());
  ck_assert_int_eq(complaints, 1);
  fake_cuda()->fail_peers(0);
  ASSERT_TEXT(read_meta(bench.pass(gpu.frame(cuda_caps("NV12"), 1)).get()).status, "ok");
  ck_assert(seen().on_device);
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

// ---- copies between GPUs ----------------------------------------------------------------------

/// Bytes of a GPU's, as a producer has them.
struct Produced {
  explicit Produced(GstCudaContext* from) : context(from) {
    const CurrentContext current(context);
    ck_assert_int_eq(cuda_driver()->alloc(&at, kBytes), CUDA_SUCCESS);
    ck_assert_int_eq(cuda_driver()->create_stream(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    ck_assert_int_eq(cuda_driver()->create_event(&written, 0), CUDA_SUCCESS);
  }
  ~Produced() {
    const CurrentContext current(context);
    cuda_driver()->free(at);
    cuda_driver()->destroy_stream(stream);
    cuda_driver()->destroy_event(written);
  }
  Produced(const Produced&) = delete;
  Produced& operator=(const Produced&) = delete;
  /// Sooner or later, and `written` behind it.
  void write(int value) {
    const CurrentContext current(context);
    fake_cuda()->fill(at, static_cast<unsigned char>(value), kBytes, stream);
    ck_assert_int_eq(cuda_driver()->record_event(written, stream), CUDA_SUCCESS);
  }
  PeerSource source(std::shared_ptr<const void> owner) const {
    return {.at = at,
            .bytes = kBytes,
            .context = static_cast<CUcontext>(gst_cuda_context_get_handle(context)),
            .device = 1,
            .written = written,
            .owner = std::move(owner)};
  }

  static constexpr std::size_t kBytes = 1000;
  GstCudaContext* const context;
  CUdeviceptr at = 0;
  CUstream stream = nullptr;
  CUevent written = nullptr;
};
static int last_byte(const PeerCopy& copy) {
  return reinterpret_cast<const std::uint8_t*>(copy.at)[Produced::kBytes - 1];
}

START_TEST(a_copy_follows_what_writes_the_frame) {
  fake_cuda()->be_lazy(1);
  Gpu gpu(1);
  Produced produced(gpu.context());
  const auto copies = PeerCopies::make(0);
  ck_assert(copies);
  produced.write(42);
  const auto copy = (*copies)->copy(produced.source(nullptr));
  ck_assert(copy);
  ck_assert_int_eq(last_byte(*copy), 0);  // it waits for nobody
  cuda_driver()->synchronize_event(copy->written);
  ck_assert_int_eq(last_byte(*copy), 42);
}
END_TEST

// As when a flush drops a frame that waits at the model.
START_TEST(a_frame_given_up_is_held_until_it_is_copied) {
  fake_cuda()->be_lazy(1);
  Gpu gpu(1);
  Produced produced(gpu.context());
  auto copies = PeerCopies::make(0);
  ck_assert(copies);
  produced.write(42);
  CUdeviceptr block = 0;
  int found = -1;
  auto copy = (*copies)->copy(produced.source(std::shared_ptr<const void>(
      &produced, [&](const void*) { found = last_byte({.at = block, .owner = {}}); })));
  ck_assert(copy);
  block = copy->at;
  ck_assert_int_eq(found, -1);
  copies->reset();  // the stream of frames ends first
  copy->owner.reset();
  ck_assert_int_eq(found, 42);
}
END_TEST

START_TEST(a_copy_that_fails_holds_nothing) {
  Gpu gpu(1);
  Produced produced(gpu.context());
  produced.write(1);
  const auto copies = PeerCopies::make(0);
  ck_assert(copies);
  fake_cuda()->fail_peers(1);
  const auto owner = std::make_shared<int>(0);
  const auto copy = (*copies)->copy(produced.source(owner));
  ck_assert(!copy);
  expect_contains(copy.error().text(), "copying a frame of GPU 1 to GPU 0: error 801");
  ck_assert_int_eq(static_cast<int>(owner.use_count()), 1);
  ck_assert(!PeerCopies::make(2));
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
    {"frames",     {buffers_of_a_pool_return, a_pool_waits_until_the_pixels_are_read, a_foreign_context_is_asked_of_the_driver,
                    frames_that_grow_get_larger_memory, gpus_that_can_reach_each_other_do,
                    a_model_on_the_cpu_gets_a_copy, system_memory_goes_to_a_model_on_a_gpu_as_it_is,
                    regions_are_read_where_they_lie}},
    {"faults",     {a_failed_copy_fails_the_frame_alone, a_failed_copy_between_gpus_goes_by_the_cpu,
                    a_layout_beyond_the_memory_is_refused}},
    {"copies",     {a_copy_follows_what_writes_the_frame, a_frame_given_up_is_held_until_it_is_copied,
                    a_copy_that_fails_holds_nothing}},
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
#if GST_CHECK_VERSION(1, 24, 0)
  TCase* late = tcase_create("late writes");
  tcase_set_timeout(late, 60);
  tcase_add_checked_fixture(late, note_memory, assert_all_returned);
  tcase_add_test(late, frames_that_are_being_written_are_waited_for);
  suite_add_tcase(suite, late);
#endif
  TCase* formats = tcase_create("each format");
  tcase_set_timeout(formats, 60);
  tcase_add_checked_fixture(formats, note_memory, assert_all_returned);
  tcase_add_loop_test(formats, frames_are_read_where_they_lie, 0,
                      static_cast<int>(std::size(kFormats)));
  tcase_add_loop_test(formats, frames_elsewhere_are_copied_between_gpus, 0,
                      static_cast<int>(std::size(kFormats) * std::size(kElsewhere)));
  tcase_add_loop_test(formats, copies_use_their_memory_again, 0,
                      static_cast<int>(std::size(kElsewhere)));
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

// One element description in several streams, fed as fast as it takes frames.
//   engine-benchmark STREAMS FRAMES WIDTH HEIGHT [format=NV12] ELEMENT...
// FRAMES are of all streams together, after 5 % more that are not measured. Prints one line of
// JSON: frames_per_second, p50_ms and p99_ms from the sink pad to the source pad, cpu_us (of the
// process, a frame), allocations (a frame), memory_mib (resident at the end).
#include <gst/gst.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/count_allocations.hpp"

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "error: %s\n", why.c_str());
  std::exit(1);
}

/// One element between two pads of ours.
class Stream {
 public:
  Stream(const std::string& description, const std::string& caps, std::size_t frames)
      : pushed_(frames), latencies_(frames) {
    GError* error = nullptr;
    element_ = gst_parse_launch(description.c_str(), &error);
    if (error) give_up(error->message);
    gst_object_ref_sink(element_);
    source_ = gst_pad_new("src", GST_PAD_SRC);
    sink_ = gst_pad_new("sink", GST_PAD_SINK);
    gst_pad_set_element_private(sink_, this);
    gst_pad_set_chain_function(sink_, take);
    GstPad* in = gst_element_get_static_pad(element_, "sink");
    GstPad* out = gst_element_get_static_pad(element_, "src");
    gst_pad_set_active(source_, TRUE);
    gst_pad_set_active(sink_, TRUE);
    if (gst_pad_link(source_, in) != GST_PAD_LINK_OK || gst_pad_link(out, sink_) != GST_PAD_LINK_OK)
      give_up("the element cannot be linked");
    gst_object_unref(in);
    gst_object_unref(out);
    if (gst_element_set_state(element_, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
      give_up("the element does not start");
    gst_pad_push_event(source_, gst_event_new_stream_start("benchmark"));
    GstCaps* parsed = gst_caps_from_string(caps.c_str());
    gst_pad_push_event(source_, gst_event_new_caps(parsed));
    gst_caps_unref(parsed);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(source_, gst_event_new_segment(&segment));
  }
  ~Stream() {
    gst_element_set_state(element_, GST_STATE_NULL);
    gst_object_unref(element_);
    gst_pad_set_active(source_, FALSE);
    gst_pad_set_active(sink_, FALSE);
    gst_object_unref(source_);
    gst_object_unref(sink_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Pushes frames [begin, end) and waits until they have left.
  void run(GstBuffer* frame, std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      GstBuffer* buffer = gst_buffer_copy(frame);  // the pixels are shared
      GST_BUFFER_PTS(buffer) = i;
      pushed_[i] = Clock::now();
      if (gst_pad_push(source_, buffer) != GST_FLOW_OK) give_up("a frame was refused");
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return left_ == end; });
  }
  /// Nanoseconds, of frames [begin, end).
  void add_latencies(std::size_t begin, std::vector<std::int64_t>& all) const {
    all.insert(all.end(), latencies_.begin() + static_cast<std::ptrdiff_t>(begin),
               latencies_.end());
  }

 private:
  static GstFlowReturn take(GstPad* pad, GstObject*, GstBuffer* buffer) {
    auto* self = static_cast<Stream*>(gst_pad_get_element_private(pad));
    const auto i = static_cast<std::size_t>(GST_BUFFER_PTS(buffer));
    gst_buffer_unref(buffer);
    self->latencies_[i] =
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - self->pushed_[i])
            .count();
    const std::lock_guard lock(self->mutex_);
    ++self->left_;
    self->changed_.notify_all();
    return GST_FLOW_OK;
  }

  GstElement* element_ = nullptr;
  GstPad *source_ = nullptr, *sink_ = nullptr;
  std::vector<Clock::time_point> pushed_;
  std::vector<std::int64_t> latencies_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t left_ = 0;
};

double cpu_microseconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  double all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

GstBuffer* random_frame(std::size_t size) {
  std::mt19937 random(1);
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, size, nullptr);
  GstMapInfo map;
  gst_buffer_map(buffer, &map, GST_MAP_WRITE);
  for (std::size_t i = 0; i < size; ++i) map.data[i] = static_cast<guint8>(random());
  gst_buffer_unmap(buffer, &map);
  return buffer;
}

void run_all(const std::vector<std::unique_ptr<Stream>>& streams, GstBuffer* frame,
             std::size_t begin, std::size_t end) {
  std::vector<std::thread> threads;
  for (const auto& stream : streams)
    threads.emplace_back([&, each = stream.get()] { each->run(frame, begin, end); });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (argc < 6) give_up("STREAMS FRAMES WIDTH HEIGHT ELEMENT...");
  const std::size_t count = std::strtoul(argv[1], nullptr, 10);
  const std::size_t frames = std::max<std::size_t>(20, std::strtoul(argv[2], nullptr, 10) / count);
  const std::size_t warm = std::max<std::size_t>(5, frames / 20);
  const std::size_t width = std::strtoul(argv[3], nullptr, 10);
  const std::size_t height = std::strtoul(argv[4], nullptr, 10);
  std::string element;
  const bool nv12 = argv[5] == std::string("format=NV12");  // else GRAY8
  for (int i = nv12 ? 6 : 5; i < argc; ++i) element += std::string(argv[i]) + " ";
  const std::string caps = std::string("video/x-raw,format=") + (nv12 ? "NV12" : "GRAY8") +
                           ",framerate=30/1,width=" + std::to_string(width) +
                           ",height=" + std::to_string(height);
  const std::size_t luma = (width + 3) / 4 * 4 * height;
  GstBuffer* frame = random_frame(nv12 ? luma + luma / 2 : luma);  // of an even height
  std::vector<std::unique_ptr<Stream>> streams;
  for (std::size_t i = 0; i < count; ++i)
    streams.push_back(std::make_unique<Stream>(element, caps, warm + frames));

  run_all(streams, frame, 0, warm);
  const std::uint64_t allocations_before = allocations;
  const double cpu_before = cpu_microseconds();
  const auto begin = Clock::now();
  run_all(streams, frame, warm, warm + frames);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const double cpu = cpu_microseconds() - cpu_before;
  const auto allocated = static_cast<double>(allocations - allocations_before);

  std::vector<std::int64_t> latencies;
  for (const auto& stream : streams) stream->add_latencies(warm, latencies);
  std::sort(latencies.begin(), latencies.end());
  const auto all = static_cast<double>(frames * count);
  const auto at = [&](std::size_t percent) {
    return static_cast<double>(latencies[(latencies.size() - 1) * percent / 100]) / 1e6;
  };
  std::printf(
      "{\"frames_per_second\": %.2f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"cpu_us\": %.2f, "
      "\"allocations\": %.1f, \"memory_mib\": %.0f}\n",
      all / seconds, at(50), at(99), cpu / all, allocated / all, resident_mib());
  streams.clear();
  gst_buffer_unref(frame);
  return 0;
}

// Whole pipelines for the element's tests: a seekable source of numbered frames, a record of what
// passes a pad, and a pipeline that ends with its scope. The stub backend names each frame's
// number.
#pragma once

#include <gst/base/gstpushsrc.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "tests/elements/tvclassify/solid.hpp"

namespace tv::test {

/// Nothing takes that long unless it hangs.
constexpr std::chrono::seconds kWatchdog{50};
constexpr int kEndless = 1 << 30;
/// The stub tells so many frames apart.
constexpr int kNumbers = 512;

/// What the stub says of a frame.
constexpr int class_of_number(int number) {
  return number % kNumbers;
}

// ---- the source -------------------------------------------------------------------------------

/// Frames whose colour is their number and whose time is their number times `step`. Seekable, both
/// ways. Set the fields before it starts.
struct NumberedSource {
  GstPushSrc parent;
  int frames, width, height;
  GstClockTime step;
  guint pool_max;        ///< buffers of a pool of its own; 0: what downstream answers
  gboolean pool_of_min;  ///< takes no more buffers than downstream asks for
  gboolean provides_clock;
  int next;
};
struct NumberedSourceClass {
  GstPushSrcClass parent_class;
};

GType numbered_source_get_type();
G_DEFINE_TYPE(NumberedSource, numbered_source, GST_TYPE_PUSH_SRC)

inline NumberedSource* numbered(gpointer object) {
  return static_cast<NumberedSource*>(object);
}

inline gboolean numbered_do_seek(GstBaseSrc* base, GstSegment* segment) {
  NumberedSource* self = numbered(base);
  segment->time = segment->start;
  const auto at = [&](GstClockTime time) { return static_cast<int>(time / self->step); };
  if (segment->rate > 0)
    self->next = at(segment->position);
  else
    self->next = std::min(at(segment->position + self->step - 1), self->frames) - 1;
  return TRUE;
}

inline GstCaps* numbered_get_caps(GstBaseSrc* base, GstCaps* filter) {
  NumberedSource* self = numbered(base);
  CapsRef caps(gst_caps_from_string(rgb_caps(self->width, self->height).c_str()));
  if (!filter) return caps.release();
  return gst_caps_intersect_full(filter, caps.get(), GST_CAPS_INTERSECT_FIRST);
}

inline gboolean numbered_set_caps(GstBaseSrc* base, GstCaps* caps) {
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, caps)) return FALSE;
  gst_base_src_set_blocksize(base, static_cast<guint>(GST_VIDEO_INFO_SIZE(&info)));
  return TRUE;
}

inline gboolean numbered_decide_allocation(GstBaseSrc* base, GstQuery* query) {
  NumberedSource* self = numbered(base);
  guint min = 0, max = self->pool_max;
  if (gst_query_get_n_allocation_pools(query) > 0)
    gst_query_parse_nth_allocation_pool(query, 0, nullptr, nullptr, &min, nullptr);
  if (self->pool_of_min) max = min;
  if (max == 0)
    return GST_BASE_SRC_CLASS(numbered_source_parent_class)->decide_allocation(base, query);
  GstCaps* caps = nullptr;
  gst_query_parse_allocation(query, &caps, nullptr);
  const guint size = gst_base_src_get_blocksize(base);
  GstBufferPool* pool = gst_buffer_pool_new();
  GstStructure* config = gst_buffer_pool_get_config(pool);
  gst_buffer_pool_config_set_params(config, caps, size, max, max);
  const gboolean taken = gst_buffer_pool_set_config(pool, config);
  while (gst_query_get_n_allocation_pools(query) > 0)
    gst_query_remove_nth_allocation_pool(query, 0);
  gst_query_add_allocation_pool(query, pool, size, max, max);
  gst_object_unref(pool);
  return taken;
}

inline GstFlowReturn numbered_fill(GstPushSrc* push, GstBuffer* buffer) {
  NumberedSource* self = numbered(push);
  if (self->next < 0 || self->next >= self->frames) return GST_FLOW_EOS;
  const int number = class_of_number(self->next);
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_WRITE)) return GST_FLOW_ERROR;
  // Padding gets a colour, too. Rows are multiples of four bytes in all sizes used here.
  for (gsize i = 0; i + 3 <= map.size; i += 3) {
    map.data[i] = static_cast<guint8>(number % 256);
    map.data[i + 1] = number >= 256 ? 255 : 0;
    map.data[i + 2] = 0;
  }
  gst_buffer_unmap(buffer, &map);
  GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(self->next) * self->step;
  GST_BUFFER_DURATION(buffer) = self->step;
  GST_BUFFER_OFFSET(buffer) = static_cast<guint64>(self->next);
  self->next += GST_BASE_SRC(push)->segment.rate > 0 ? 1 : -1;
  return GST_FLOW_OK;
}

inline void numbered_get_times(GstBaseSrc* base, GstBuffer* buffer, GstClockTime* start,
                               GstClockTime* end) {
  *start = *end = GST_CLOCK_TIME_NONE;
  if (gst_base_src_is_live(base)) *start = GST_BUFFER_PTS(buffer);
}

inline GstClock* numbered_provide_clock(GstElement* element) {
  if (!numbered(element)->provides_clock) return nullptr;
  return GST_CLOCK(
      g_object_ref_sink(g_object_new(GST_TYPE_SYSTEM_CLOCK, "name", "of-a-source", nullptr)));
}

inline void numbered_source_class_init(NumberedSourceClass* klass) {
  static GstStaticPadTemplate source = GST_STATIC_PAD_TEMPLATE(
      "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw,format=RGB"));
  gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(klass), &source);
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "numbered frames", "Source",
                                        "for tests", "The gst-torchvision authors");
  GST_ELEMENT_CLASS(klass)->provide_clock = numbered_provide_clock;
  auto* base = GST_BASE_SRC_CLASS(klass);
  base->is_seekable = [](GstBaseSrc*) -> gboolean { return TRUE; };
  base->do_seek = numbered_do_seek;
  base->get_caps = numbered_get_caps;
  base->set_caps = numbered_set_caps;
  base->decide_allocation = numbered_decide_allocation;
  base->get_times = numbered_get_times;
  GST_PUSH_SRC_CLASS(klass)->fill = numbered_fill;
}
inline void numbered_source_init(NumberedSource* self) {
  self->frames = kEndless;
  self->width = 64;
  self->height = 48;
  self->step = 40 * GST_MSECOND;
  gst_base_src_set_format(GST_BASE_SRC(self), GST_FORMAT_TIME);
}

/// A floating one.
inline NumberedSource* make_source(int frames = kEndless, int width = 64, int height = 48) {
  NumberedSource* self = numbered(g_object_new(numbered_source_get_type(), nullptr));
  self->frames = frames;
  self->width = width;
  self->height = height;
  return self;
}

/// One frame of a colour: the stub names its red, up to 127.
inline BufferRef plain(int red, int width, int height, GstClockTime time) {
  const auto size = static_cast<gsize>(GST_ROUND_UP_4(width * 3) * height);
  BufferRef buffer(gst_buffer_new_allocate(nullptr, size, nullptr));
  gst_buffer_memset(buffer.get(), 0, static_cast<guint8>(red), size);
  GST_BUFFER_PTS(buffer.get()) = time;
  return buffer;
}

// ---- the record -------------------------------------------------------------------------------

/// Buffers and serialized events, and FLUSH_STOP, as they pass a pad.
struct Passed {
  char kind;         ///< b buffer, T stream-start, C caps, S segment, D segment-done, F flush-stop,
                     ///< E EOS
  std::string text;  ///< all that has to stay as it is
  int number = -1;   ///< of a buffer
  std::shared_ptr<GstBuffer> said = {};  ///< the metas of a buffer; read on the test's thread,
                                         ///< because Check is not for several
  GstSegment segment = {};               ///< of a segment
  guint32 seqnum = 0;                    ///< of an event

  bool has_meta() const { return !read_metas(said.get()).empty(); }
  Meta meta() const { return read_meta(said.get()); }
};

/// A test that fails leaves its scope without destructors, and its pipeline goes on: what the probe
/// writes to is the probe's as well.
class Record {
 public:
  /// Also of several pads, one after the other.
  void follow(GstPad* pad) {
    gst_pad_add_probe(pad,
                      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                   GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM |
                                                   GST_PAD_PROBE_TYPE_EVENT_FLUSH),
                      note, new std::shared_ptr<State>(state_),
                      [](gpointer data) { delete static_cast<std::shared_ptr<State>*>(data); });
  }
  std::vector<Passed> all() const {
    const std::lock_guard lock(state_->mutex);
    return state_->all;
  }
  /// Those behind the last flush.
  std::vector<Passed> since_flush() const {
    std::vector<Passed> passed = all();
    const auto last = std::find_if(passed.rbegin(), passed.rend(),
                                   [](const Passed& each) { return each.kind == 'F'; });
    passed.erase(passed.begin(), last.base());
    return passed;
  }
  int buffers() const {
    const std::lock_guard lock(state_->mutex);
    return count('b');
  }
  void clear() {
    const std::lock_guard lock(state_->mutex);
    state_->all.clear();
  }
  /// Waits until so many of a kind have passed.
  void wait_for(char kind, int wanted) {
    wait([&] { return count(kind) >= wanted; });
  }
  /// Waits until so many buffers have passed behind the segment of a seek.
  void wait_for_seek(guint32 seqnum, int buffers) {
    wait([&] {
      int found = 0;
      for (auto each = state_->all.rbegin(); each != state_->all.rend(); ++each) {
        if (each->kind == 'S') return each->seqnum == seqnum && found >= buffers;
        found += each->kind == 'b' ? 1 : 0;
      }
      return false;
    });
  }

 private:
  struct State {
    std::mutex mutex;  // guards what follows
    std::condition_variable changed;
    std::vector<Passed> all;
  };

  template <typename F>
  void wait(F&& is_there) {
    std::unique_lock lock(state_->mutex);
    const bool came = state_->changed.wait_for(lock, kWatchdog, is_there);
    const std::string seen = kinds_of(state_->all);
    lock.unlock();
    ck_assert_msg(came, "what the test waits for does not come; %zu have passed, the last are %s",
                  seen.size(),
                  seen.substr(seen.size() - std::min<std::size_t>(seen.size(), 60)).c_str());
  }
  int count(char kind) const {
    return static_cast<int>(std::count_if(state_->all.begin(), state_->all.end(),
                                          [&](const Passed& each) { return each.kind == kind; }));
  }
  static std::string kinds_of(const std::vector<Passed>& passed) {
    std::string text;
    for (const Passed& each : passed) text += each.kind;
    return text;
  }
  static std::string describe(GstBuffer* buffer) {
    GstMapInfo map;
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return "unreadable";
    const GCharPtr digest(g_compute_checksum_for_data(G_CHECKSUM_MD5, map.data, map.size));
    gst_buffer_unmap(buffer, &map);
    // Of a copy of the struct the memory is marked.
    const unsigned flags = GST_BUFFER_FLAGS(buffer) & ~(GST_MINI_OBJECT_FLAG_LAST - 1U) &
                           ~static_cast<unsigned>(GST_BUFFER_FLAG_TAG_MEMORY);
    return std::to_string(GST_BUFFER_PTS(buffer)) + " " +
           std::to_string(GST_BUFFER_DURATION(buffer)) + " " +
           std::to_string(GST_BUFFER_OFFSET(buffer)) + " " + std::to_string(flags) + " " +
           digest.get();
  }
  static char kind_of(const GstEvent* event) {
    switch (GST_EVENT_TYPE(event)) {
      case GST_EVENT_STREAM_START:
        return 'T';
      case GST_EVENT_CAPS:
        return 'C';
      case GST_EVENT_SEGMENT:
        return 'S';
      case GST_EVENT_SEGMENT_DONE:
        return 'D';
      case GST_EVENT_FLUSH_STOP:
        return 'F';
      case GST_EVENT_EOS:
        return 'E';
      default:
        return 0;
    }
  }
  static GstPadProbeReturn note(GstPad*, GstPadProbeInfo* info, gpointer data) {
    Passed passed{};
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
      GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
      passed.kind = 'b';
      passed.text = describe(buffer);
      passed.number = static_cast<int>(GST_BUFFER_OFFSET(buffer));
      passed.said = {gst_buffer_new(), gst_buffer_unref};
      gst_buffer_copy_into(passed.said.get(), buffer, GST_BUFFER_COPY_META, 0, 0);
    } else {
      GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
      passed.kind = kind_of(event);
      if (passed.kind == 0) return GST_PAD_PROBE_OK;
      passed.seqnum = gst_event_get_seqnum(event);
      if (passed.kind == 'S') gst_event_copy_segment(event, &passed.segment);
      const GstStructure* fields = gst_event_get_structure(event);
      const GCharPtr text(fields ? gst_structure_to_string(fields) : nullptr);
      passed.text = text ? text.get() : "";
    }
    State& state = **static_cast<std::shared_ptr<State>*>(data);
    const std::lock_guard lock(state.mutex);
    state.all.push_back(std::move(passed));
    state.changed.notify_all();
    return GST_PAD_PROBE_OK;
  }

  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// "TCSbbbE"
inline std::string kinds(const std::vector<Passed>& passed) {
  std::string text;
  for (const Passed& each : passed) text += each.kind;
  return text;
}

/// Each as it was, in the same order, and each frame with its own result.
inline void assert_same(const std::vector<Passed>& in, const std::vector<Passed>& out) {
  ASSERT_TEXT(kinds(out), kinds(in));
  for (std::size_t i = 0; i < in.size(); ++i) ASSERT_TEXT(out[i].text, in[i].text);
  for (const Passed& each : out) {
    if (each.kind != 'b') continue;
    ASSERT_TEXT(each.meta().status, "ok");
    ck_assert_int_eq(each.meta().best(), class_of_number(each.number));
  }
}

/// Frame after frame, none lost and none twice; those with a meta have their own result.
inline void assert_consecutive(const std::vector<Passed>& passed) {
  int next = 0;
  for (const Passed& each : passed) {
    if (each.kind != 'b') continue;
    ck_assert_int_eq(each.number, next++);
    if (each.has_meta()) ck_assert_int_eq(each.meta().best(), class_of_number(each.number));
  }
}

// ---- the pipeline -----------------------------------------------------------------------------

/// A bin with a clock and a bus; NULL at the end of its scope.
class Pipeline {
 public:
  Pipeline() : pipeline_(GST_ELEMENT(g_object_ref_sink(gst_pipeline_new(nullptr)))) {}
  ~Pipeline() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(pipeline_);
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  GstElement* get() { return pipeline_; }
  /// Takes a floating element in.
  GstElement* add(gpointer element) {
    ck_assert(element && gst_bin_add(GST_BIN(pipeline_), GST_ELEMENT(element)));
    return GST_ELEMENT(element);
  }
  GstElement* add(const std::string& line) {
    GError* error = nullptr;
    GstElement* element =
        gst_parse_launch_full(line.c_str(), nullptr, GST_PARSE_FLAG_NO_SINGLE_ELEMENT_BINS, &error);
    ck_assert_msg(!error, "%s: %s", line.c_str(), error ? error->message : "");
    return add(element);
  }
  void remove(GstElement* element) {
    gst_element_set_locked_state(element, TRUE);
    gst_element_set_state(element, GST_STATE_NULL);
    ck_assert(gst_bin_remove(GST_BIN(pipeline_), element));
  }
  void set_state(GstState state) {
    ck_assert(gst_element_set_state(pipeline_, state) != GST_STATE_CHANGE_FAILURE);
  }
  void wait_for_state() {
    ck_assert(gst_element_get_state(pipeline_, nullptr, nullptr,
                                    static_cast<GstClockTime>(kWatchdog.count()) * GST_SECOND) !=
              GST_STATE_CHANGE_FAILURE);
  }
  void drop_messages() {
    GstBus* bus = gst_element_get_bus(pipeline_);
    gst_bus_set_flushing(bus, TRUE);
    gst_bus_set_flushing(bus, FALSE);
    gst_object_unref(bus);
  }
  /// The text of the error that has been posted.
  std::string error() {
    GstBus* bus = gst_element_get_bus(pipeline_);
    const MessageRef found(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR));
    gst_object_unref(bus);
    ck_assert_msg(found != nullptr, "no error");
    GError* error = nullptr;
    gst_message_parse_error(found.get(), &error, nullptr);
    const std::string text = error->message;
    g_error_free(error);
    return text;
  }
  /// The message, or the error in front of it, with which the test ends.
  MessageRef wait_for(GstMessageType type) {
    GstBus* bus = gst_element_get_bus(pipeline_);
    MessageRef found(
        gst_bus_timed_pop_filtered(bus, static_cast<GstClockTime>(kWatchdog.count()) * GST_SECOND,
                                   static_cast<GstMessageType>(type | GST_MESSAGE_ERROR)));
    gst_object_unref(bus);
    ck_assert_msg(found != nullptr, "no %s comes", gst_message_type_get_name(type));
    ck_assert_msg(GST_MESSAGE_TYPE(found.get()) == type, "an error in place of %s",
                  gst_message_type_get_name(type));
    return found;
  }

 private:
  GstElement* const pipeline_;
};

/// A pad that gives itself back.
struct PadRef {
  PadRef(GstElement* element, const char* name) : pad(gst_element_get_static_pad(element, name)) {
    ck_assert(pad);
  }
  ~PadRef() { gst_object_unref(pad); }
  PadRef(const PadRef&) = delete;
  PadRef& operator=(const PadRef&) = delete;
  operator GstPad*() const { return pad; }
  GstPad* const pad;
};

/// Stops what comes down a pad, until the end of the scope.
class Block {
 public:
  explicit Block(GstPad* pad) : pad_(GST_PAD(gst_object_ref(pad))) {
    id_ = gst_pad_add_probe(
        pad_, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, stop, new std::shared_ptr<State>(state_),
        [](gpointer data) { delete static_cast<std::shared_ptr<State>*>(data); });
  }
  ~Block() {
    gst_pad_remove_probe(pad_, id_);
    gst_object_unref(pad_);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  /// Until something has been stopped.
  void wait() {
    std::unique_lock lock(state_->mutex);
    const bool stopped =
        state_->changed.wait_for(lock, kWatchdog, [this] { return state_->stopped; });
    lock.unlock();
    ck_assert_msg(stopped, "nothing comes to the blocked pad");
  }

 private:
  struct State {
    std::mutex mutex;  // guards what follows
    std::condition_variable changed;
    bool stopped = false;
  };
  static GstPadProbeReturn stop(GstPad*, GstPadProbeInfo*, gpointer data) {
    State& state = **static_cast<std::shared_ptr<State>*>(data);
    const std::lock_guard lock(state.mutex);
    state.stopped = true;
    state.changed.notify_all();
    return GST_PAD_PROBE_OK;
  }
  GstPad* const pad_;
  gulong id_ = 0;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Waits until all that came into the element has left it.
inline void drain(GstElement* element) {
  const PadRef sink(element, "sink");
  GstQuery* query = gst_query_new_drain();
  static_cast<void>(gst_pad_query(sink, query));
  gst_query_unref(query);
}

/// Waits for what other threads do.
template <typename F>
inline void until(const char* what, F&& is_so) {
  const auto end = std::chrono::steady_clock::now() + kWatchdog;
  while (!is_so()) {
    ck_assert_msg(std::chrono::steady_clock::now() < end, "never: %s", what);
    std::this_thread::yield();
  }
}

inline guint64 counter(GstElement* element, const char* field) {
  GstStructure* stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  guint64 value = 0;
  ck_assert_msg(gst_structure_get_uint64(stats, field, &value), "no counter %s", field);
  gst_structure_free(stats);
  return value;
}

}  // namespace tv::test

// What the element's tests share: the fixture, a harness with its bus, and a reader of the meta.
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elements/common/gst_ptr.hpp"
#include "tests/suite.hpp"

namespace tv::test {

/// Folder that fixture.py filled.
inline std::string fixture(const std::string& path = "") {
  const char* folder = std::getenv("TV_FIXTURE");
  ck_assert_msg(folder != nullptr, "TV_FIXTURE is not set: run the test through meson");
  return std::string(folder) + "/" + path;
}

inline std::vector<std::uint8_t> read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  ck_assert_msg(file.good(), "cannot open %s", path.c_str());
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A picture of the fixture and torchvision's scores for it.
struct Picture {
  std::string name;
  int width = 0, height = 0;
  std::vector<double> scores;         // of the entry's own recipe, crop 64 and resize 72
  std::vector<double> scores_96_100;  // of crop 96 and resize 100
  std::vector<std::uint8_t> rgb;      // rows without padding

  int best() const {
    return static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  }
};

inline const nlohmann::json& expected() {
  static const auto all = [] {
    const std::vector<std::uint8_t> text = read_bytes(fixture("expected.json"));
    return nlohmann::json::parse(text.begin(), text.end());
  }();
  return all;
}

/// sha256 of the good weight file.
inline std::string digest() {
  return expected()["digest"];
}

inline const std::vector<Picture>& pictures() {
  static const auto all = [] {
    std::vector<Picture> made;
    for (const auto& row : expected()["pictures"])
      made.push_back({row["file"], row["width"], row["height"], row["scores"], row["scores_96_100"],
                      read_bytes(fixture("pictures/" + std::string(row["file"])))});
    return made;
  }();
  return all;
}

/// The picture of a class (0 red, 1 green, 2 blue, 3 white) and size.
inline const Picture& picture(int color, int width = 64, int height = 48) {
  for (const Picture& each : pictures())
    if (each.width == width && each.height == height && each.name[0] == '0' + color) return each;
  ck_abort_msg("no picture %d of %dx%d", color, width, height);
}

/// What GStreamer's default strides make of packed RGB rows.
inline BufferRef rgb_buffer(const Picture& from, std::size_t stride = 0) {
  const auto row = static_cast<std::size_t>(from.width) * 3;
  if (stride == 0) stride = GST_ROUND_UP_4(row);
  const std::size_t rows = static_cast<std::size_t>(from.height);
  BufferRef buffer(gst_buffer_new_allocate(nullptr, stride * rows, nullptr));
  gst_buffer_memset(buffer.get(), 0, 0xEE, stride * rows);
  for (std::size_t y = 0; y < rows; ++y)
    gst_buffer_fill(buffer.get(), y * stride, from.rgb.data() + y * row, row);
  return buffer;
}

inline std::string rgb_caps(int width = 64, int height = 48) {
  return "video/x-raw,format=RGB,width=" + std::to_string(width) +
         ",height=" + std::to_string(height) + ",framerate=30/1";
}

/// One tvclassify meta, read as an application would.
struct Meta {
  struct Entry {
    int index = -1;
    std::string label;
    double score = 0;
  };
  std::string element, status, reason, weights, digest;
  std::vector<Entry> labels;
  std::optional<Entry> top;
  unsigned age = 0, version = 0;
  std::uint64_t latency = 0;

  int best() const { return labels.empty() ? -1 : labels.front().index; }
};

inline std::string text(const GstStructure* structure, const char* field) {
  const char* found = gst_structure_get_string(structure, field);
  return found ? found : "";
}

inline Meta::Entry read_entry(const GstStructure* structure) {
  Meta::Entry entry;
  ck_assert(gst_structure_get_int(structure, "index", &entry.index));
  ck_assert(gst_structure_get_double(structure, "score", &entry.score));
  entry.label = text(structure, "label");
  return entry;
}

inline Meta read_fields(const GstStructure* fields) {
  Meta meta;
  meta.element = text(fields, "element");
  meta.status = text(fields, "status");
  meta.reason = text(fields, "reason");
  meta.weights = text(fields, "weights");
  meta.digest = text(fields, "model-digest");
  ck_assert(gst_structure_get_uint(fields, "age", &meta.age));
  ck_assert(gst_structure_get_uint(fields, "version", &meta.version));
  ck_assert(gst_structure_get_uint64(fields, "latency", &meta.latency));
  const GValue* labels = gst_structure_get_value(fields, "labels");
  ck_assert(labels && GST_VALUE_HOLDS_ARRAY(labels));
  for (guint i = 0; i < gst_value_array_get_size(labels); ++i)
    meta.labels.push_back(
        read_entry(gst_value_get_structure(gst_value_array_get_value(labels, i))));
  if (gst_structure_has_field(fields, "label")) meta.top = read_entry(fields);
  return meta;
}

// ck_assert_str_eq for strings: Check's macro would keep pointers into temporaries.
#define ASSERT_TEXT(found, wanted)                         \
  do {                                                     \
    const std::string tv_found(found), tv_wanted(wanted);  \
    ck_assert_str_eq(tv_found.c_str(), tv_wanted.c_str()); \
  } while (false)

/// Every tvclassify meta of a buffer, in order.
inline std::vector<Meta> read_metas(GstBuffer* buffer) {
  std::vector<Meta> found;
  gpointer state = nullptr;
  while (GstMeta* each = gst_buffer_iterate_meta(buffer, &state)) {
    if (!gst_meta_info_is_custom(each->info)) continue;
    auto* custom = reinterpret_cast<GstCustomMeta*>(each);
    if (gst_custom_meta_has_name(custom, "TvClassifyMeta"))
      found.push_back(read_fields(gst_custom_meta_get_structure(custom)));
  }
  return found;
}

/// The only one.
inline Meta read_meta(GstBuffer* buffer) {
  const std::vector<Meta> found = read_metas(buffer);
  ck_assert_uint_eq(found.size(), 1);
  return found.front();
}

/// Some messages of a bus, oldest first, taken from it.
struct Seen {
  GQuark domain = 0;
  int code = 0;
  std::string text, debug;
};

using ParseMessage = void (*)(GstMessage*, GError**, gchar**);
inline Seen read_error(GstMessage* message, ParseMessage parse = gst_message_parse_error) {
  GError* error = nullptr;
  gchar* debug = nullptr;
  parse(message, &error, &debug);
  Seen seen{error->domain, error->code, error->message, debug ? debug : ""};
  g_error_free(error);
  g_free(debug);
  return seen;
}

/// tvclassify between two pads, with a bus.
class Bench {
 public:
  explicit Bench(const std::string& line = "tvclassify weights=Tiny_Weights.V1",
                 const std::string& caps = rgb_caps()) {
    GError* error = nullptr;
    GstElement* element = gst_parse_launch(line.c_str(), &error);
    ck_assert_msg(error == nullptr && element, "%s: %s", line.c_str(), error ? error->message : "");
    gst_object_ref_sink(element);
    bus_ = gst_bus_new();
    gst_element_set_bus(element, bus_);
    harness_ = gst_harness_new_with_element(element, "sink", "src");
    gst_object_unref(element);
    if (!caps.empty()) gst_harness_set_src_caps_str(harness_, caps.c_str());
  }
  ~Bench() {
    GstElement* mine = GST_ELEMENT(gst_object_ref(element()));
    gst_harness_teardown(harness_);
    gst_element_set_state(mine, GST_STATE_NULL);
    gst_element_set_bus(mine, nullptr);
    gst_bus_set_flushing(bus_, TRUE);  // messages hold their sender
    const int references = GST_OBJECT_REFCOUNT_VALUE(mine);
    ck_assert_int_eq(references, 1);
    gst_object_unref(mine);
    gst_object_unref(bus_);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  GstHarness* harness() { return harness_; }
  GstElement* element() { return harness_->element; }

  GstFlowReturn push(BufferRef buffer) { return gst_harness_push(harness_, buffer.release()); }
  /// Waits until all that was pushed has left. False: it never will.
  bool drain() {
    GstQuery* query = gst_query_new_drain();
    static_cast<void>(gst_pad_peer_query(harness_->srcpad, query));
    gst_query_unref(query);
    guint64 inside = 1;
    GstStructure* stats = nullptr;
    g_object_get(element(), "stats", &stats, nullptr);
    ck_assert(gst_structure_get_uint64(stats, "in-flight", &inside));
    gst_structure_free(stats);
    return inside == 0;
  }
  /// What becomes of a frame: its own flow return comes with the next one, which goes the same way.
  GstFlowReturn flow_of(const BufferRef& buffer) {
    const GstFlowReturn first = push(BufferRef(gst_buffer_copy(buffer.get())));
    if (first != GST_FLOW_OK) return first;
    drain();
    return push(BufferRef(gst_buffer_copy(buffer.get())));
  }
  void flush() {
    ck_assert(gst_harness_push_event(harness_, gst_event_new_flush_start()));
    ck_assert(gst_harness_push_event(harness_, gst_event_new_flush_stop(TRUE)));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    ck_assert(gst_harness_push_event(harness_, gst_event_new_segment(&segment)));
  }
  /// What came out, oldest first; nullptr: nothing.
  BufferRef pull() { return BufferRef(gst_harness_try_pull(harness_)); }
  /// One frame through; it must come out.
  BufferRef pass(BufferRef buffer) {
    ck_assert_int_eq(push(std::move(buffer)), GST_FLOW_OK);
    BufferRef out(gst_harness_pull(harness_));
    ck_assert(out != nullptr);
    return out;
  }
  Meta classify(const Picture& from) { return read_meta(pass(rgb_buffer(from)).get()); }

  /// Messages of a type that the element itself posted, taken from the bus with all others before
  /// them.
  std::vector<MessageRef> messages(GstMessageType type) {
    std::vector<MessageRef> found;
    while (GstMessage* message = gst_bus_pop_filtered(bus_, type)) found.emplace_back(message);
    return found;
  }
  std::vector<Seen> errors() { return parse(messages(GST_MESSAGE_ERROR), gst_message_parse_error); }
  std::vector<Seen> warnings() {
    return parse(messages(GST_MESSAGE_WARNING), gst_message_parse_warning);
  }
  std::vector<Seen> infos() { return parse(messages(GST_MESSAGE_INFO), gst_message_parse_info); }
  void set_state(GstState state) { gst_element_set_state(element(), state); }

 private:
  static std::vector<Seen> parse(const std::vector<MessageRef>& messages, ParseMessage parse_one) {
    std::vector<Seen> seen;
    for (const MessageRef& message : messages) seen.push_back(read_error(message.get(), parse_one));
    return seen;
  }

  GstBus* bus_ = nullptr;
  GstHarness* harness_ = nullptr;
};

/// Runs a suite in this process: LibTorch's threads do not survive a fork. An unexpected critical
/// or warning of GLib ends the program.
inline int run_suite(Suite* suite) {
  g_log_set_always_fatal(
      static_cast<GLogLevelFlags>(G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING | G_LOG_FATAL_MASK));
  setenv("CK_FORK", "no", 1);
  const int status = run_suites({suite});
  // GStreamer's leaks tracer reports when everything ends; nothing of GStreamer's may be used then.
  if (std::getenv("GST_TRACERS")) gst_deinit();
  return status;
}

}  // namespace tv::test

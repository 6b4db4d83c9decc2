#include "elements/tvclassify/messages.hpp"

#include <utility>

#include "elements/tvclassify/info.hpp"

namespace tv {
namespace {

void set_times(GstStructure* structure, const FrameTimes& times) {
  gst_structure_set(structure, "timestamp", G_TYPE_UINT64, times.timestamp, "stream-time",
                    G_TYPE_UINT64, times.stream_time, "running-time", G_TYPE_UINT64,
                    times.running_time, "duration", G_TYPE_UINT64, times.duration, nullptr);
}

void post(GstElement* element, StructurePtr structure) {
  gst_element_post_message(element,
                           gst_message_new_element(GST_OBJECT(element), structure.release()));
}

}  // namespace

FrameTimes FrameTimes::of(const GstBuffer* buffer, const GstSegment* segment) {
  FrameTimes times;
  times.timestamp = GST_BUFFER_PTS(buffer);
  times.duration = GST_BUFFER_DURATION(buffer);
  if (segment->format == GST_FORMAT_TIME && GST_CLOCK_TIME_IS_VALID(times.timestamp)) {
    times.stream_time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, times.timestamp);
    times.running_time = gst_segment_to_running_time(segment, GST_FORMAT_TIME, times.timestamp);
  }
  return times;
}

void post_result(GstElement* element, const ModelIdentity& identity, const FrameResult& result,
                 const FrameTimes& times) {
  StructurePtr structure(gst_structure_new_empty("tvclassify"));
  set_fields(structure.get(), identity, result);
  set_times(structure.get(), times);
  post(element, std::move(structure));
}

void post_region(GstElement* element, const ModelIdentity& identity, const FrameResult& result,
                 const FrameTimes& times, const Region& region) {
  StructurePtr structure(gst_structure_new_empty("tvclassify"));
  set_fields(structure.get(), identity, result);
  set_times(structure.get(), times);
  gst_structure_set(structure.get(), "region-id", G_TYPE_INT, region.id, "x", G_TYPE_INT,
                    region.part.x, "y", G_TYPE_INT, region.part.y, "width", G_TYPE_INT,
                    region.part.width, "height", G_TYPE_INT, region.part.height, nullptr);
  if (region.type != 0) set_string(structure.get(), "region-type", g_quark_to_string(region.type));
  if (region.object)
    gst_structure_set(structure.get(), "object-id", G_TYPE_UINT64, *region.object, nullptr);
  post(element, std::move(structure));
}

void post_class_changed(GstElement* element, const ModelIdentity& identity, const Label& previous,
                        const Label& current, const FrameTimes& times) {
  StructurePtr structure(gst_structure_new(
      "class-changed", "previous-index", G_TYPE_INT, previous.index, "previous-score",
      G_TYPE_DOUBLE, static_cast<double>(previous.score), "index", G_TYPE_INT, current.index,
      "score", G_TYPE_DOUBLE, static_cast<double>(current.score), nullptr));
  set_string(structure.get(), "element", identity.element);
  set_string(structure.get(), "weights", identity.weights);
  set_string(structure.get(), "previous-label", previous.text);
  set_string(structure.get(), "label", current.text);
  set_times(structure.get(), times);
  post(element, std::move(structure));
}

void post_weights_changed(GstElement* element, const ModelIdentity& previous,
                          const ModelIdentity& current, const FrameTimes& times) {
  StructurePtr structure(gst_structure_new_empty("weights-changed"));
  set_string(structure.get(), "element", current.element);
  set_string(structure.get(), "previous-weights", previous.weights);
  set_string(structure.get(), "previous-digest", previous.digest);
  set_string(structure.get(), "weights", current.weights);
  set_string(structure.get(), "model-digest", current.digest);
  set_times(structure.get(), times);
  post(element, std::move(structure));
}

void post_stats(GstElement* element, const ModelIdentity& identity, const Stats& stats) {
  StructurePtr structure = make_stats("tvclassify-stats", stats);
  set_string(structure.get(), "element", identity.element);
  set_string(structure.get(), "weights", identity.weights);
  post(element, std::move(structure));
}

void post_progress(GstElement* element, GstProgressType type, const std::string& text,
                   int percent) {
  GstMessage* message = gst_message_new_progress(GST_OBJECT(element), type, "load", text.c_str());
  gst_structure_set(gst_message_writable_structure(message), "percent", G_TYPE_INT, percent,
                    nullptr);
  gst_element_post_message(element, message);
}

void post_qos(GstElement* element, const FrameTimes& times, const Stats& stats, double proportion,
              GstClockTime earliest_time) {
  GstMessage* message = gst_message_new_qos(GST_OBJECT(element), FALSE, times.running_time,
                                            times.stream_time, times.timestamp, times.duration);
  // In live mode nobody has said what is too late.
  const GstClockTimeDiff jitter = GST_CLOCK_TIME_IS_VALID(earliest_time)
                                      ? GST_CLOCK_DIFF(times.running_time, earliest_time)
                                      : 0;
  gst_message_set_qos_values(message, jitter, proportion, 1'000'000);
  gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, stats.count(FrameStatus::kOk),
                            stats.count(FrameStatus::kSkipped));
  gst_element_post_message(element, message);
}

}  // namespace tv

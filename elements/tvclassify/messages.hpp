// Messages to the application that are no errors: results, changes of the top label, progress,
// skipped frames.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <string>

#include "elements/tvclassify/metadata.hpp"
#include "elements/tvclassify/regions.hpp"
#include "elements/tvclassify/result.hpp"

namespace tv {

/// Timestamps of one frame, as GStreamer's analysers give them; GST_CLOCK_TIME_NONE where unknown.
struct FrameTimes {
  GstClockTime timestamp = GST_CLOCK_TIME_NONE;
  GstClockTime stream_time = GST_CLOCK_TIME_NONE;
  GstClockTime running_time = GST_CLOCK_TIME_NONE;
  GstClockTime duration = GST_CLOCK_TIME_NONE;

  static FrameTimes of(const GstBuffer* buffer, const GstSegment* segment);
};

/// Element message "tvclassify": the fields of the meta, and the frame's times.
void post_result(GstElement* element, const ModelIdentity& identity, const FrameResult& result,
                 const FrameTimes& times);

/// The same for a region of the frame, with region-type (where it has one), region-id, object-id
/// (of a tracked one), x, y, width and height.
void post_region(GstElement* element, const ModelIdentity& identity, const FrameResult& result,
                 const FrameTimes& times, const Region& region);

/// Element message "class-changed": previous-index, previous-label, previous-score and index,
/// label, score, with the frame's times. An absent label (nothing before, or nothing above the
/// threshold) has index -1 and an empty name.
void post_class_changed(GstElement* element, const ModelIdentity& identity, const Label& previous,
                        const Label& current, const FrameTimes& times);

/// PROGRESS message with code "load" and the field "percent": 0..100, -1 where the whole is
/// unknown.
void post_progress(GstElement* element, GstProgressType type, const std::string& text,
                   int percent = 0);

/// Element message "weights-changed": the frame with these times is the first one of the other
/// weights. Fields previous-weights, previous-digest, weights, model-digest, element.
void post_weights_changed(GstElement* element, const ModelIdentity& previous,
                          const ModelIdentity& current, const FrameTimes& times);

/// Element message "tvclassify-stats": the fields of the stats property.
void post_stats(GstElement* element, const ModelIdentity& identity, const Stats& stats);

/// QOS message for a frame that passed without being classified, because it was late (before
/// `earliest_time`) or the network busy (NONE).
void post_qos(GstElement* element, const FrameTimes& times, const Stats& stats, double proportion,
              GstClockTime earliest_time);

}  // namespace tv

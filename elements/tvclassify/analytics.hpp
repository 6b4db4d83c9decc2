// Results as GstAnalyticsClsMtd, for readers of GStreamer's own analytics metas, and the detections
// of others. The build picks the file: analytics needs GStreamer 1.24.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "elements/tvclassify/result.hpp"

namespace tv {

/// Where a result lies in the relation meta of a buffer, so that the same element finds it again
/// when the buffer comes past a second time. It is kept in the structure that holds the result.
struct AnalyticsTrace {
  std::optional<guint> best;  ///< id of the classification of length 1
  std::optional<guint> all;   ///< id of that of length k
  /// The best class of the result; empty and 0 where it had none.
  std::string label;
  float score = 0;
};

/// Writes the ids as the fields "classification-id" and "top-k-id", as far as there are any.
void set_trace(GstStructure* structure, const AnalyticsTrace& trace);
/// Reads them, and the best class from "label" and the double `score_field`.
AnalyticsTrace get_trace(const GstStructure* structure, const char* score_field);

/// Adds the best label as a classification of length 1 and, where there are more, all of them as a
/// second one of length k, best first: a reader that joins the labels of one classification then
/// still finds the single one. Neither is related to anything: they are about the whole frame. The
/// semantic tag (where the running library has one, GStreamer >= 1.30) is the weights name, and
/// "NAME/top-k" for the second. Adds nothing, not even an empty relation meta, without labels.
///
/// GStreamer can neither remove one classification of several nor change its length, and two pairs
/// of one element would contradict each other. So `earlier`, what the element wrote when this
/// buffer came past before, is overwritten: what no longer fits is left out, what is left over has
/// the level 0. A pair that is not found as it was written stays, and new ones are added.
///
/// The buffer must be writable. Returns what is there now.
AnalyticsTrace add_analytics(GstBuffer* buffer, const std::string& weights,
                             const std::vector<Label>& labels, const AnalyticsTrace& earlier = {});

/// An object-detection of another element.
struct Detection {
  guint id = 0;     ///< in the buffer's relation meta
  GQuark type = 0;  ///< 0: of no type
  gint x = 0, y = 0, width = 0, height = 0;
  std::optional<std::uint64_t> object;  ///< the tracker's number for it
};

/// In the order in which they are stored. Empty without analytics.
std::vector<Detection> find_detections(GstBuffer* buffer);

/// Adds the best label as a classification of the detection: a part of it, that it contains and
/// relates to, tagged with the weights name. `earlier` is overwritten as add_analytics() says; the
/// same class with the same score is not added to a detection again. Adds nothing without labels,
/// or where there is no such detection. The buffer must be writable. Returns what is there now.
AnalyticsTrace add_region_analytics(GstBuffer* buffer, guint detection, const std::string& weights,
                                    const std::vector<Label>& labels,
                                    const AnalyticsTrace& earlier = {});

}  // namespace tv

// The result as GstAnalyticsClsMtd, for readers of GStreamer's own analytics metas. The build picks
// the file: analytics needs GStreamer 1.24.
#pragma once

#include <gst/gst.h>

#include <string>
#include <vector>

#include "elements/tvclassify/result.hpp"

namespace tv {

/// Adds the best label as a classification of length 1 and, where there are more, all of them as a
/// second one of length k, best first: a reader that joins the labels of one classification then
/// still finds the single one. Neither is related to anything: they are about the whole frame. The
/// semantic tag (where the running library has one, GStreamer >= 1.30) is the weights name, and
/// "NAME/top-k" for the second. Adds nothing, not even an empty relation meta, without labels.
/// The buffer must be writable. GStreamer cannot remove one analytics meta of several: a buffer
/// that comes past a second time keeps the earlier pair before the new one.
void add_analytics(GstBuffer* buffer, const std::string& weights, const std::vector<Label>& labels);

}  // namespace tv

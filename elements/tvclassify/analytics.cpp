#include "elements/tvclassify/analytics.hpp"

#include <gst/analytics/analytics.h>

#include <algorithm>
#include <span>

// gst_analytics_mtd_set_semantic_tag() came after the oldest GStreamer that this file builds with,
// so the headers may lack it. A weak symbol asks the library that is there when the plugin runs: it
// is null where that library has no such function.
extern "C" gboolean tv_set_semantic_tag(GstAnalyticsMtd*,
                                        const gchar*) __asm__("gst_analytics_mtd_set_semantic_tag")
    __attribute__((weak));

namespace tv {
namespace {

constexpr const char* kBestField = "classification-id";
constexpr const char* kAllField = "top-k-id";

/// What the library stores for a classification. It has functions to read it and none to change it,
/// so a classification is changed in place, once it reads as it would with this layout.
struct StoredClass {
  GQuark quark;
  gfloat level;
};
struct StoredHeader {
  gsize length;  // classes follow
};

GQuark quark_of(const Label& label) {
  return g_quark_from_string(label.text.data());
}

void tag(GstAnalyticsMtd* mtd, const std::string& text) {
  if (tv_set_semantic_tag) tv_set_semantic_tag(mtd, text.c_str());
}

std::optional<guint> add_classes(GstAnalyticsRelationMeta* relations, const std::string& text,
                                 std::span<const Label> labels) {
  std::vector<gfloat> levels;
  std::vector<GQuark> classes;
  for (const Label& label : labels) {
    levels.push_back(label.score);
    classes.push_back(quark_of(label));
  }
  GstAnalyticsClsMtd added;
  if (!gst_analytics_relation_meta_add_cls_mtd(relations, labels.size(), levels.data(),
                                               classes.data(), &added))
    return std::nullopt;
  tag(&added, text);
  return added.id;
}

/// The classes in memory; empty unless the memory reads as the library's own functions say.
std::span<StoredClass> stored_classes(GstAnalyticsClsMtd* mtd) {
  const gsize length = gst_analytics_cls_mtd_get_length(mtd);
  auto* header =
      static_cast<StoredHeader*>(gst_analytics_relation_meta_get_mtd_data(mtd->meta, mtd->id));
  if (!header || length == 0 ||
      gst_analytics_mtd_get_size(mtd) < sizeof(StoredHeader) + length * sizeof(StoredClass) ||
      header->length != length)
    return {};
  const std::span<StoredClass> classes(reinterpret_cast<StoredClass*>(header + 1), length);
  for (gsize i = 0; i < length; ++i)
    if (classes[i].quark != gst_analytics_cls_mtd_get_quark(mtd, i) ||
        classes[i].level != gst_analytics_cls_mtd_get_level(mtd, i))
      return {};
  return classes;
}

/// Puts `labels` in place of the classes of an earlier result. False: it is not there as it was
/// written, and nothing was changed.
bool overwrite(GstAnalyticsRelationMeta* relations, std::optional<guint> id,
               const AnalyticsTrace& earlier, const std::string& text,
               std::span<const Label> labels) {
  GstAnalyticsClsMtd mtd;
  // Ids are places in the meta, counted from 0.
  if (!id || *id >= gst_analytics_relation_get_length(relations) ||
      !gst_analytics_relation_meta_get_cls_mtd(relations, *id, &mtd))
    return false;
  const std::span<StoredClass> classes = stored_classes(&mtd);
  if (classes.empty() || classes[0].level != earlier.score) return false;
  if (!earlier.label.empty() && classes[0].quark != g_quark_try_string(earlier.label.c_str()))
    return false;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (i < labels.size()) classes[i].quark = quark_of(labels[i]);
    classes[i].level = i < labels.size() ? labels[i].score : 0;
  }
  tag(&mtd, text);
  return true;
}

/// Whether the detection has a classification of its own with this class and score.
bool is_said(GstAnalyticsRelationMeta* relations, guint detection, const Label& label) {
  gpointer state = nullptr;
  GstAnalyticsMtd mtd;
  while (gst_analytics_relation_meta_get_direct_related(
      relations, detection, GST_ANALYTICS_REL_TYPE_CONTAIN, gst_analytics_cls_mtd_get_mtd_type(),
      &state, &mtd))
    if (gst_analytics_cls_mtd_get_length(&mtd) == 1 &&
        gst_analytics_cls_mtd_get_quark(&mtd, 0) == quark_of(label) &&
        gst_analytics_cls_mtd_get_level(&mtd, 0) == label.score)
      return true;
  return false;
}

std::optional<std::uint64_t> tracked_object(GstAnalyticsRelationMeta* relations, guint detection) {
  gpointer state = nullptr;
  GstAnalyticsTrackingMtd tracking;
  guint64 object = 0;
  GstClockTime first = 0, last = 0;
  gboolean lost = FALSE;
  // Trackers relate the two in one way or another.
  if (gst_analytics_relation_meta_get_direct_related(
          relations, detection, GST_ANALYTICS_REL_TYPE_ANY,
          gst_analytics_tracking_mtd_get_mtd_type(), &state, &tracking) &&
      gst_analytics_tracking_mtd_get_info(&tracking, &object, &first, &last, &lost))
    return object;
  return std::nullopt;
}

/// A trace of what is there now, given the new labels.
AnalyticsTrace trace_of(const std::vector<Label>& labels) {
  AnalyticsTrace trace;
  if (labels.empty()) return trace;
  trace.label = labels.front().text;
  trace.score = labels.front().score;
  return trace;
}

}  // namespace

void set_trace(GstStructure* structure, const AnalyticsTrace& trace) {
  if (trace.best) gst_structure_set(structure, kBestField, G_TYPE_UINT, *trace.best, nullptr);
  if (trace.all) gst_structure_set(structure, kAllField, G_TYPE_UINT, *trace.all, nullptr);
}

AnalyticsTrace get_trace(const GstStructure* structure, const char* score_field) {
  AnalyticsTrace trace;
  guint id = 0;
  if (gst_structure_get_uint(structure, kBestField, &id)) trace.best = id;
  if (gst_structure_get_uint(structure, kAllField, &id)) trace.all = id;
  if (const char* label = gst_structure_get_string(structure, "label")) trace.label = label;
  gdouble score = 0;
  if (gst_structure_get_double(structure, score_field, &score))
    trace.score = static_cast<float>(score);
  return trace;
}

AnalyticsTrace add_analytics(GstBuffer* buffer, const std::string& weights,
                             const std::vector<Label>& labels, const AnalyticsTrace& earlier) {
  AnalyticsTrace trace = trace_of(labels);
  GstAnalyticsRelationMeta* relations = labels.empty()
                                            ? gst_buffer_get_analytics_relation_meta(buffer)
                                            : gst_buffer_add_analytics_relation_meta(buffer);
  if (!relations) return trace;
  const std::string all = weights + "/top-k";
  const std::span<const Label> best(labels.data(), std::min<std::size_t>(labels.size(), 1));
  if (overwrite(relations, earlier.best, earlier, weights, best))
    trace.best = earlier.best;
  else if (!best.empty())
    trace.best = add_classes(relations, weights, best);
  if (overwrite(relations, earlier.all, earlier, all, labels))
    trace.all = earlier.all;
  else if (labels.size() > 1)
    trace.all = add_classes(relations, all, labels);
  return trace;
}

std::vector<Detection> find_detections(GstBuffer* buffer) {
  std::vector<Detection> found;
  GstAnalyticsRelationMeta* relations = gst_buffer_get_analytics_relation_meta(buffer);
  if (!relations) return found;
  gpointer state = nullptr;
  GstAnalyticsMtd mtd;
  while (gst_analytics_relation_meta_iterate(relations, &state, gst_analytics_od_mtd_get_mtd_type(),
                                             &mtd)) {
    Detection each;
    gfloat confidence = 0;
    if (!gst_analytics_od_mtd_get_location(&mtd, &each.x, &each.y, &each.width, &each.height,
                                           &confidence))
      continue;
    each.id = mtd.id;
    each.type = gst_analytics_od_mtd_get_obj_type(&mtd);
    each.object = tracked_object(relations, mtd.id);
    found.push_back(each);
  }
  return found;
}

AnalyticsTrace add_region_analytics(GstBuffer* buffer, guint detection, const std::string& weights,
                                    const std::vector<Label>& labels,
                                    const AnalyticsTrace& earlier) {
  AnalyticsTrace trace = trace_of(labels);
  GstAnalyticsRelationMeta* relations = gst_buffer_get_analytics_relation_meta(buffer);
  GstAnalyticsODMtd od;
  if (!relations || detection >= gst_analytics_relation_get_length(relations) ||
      !gst_analytics_relation_meta_get_od_mtd(relations, detection, &od))
    return trace;
  const std::span<const Label> best(labels.data(), std::min<std::size_t>(labels.size(), 1));
  if (overwrite(relations, earlier.best, earlier, weights, best)) {
    trace.best = earlier.best;
    return trace;
  }
  if (best.empty() || is_said(relations, detection, best.front())) return trace;
  trace.best = add_classes(relations, weights, best);
  if (!trace.best) return trace;
  const auto contains = static_cast<GstAnalyticsRelTypes>(GST_ANALYTICS_REL_TYPE_CONTAIN |
                                                          GST_ANALYTICS_REL_TYPE_RELATE_TO);
  gst_analytics_relation_meta_set_relation(relations, contains, detection, *trace.best);
  gst_analytics_relation_meta_set_relation(relations, GST_ANALYTICS_REL_TYPE_IS_PART_OF,
                                           *trace.best, detection);
  return trace;
}

}  // namespace tv

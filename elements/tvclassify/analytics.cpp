#include "elements/tvclassify/analytics.hpp"

#include <gst/analytics/analytics.h>

// gst_analytics_mtd_set_semantic_tag() came after the oldest GStreamer that this file builds with,
// so the headers may lack it. A weak symbol asks the library that is there when the plugin runs: it
// is null where that library has no such function.
extern "C" gboolean tv_set_semantic_tag(GstAnalyticsMtd*,
                                        const gchar*) __asm__("gst_analytics_mtd_set_semantic_tag")
    __attribute__((weak));

namespace tv {
namespace {

void add_classes(GstAnalyticsRelationMeta* relations, const std::string& tag,
                 const std::vector<Label>& labels, std::size_t count) {
  std::vector<gfloat> levels(count);
  std::vector<GQuark> classes(count);
  for (std::size_t i = 0; i < count; ++i) {
    levels[i] = labels[i].score;
    classes[i] = g_quark_from_string(labels[i].text.c_str());
  }
  GstAnalyticsClsMtd added;
  if (!gst_analytics_relation_meta_add_cls_mtd(relations, count, levels.data(), classes.data(),
                                               &added))
    return;
  if (tv_set_semantic_tag) tv_set_semantic_tag(&added, tag.c_str());
}

}  // namespace

void add_analytics(GstBuffer* buffer, const std::string& weights,
                   const std::vector<Label>& labels) {
  if (labels.empty()) return;
  GstAnalyticsRelationMeta* relations = gst_buffer_add_analytics_relation_meta(buffer);
  if (!relations) return;
  add_classes(relations, weights, labels, 1);
  if (labels.size() > 1) add_classes(relations, weights + "/top-k", labels, labels.size());
}

}  // namespace tv

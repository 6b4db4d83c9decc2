#include "elements/tvclassify/analytics.hpp"

#include <gst/analytics/analytics.h>

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
  const gboolean ok = gst_analytics_relation_meta_add_cls_mtd(relations, count, levels.data(),
                                                              classes.data(), &added);
#if GST_CHECK_VERSION(1, 30, 0)
  if (ok) gst_analytics_mtd_set_semantic_tag(&added, tag.c_str());
#else
  static_cast<void>(ok);
  static_cast<void>(tag);
#endif
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

#include "elements/tvclassify/metadata.hpp"

#include <gst/video/video.h>

#include "elements/tvclassify/analytics.hpp"

namespace tv {
namespace {

gboolean copy_meta(GstBuffer* to, GstCustomMeta* meta, GstBuffer*, GQuark, gpointer, gpointer) {
  GstCustomMeta* copy = gst_buffer_add_custom_meta(to, kMetaName);
  if (!copy) return FALSE;
  GstStructure* fields = gst_custom_meta_get_structure(copy);
  gst_structure_remove_all_fields(fields);
  gst_structure_foreach(
      gst_custom_meta_get_structure(meta),
      [](GQuark field, const GValue* value, gpointer into) -> gboolean {
        gst_structure_id_set_value(static_cast<GstStructure*>(into), field, value);
        return TRUE;
      },
      fields);
  return TRUE;
}

/// True for this element's own meta, when a buffer comes past a second time.
bool is_own(const GstMeta* meta, const ModelIdentity& identity) {
  if (!gst_meta_info_is_custom(meta->info)) return false;
  auto* custom = reinterpret_cast<GstCustomMeta*>(const_cast<GstMeta*>(meta));
  if (!gst_custom_meta_has_name(custom, kMetaName)) return false;
  const char* element = gst_structure_get_string(gst_custom_meta_get_structure(custom), "element");
  return element && identity.element == element;
}

}  // namespace

void set_labels(GstStructure* structure, const std::vector<Label>& labels, const char* field) {
  Value array(GST_TYPE_ARRAY);
  for (const Label& label : labels) {
    GstStructure* entry =
        gst_structure_new("class", "index", G_TYPE_INT, label.index, "score", G_TYPE_DOUBLE,
                          static_cast<double>(label.score), nullptr);
    set_name(entry, "label", label.text.data());
    Value item(GST_TYPE_STRUCTURE);
    g_value_take_boxed(item.get(), entry);
    item.append_to(array.get());
  }
  array.move_to(structure, field);
}

void register_metadata() {
  static const GstMetaInfo* const info = [] {
    const char* tags[] = {GST_META_TAG_VIDEO_STR, nullptr};
    return gst_meta_register_custom(kMetaName, tags, copy_meta, nullptr, nullptr);
  }();
  static_cast<void>(info);
}

void set_fields(GstStructure* structure, const ModelIdentity& identity, const FrameResult& result) {
  gst_structure_set(structure, "version", G_TYPE_UINT, kMetaVersion, "age", G_TYPE_UINT, result.age,
                    "latency", G_TYPE_UINT64, result.latency_ns, nullptr);
  set_name(structure, "element", identity.element.c_str());
  set_name(structure, "status", status_name(result.status).data());
  if (result.status == FrameStatus::kFailed)
    set_string(structure, "reason", result.reason);  // whatever went wrong
  else if (!result.reason.empty())
    set_name(structure, "reason", result.reason.c_str());
  set_name(structure, "weights", identity.weights.c_str());
  set_name(structure, "model-digest", identity.digest.c_str());
  if (!result.labels.empty()) {
    const Label& best = result.labels.front();
    set_name(structure, "label", best.text.data());
    gst_structure_set(structure, "index", G_TYPE_INT, best.index, "score", G_TYPE_DOUBLE,
                      static_cast<double>(best.score), nullptr);
  }
  set_labels(structure, result.labels);
  if (!result.raw.empty()) set_labels(structure, result.raw, "raw-labels");
}

void add_metadata(GstBuffer* buffer, const ModelIdentity& identity, const FrameResult& result) {
  struct Search {
    const ModelIdentity& identity;
    AnalyticsTrace earlier;
  } search{identity, {}};
  gst_buffer_foreach_meta(
      buffer,
      [](GstBuffer*, GstMeta** meta, gpointer data) -> gboolean {
        auto* into = static_cast<Search*>(data);
        if (!is_own(*meta, into->identity)) return TRUE;
        into->earlier = get_trace(
            gst_custom_meta_get_structure(reinterpret_cast<GstCustomMeta*>(*meta)), "score");
        *meta = nullptr;  // removes it
        return TRUE;
      },
      &search);
  GstCustomMeta* meta = gst_buffer_add_custom_meta(buffer, kMetaName);
  GstStructure* fields = gst_custom_meta_get_structure(meta);
  set_fields(fields, identity, result);
  set_trace(fields, add_analytics(buffer, identity.weights, result.labels, search.earlier));
}

}  // namespace tv

#include "elements/tvclassify/regions.hpp"

#include <gst/video/video.h>

#include <algorithm>
#include <cstdlib>

#include "elements/tvclassify/analytics.hpp"

namespace tv {
namespace {

constexpr const char* kParameterType = "classification_result";

GstVideoRegionOfInterestMeta* next_roi(GstBuffer* buffer, gpointer* state) {
  return reinterpret_cast<GstVideoRegionOfInterestMeta*>(
      gst_buffer_iterate_meta_filtered(buffer, state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));
}

/// [begin, begin + size) as far as it is in [0, whole).
void clip(std::int64_t begin, std::int64_t size, int whole, int* first, int* count) {
  const std::int64_t low = std::clamp<std::int64_t>(begin, 0, whole);
  const std::int64_t high = std::clamp<std::int64_t>(begin + size, low, whole);
  *first = static_cast<int>(low);
  *count = static_cast<int>(high - low);
}

Rect inside(const Region& region, int width, int height) {
  Rect part;
  clip(region.x, region.width, width, &part.x, &part.width);
  clip(region.y, region.height, height, &part.y, &part.height);
  return part.width > 0 && part.height > 0 ? part : Rect{};
}

std::optional<std::uint64_t> object_of(GstVideoRegionOfInterestMeta* roi) {
  const GstStructure* tracking = gst_video_region_of_interest_meta_get_param(roi, "object_id");
  const GValue* id = tracking ? gst_structure_get_value(tracking, "id") : nullptr;
  // int, as trackers write it, or another number.
  Value number(G_TYPE_INT64);
  if (!id || !g_value_type_transformable(G_VALUE_TYPE(id), G_TYPE_INT64) ||
      !g_value_transform(id, number.get()))
    return std::nullopt;
  const gint64 found = g_value_get_int64(number.get());
  if (found < 0) return std::nullopt;
  return static_cast<std::uint64_t>(found);
}

Region region_of(GstVideoRegionOfInterestMeta* roi, int place) {
  Region region;
  region.type = roi->roi_type;
  region.id = roi->id;
  region.parent_id = roi->parent_id;
  region.x = roi->x;
  region.y = roi->y;
  region.width = roi->w;
  region.height = roi->h;
  region.roi = place;
  region.object = object_of(roi);
  return region;
}

Region region_of(const Detection& detection) {
  Region region;
  region.type = detection.type;
  region.id = static_cast<int>(detection.id);
  region.x = detection.x;
  region.y = detection.y;
  region.width = detection.width;
  region.height = detection.height;
  region.object = detection.object;
  region.detection = detection.id;
  return region;
}

/// Scaled rectangles may be rounded in two ways.
bool are_one(const Region& region, const Detection& detection) {
  const auto near = [](std::int64_t a, std::int64_t b) { return std::abs(a - b) <= 1; };
  return region.roi >= 0 && !region.detection &&
         static_cast<std::int64_t>(region.id) == static_cast<std::int64_t>(detection.id) &&
         near(region.x, detection.x) && near(region.y, detection.y) &&
         near(region.width, detection.width) && near(region.height, detection.height);
}

GstVideoRegionOfInterestMeta* roi_of(GstBuffer* buffer, const Region& region) {
  gpointer state = nullptr;
  int place = 0;
  while (GstVideoRegionOfInterestMeta* roi = next_roi(buffer, &state)) {
    if (place++ != region.roi) continue;
    const Region now = region_of(roi, region.roi);
    const bool same = now.id == region.id && now.x == region.x && now.y == region.y &&
                      now.width == region.width && now.height == region.height;
    return same ? roi : nullptr;
  }
  return nullptr;
}

/// A structure's name begins with a letter and holds no spaces.
std::string structure_name(const std::string& text) {
  std::string name = text;
  for (char& each : name)
    if (!g_ascii_isalnum(each) && std::string_view("/-_.:+").find(each) == std::string_view::npos)
      each = '_';
  if (name.empty() || !g_ascii_isalpha(name.front())) name.insert(0, "weights_");
  return name;
}

StructurePtr make_parameter(const ModelIdentity& identity, const FrameResult& result,
                            int batch_slot) {
  const std::string name = structure_name(identity.weights);
  StructurePtr parameter(gst_structure_new(
      name.c_str(), "type", G_TYPE_STRING, kParameterType, "converter", G_TYPE_STRING, "label",
      "method", G_TYPE_STRING, "softmax", "layer_name", G_TYPE_STRING, "logits", "attribute_name",
      G_TYPE_STRING, name.c_str(), "tensor_id", G_TYPE_INT, batch_slot, "frames_ago", G_TYPE_INT,
      static_cast<int>(std::min<std::uint32_t>(result.age, G_MAXINT)), nullptr));
  set_string(parameter.get(), "model_name", identity.weights);
  set_string(parameter.get(), "element", identity.element);
  set_string(parameter.get(), "status", status_name(result.status));
  if (!result.reason.empty()) set_string(parameter.get(), "reason", result.reason);
  if (!result.labels.empty()) {
    const Label& best = result.labels.front();
    set_string(parameter.get(), "label", best.text);
    gst_structure_set(parameter.get(), "label_id", G_TYPE_INT, best.index, "confidence",
                      G_TYPE_DOUBLE, static_cast<double>(best.score), nullptr);
  }
  set_labels(parameter.get(), result.labels);
  return parameter;
}

bool is_own(const GstStructure* parameter, const ModelIdentity& identity) {
  const char* type = gst_structure_get_string(parameter, "type");
  const char* element = gst_structure_get_string(parameter, "element");
  return type && element && std::string_view(type) == kParameterType && identity.element == element;
}

/// Removes this element's results. Returns where the last one lies in the relation meta.
AnalyticsTrace remove_own(GstVideoRegionOfInterestMeta* roi, const ModelIdentity& identity) {
  AnalyticsTrace trace;
  for (GList* each = roi->params; each;) {
    GList* next = each->next;
    auto* parameter = static_cast<GstStructure*>(each->data);
    if (is_own(parameter, identity)) {
      trace = get_trace(parameter, "confidence");
      gst_structure_free(parameter);
      roi->params = g_list_delete_link(roi->params, each);
    }
    each = next;
  }
  return trace;
}

}  // namespace

std::vector<Region> find_regions(GstBuffer* buffer, int width, int height) {
  std::vector<Region> regions;
  gpointer state = nullptr;
  int place = 0;
  while (GstVideoRegionOfInterestMeta* roi = next_roi(buffer, &state))
    regions.push_back(region_of(roi, place++));
  for (const Detection& detection : find_detections(buffer)) {
    const auto same = std::find_if(regions.begin(), regions.end(), [&](const Region& region) {
      return are_one(region, detection);
    });
    if (same == regions.end()) {
      regions.push_back(region_of(detection));
      continue;
    }
    same->detection = detection.id;
    if (detection.object) same->object = detection.object;
  }
  for (Region& region : regions) region.part = inside(region, width, height);
  return regions;
}

std::vector<GQuark> parse_classes(std::string_view list) {
  std::vector<GQuark> classes;
  constexpr std::string_view kSpaces = " \t";
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view name = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    const std::size_t first = name.find_first_not_of(kSpaces);
    if (first == std::string_view::npos) continue;
    name = name.substr(first, name.find_last_not_of(kSpaces) - first + 1);
    classes.push_back(g_quark_from_string(std::string(name).c_str()));
  }
  return classes;
}

std::string_view left_out_reason(const Region& region, const RegionFilter& filter) {
  const auto& classes = filter.classes;
  if (!classes.empty() && std::find(classes.begin(), classes.end(), region.type) == classes.end())
    return "object-class";
  if (region.part.width == 0 || region.part.height == 0) return "outside";
  if (region.part.width < filter.min_width || region.part.height < filter.min_height)
    return "too-small";
  return {};
}

void attach_to_region(GstBuffer* buffer, const Region& region, const ModelIdentity& identity,
                      const FrameResult& result, int batch_slot) {
  GstVideoRegionOfInterestMeta* roi = roi_of(buffer, region);
  const AnalyticsTrace earlier = roi ? remove_own(roi, identity) : AnalyticsTrace{};
  AnalyticsTrace trace;
  if (region.detection)
    trace =
        add_region_analytics(buffer, *region.detection, identity.weights, result.labels, earlier);
  if (!roi) return;
  StructurePtr parameter = make_parameter(identity, result, batch_slot);
  set_trace(parameter.get(), trace);
  gst_video_region_of_interest_meta_add_param(roi, parameter.release());
}

}  // namespace tv

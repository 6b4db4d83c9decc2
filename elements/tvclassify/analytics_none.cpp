// GStreamer without the analytics library: the custom meta and the regions' own are all there is.
#include "elements/tvclassify/analytics.hpp"

namespace tv {

void set_trace(GstStructure*, const AnalyticsTrace&) {}

AnalyticsTrace get_trace(const GstStructure*, const char*) {
  return {};
}

AnalyticsTrace add_analytics(GstBuffer*, const std::string&, const std::vector<Label>&,
                             const AnalyticsTrace&) {
  return {};
}

std::vector<Detection> find_detections(GstBuffer*) {
  return {};
}

AnalyticsTrace add_region_analytics(GstBuffer*, guint, const std::string&,
                                    const std::vector<Label>&, const AnalyticsTrace&) {
  return {};
}

}  // namespace tv

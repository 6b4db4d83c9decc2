// GStreamer without the analytics library: the custom meta is all there is.
#include "elements/tvclassify/analytics.hpp"

namespace tv {

void add_analytics(GstBuffer*, const std::string&, const std::vector<Label>&) {}

}  // namespace tv

// The debug category of the elements: GST_DEBUG=tvclassify:5. ERROR = the stream stops, WARNING = a
// result is degraded, INFO = once per start, DEBUG = per negotiation, LOG = per frame.
#pragma once

#include <gst/gst.h>

#ifdef GST_CAT_DEFAULT
#undef GST_CAT_DEFAULT
#endif
#define GST_CAT_DEFAULT ::tv::log_category()

namespace tv {

/// Registered on first use; thread-safe; lives as long as the process.
GstDebugCategory* log_category();

}  // namespace tv

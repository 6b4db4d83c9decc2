// The query functions of tvclassify's pads: a CUDA context for neighbours, drain, allocation,
// latency. All others are GStreamer's default.
#pragma once

#include <gst/gst.h>

namespace tv {

/// Of the sink pad: serialized ones drain the queue first. Streaming thread, of others any. No
/// exception leaves.
gboolean sink_query(GstPad* pad, GstObject* parent, GstQuery* query);
/// Of the source pad: the latency is upstream's and the run's own. Any thread. No exception leaves.
gboolean source_query(GstPad* pad, GstObject* parent, GstQuery* query);

}  // namespace tv

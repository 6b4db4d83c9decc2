// The event functions of tvclassify's pads. Serialized events wait in the queue behind the frames
// that came before them; flushes, QOS and RECONFIGURE act at once.
#pragma once

#include <gst/gst.h>

namespace tv {

/// Of the sink pad: own the event. Streaming thread, of flushes any. No exception leaves.
gboolean sink_event(GstPad* pad, GstObject* parent, GstEvent* event);
/// Of the source pad: own the event. Any thread. No exception leaves.
gboolean source_event(GstPad* pad, GstObject* parent, GstEvent* event);

}  // namespace tv

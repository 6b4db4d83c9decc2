#include "elements/tvclassify/events.hpp"

#include <memory>
#include <utility>

#include "elements/common/bus.hpp"
#include "elements/common/gst_ptr.hpp"
#include "elements/common/log.hpp"
#include "elements/tvclassify/instance.hpp"

namespace tv {
namespace {

// The macro of this name does not compile without a warning in C++20.
bool is_serialized(const GstEvent* event) {
  return (gst_event_type_get_flags(event->type) & GST_EVENT_TYPE_SERIALIZED) != 0;
}

/// Nobody hears of the flow return behind an EOS: then it is an error message.
void report_lost_flow(GstTvClassify* self, const Run& run) {
  const GstFlowReturn flow = run.flow();
  if (run.has_reported() || (flow != GST_FLOW_NOT_LINKED && flow >= GST_FLOW_EOS)) return;
  GST_ELEMENT_FLOW_ERROR(self, flow);
}

gboolean serialized_event(GstTvClassify* self, Run& run, EventRef event) {
  const GstEventType type = GST_EVENT_TYPE(event.get());
  if (type == GST_EVENT_CAPS) {
    GstCaps* caps = nullptr;
    gst_event_parse_caps(event.get(), &caps);
    GST_DEBUG_OBJECT(self, "frames are %" GST_PTR_FORMAT, static_cast<void*>(caps));
    if (const Status status = run.set_caps(caps); !status) {
      run.report(status.error(), Stage::kCaps);
      return FALSE;
    }
  } else if (type == GST_EVENT_SEGMENT) {
    GstSegment segment;
    gst_event_copy_segment(event.get(), &segment);
    run.set_segment(segment);
  }
  if (run.pass(std::move(event))) return TRUE;
  if (type == GST_EVENT_EOS) report_lost_flow(self, run);
  return FALSE;
}

void note_qos(Run& run, GstEvent* event) {
  gdouble proportion = 1;
  GstClockTimeDiff diff = 0;
  GstClockTime timestamp = GST_CLOCK_TIME_NONE;
  gst_event_parse_qos(event, nullptr, &proportion, &diff, &timestamp);
  if (!GST_CLOCK_TIME_IS_VALID(timestamp)) return;
  const bool before_zero = diff < 0 && static_cast<GstClockTime>(-diff) > timestamp;
  run.note_qos(proportion, before_zero ? 0 : timestamp + static_cast<GstClockTime>(diff));
}

}  // namespace

gboolean sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  EventRef owned(event);
  return no_throw<gboolean>(GST_ELEMENT(parent), FALSE, [&]() -> gboolean {
    GstTvClassify* const self = self_of(parent);
    const std::shared_ptr<Run> run = self->impl->run();
    if (!run) return gst_pad_event_default(pad, parent, owned.release());
    switch (GST_EVENT_TYPE(event)) {
      case GST_EVENT_FLUSH_START: {
        // Downstream first: it frees the source thread where that is pushing.
        const gboolean pushed = gst_pad_push_event(self->source, owned.release());
        run->begin_flush();
        return pushed;
      }
      case GST_EVENT_FLUSH_STOP: {
        const bool active = GST_PAD_MODE(self->source) == GST_PAD_MODE_PUSH;
        if (active) run->halt();
        const gboolean pushed = gst_pad_push_event(self->source, owned.release());
        if (!active) return pushed;
        return run->end_flush() && pushed;
      }
      default:
        if (is_serialized(event)) return serialized_event(self, *run, std::move(owned));
        return gst_pad_push_event(self->source, owned.release());
    }
  });
}

gboolean source_event(GstPad*, GstObject* parent, GstEvent* event) {
  GstTvClassify* const self = self_of(parent);
  EventRef owned(event);
  no_throw(GST_ELEMENT(parent), 0, [&] {
    const std::shared_ptr<Run> run = self->impl->run();
    if (!run) return 0;
    if (GST_EVENT_TYPE(event) == GST_EVENT_QOS) note_qos(*run, event);
    // Somebody may be linked now: try again.
    if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE && run->flow() == GST_FLOW_NOT_LINKED)
      run->resume();
    return 0;
  });
  return gst_pad_push_event(self->sink, owned.release());
}

}  // namespace tv

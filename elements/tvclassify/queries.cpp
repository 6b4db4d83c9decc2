#include "elements/tvclassify/queries.hpp"

#include <gst/video/video.h>

#include <algorithm>
#include <memory>

#include "elements/common/bus.hpp"
#include "elements/tvclassify/instance.hpp"

namespace tv {
namespace {

// The macro of this name does not compile without a warning in C++20.
bool is_serialized(const GstQuery* query) {
  return (gst_query_type_get_flags(query->type) & GST_QUERY_TYPE_SERIALIZED) != 0;
}

/// Frames that are inside are taken from upstream's pool, too. What downstream says of a pool of
/// its own is what that can do: a source that asked it for more would fail. With few buffers fewer
/// frames are inside.
void ask_for_more_buffers(GstQuery* query, guint depth) {
  const guint pools = gst_query_get_n_allocation_pools(query);
  for (guint i = 0; i < pools; ++i) {
    GstBufferPool* pool = nullptr;
    guint size = 0, min = 0, max = 0;
    gst_query_parse_nth_allocation_pool(query, i, &pool, &size, &min, &max);
    min += depth;
    if (pool && max > 0)
      min = std::min(min, max);
    else if (max > 0)
      max = max > G_MAXUINT - depth ? 0 : max + depth;
    gst_query_set_nth_allocation_pool(query, i, pool, size, min, max);
    if (pool) gst_object_unref(pool);
  }
  GstCaps* caps = nullptr;
  GstVideoInfo info;
  gst_query_parse_allocation(query, &caps, nullptr);
  if (pools == 0 && caps && gst_video_info_from_caps(&info, caps))
    gst_query_add_allocation_pool(query, nullptr, static_cast<guint>(GST_VIDEO_INFO_SIZE(&info)),
                                  depth, 0);
}

/// A neighbour looks for a CUDA context. False: not from here.
bool answer_context(GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_CONTEXT) return false;
  return no_throw(GST_ELEMENT(parent), false, [&] {
    Impl& impl = impl_of(parent);
    const auto gpu = impl.gpu();
    return gpu && impl.cuda().answer(GST_ELEMENT(parent), query, *gpu);
  });
}

}  // namespace

gboolean sink_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (answer_context(parent, query)) return TRUE;
  return no_throw<gboolean>(GST_ELEMENT(parent), FALSE, [&]() -> gboolean {
    if (!is_serialized(query)) return gst_pad_query_default(pad, parent, query);
    GstTvClassify* const self = self_of(parent);
    const std::shared_ptr<Run> run = self->impl->run();
    // Its place is behind what came before, the caps above all.
    if (!run || !run->drain()) return FALSE;
    const bool answered = gst_pad_peer_query(self->source, query) != FALSE;
    if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return answered;
    const guint depth = run->settings().max_in_flight;
    if (answered) ask_for_more_buffers(query, depth);
    const auto gpu = run->choice().gpu;
    const bool proposed = gpu && self->impl->cuda().propose(GST_ELEMENT(self), query, *gpu, depth);
    return answered || proposed;
  });
}

gboolean source_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (answer_context(parent, query)) return TRUE;
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return gst_pad_query_default(pad, parent, query);
  return no_throw<gboolean>(GST_ELEMENT(parent), FALSE, [&]() -> gboolean {
    GstTvClassify* const self = self_of(parent);
    if (!gst_pad_peer_query(self->sink, query)) return FALSE;
    const std::shared_ptr<Run> run = self->impl->run();
    if (!run) return TRUE;
    gboolean live = FALSE;
    GstClockTime min = 0, max = 0;
    gst_query_parse_latency(query, &live, &min, &max);
    const Run::Latency own = run->latency();
    const bool unlimited = !GST_CLOCK_TIME_IS_VALID(max) || !GST_CLOCK_TIME_IS_VALID(own.max);
    gst_query_set_latency(query, live, min + own.min,
                          unlimited ? GST_CLOCK_TIME_NONE : max + own.max);
    return TRUE;
  });
}

}  // namespace tv

// GstBuffer and caps -> FrameView.
#pragma once

#include <gst/video/video.h>

#include <optional>

#include "elements/common/mapped_frame.hpp"
#include "elements/preprocess/frame_view.hpp"
#include "model_registry/error.hpp"

namespace tv {

/// A mapped picture with the view of it; the view points into the mapping.
struct Frame {
  MappedFrame mapped;
  FrameView view;
};

/// Maps the buffer for reading. GstVideoMeta gives offsets, strides and the size of the planes;
/// GstVideoCropMeta gives the part to classify; else that is the top left width x height of the
/// caps. Fails: InvalidArgument (short buffer, metas that contradict each other), Unsupported.
Result<Frame> map_frame(GstBuffer* buffer, const GstVideoInfo& info, const Mapping& mapping = {});

/// The format of tv::pixel_formats() with GStreamer's name, if it is one.
std::optional<PixelFormat> pixel_format(const GstVideoInfo& info);

/// Colour matrix of the caps. Unknown: BT.601 up to 576 lines, BT.709 above, as GStreamer assumes.
/// FCC counts as BT.601 and SMPTE 240M as BT.709, their nearest kin.
ColorMatrix color_matrix(const GstVideoInfo& info);
/// Range of the caps; unknown: limited for YUV, full otherwise.
ColorRange color_range(const GstVideoInfo& info);
/// Chroma siting of the caps. Unknown: half-way up to 576 lines, co-sited across above, as
/// GStreamer assumes.
ChromaSite chroma_site(const GstVideoInfo& info);

}  // namespace tv

#include "elements/tvclassify/frame.hpp"

#include <string>
#include <utility>

namespace tv {
namespace {

// The last height that GStreamer takes for standard definition where the caps do not say.
constexpr int kLargestSdHeight = 576;

Status apply_crop(GstBuffer* buffer, FrameView& view) {
  const GstVideoCropMeta* crop = gst_buffer_get_video_crop_meta(buffer);
  if (!crop) return {};
  const auto inside = [](guint begin, guint size, int whole) {
    return size > 0 && begin < static_cast<guint>(whole) &&
           size <= static_cast<guint>(whole) - begin;
  };
  if (!inside(crop->x, crop->width, view.full_width) ||
      !inside(crop->y, crop->height, view.full_height))
    return Error{Code::kInvalidArgument,
                 "the buffer's crop meta asks for " + std::to_string(crop->width) + "x" +
                     std::to_string(crop->height) + " at (" + std::to_string(crop->x) + ", " +
                     std::to_string(crop->y) + ") of a " + std::to_string(view.full_width) + "x" +
                     std::to_string(view.full_height) + " frame",
                 "the element in front does not describe its buffers rightly"};
  view.crop_x = static_cast<int>(crop->x);
  view.crop_y = static_cast<int>(crop->y);
  view.width = static_cast<int>(crop->width);
  view.height = static_cast<int>(crop->height);
  return {};
}

}  // namespace

std::optional<PixelFormat> pixel_format(const GstVideoInfo& info) {
  return pixel_format_from_name(GST_VIDEO_INFO_NAME(&info));
}

ColorMatrix color_matrix(const GstVideoInfo& info) {
  switch (info.colorimetry.matrix) {
    case GST_VIDEO_COLOR_MATRIX_BT601:
    case GST_VIDEO_COLOR_MATRIX_FCC:
      return ColorMatrix::kBt601;
    case GST_VIDEO_COLOR_MATRIX_BT709:
    case GST_VIDEO_COLOR_MATRIX_SMPTE240M:
      return ColorMatrix::kBt709;
    case GST_VIDEO_COLOR_MATRIX_BT2020:
      return ColorMatrix::kBt2020;
    default:
      return GST_VIDEO_INFO_HEIGHT(&info) > kLargestSdHeight ? ColorMatrix::kBt709
                                                             : ColorMatrix::kBt601;
  }
}

ColorRange color_range(const GstVideoInfo& info) {
  switch (info.colorimetry.range) {
    case GST_VIDEO_COLOR_RANGE_0_255:
      return ColorRange::kFull;
    case GST_VIDEO_COLOR_RANGE_16_235:
      return ColorRange::kLimited;
    default:
      return GST_VIDEO_INFO_IS_YUV(&info) ? ColorRange::kLimited : ColorRange::kFull;
  }
}

ChromaSite chroma_site(const GstVideoInfo& info) {
  if (info.chroma_site == GST_VIDEO_CHROMA_SITE_UNKNOWN)
    return {.horizontal_cosited = GST_VIDEO_INFO_HEIGHT(&info) > kLargestSdHeight,
            .vertical_cosited = false};
  return {.horizontal_cosited = (info.chroma_site & GST_VIDEO_CHROMA_SITE_H_COSITED) != 0,
          .vertical_cosited = (info.chroma_site & GST_VIDEO_CHROMA_SITE_V_COSITED) != 0};
}

Result<Frame> map_frame(GstBuffer* buffer, const GstVideoInfo& info, const Mapping& mapping) {
  const std::optional<PixelFormat> format = pixel_format(info);
  if (!format)
    return Error{Code::kUnsupported, std::string("format ") + GST_VIDEO_INFO_NAME(&info),
                 "put videoconvert in front"};
  TV_ASSIGN_OR_RETURN(MappedFrame mapped, MappedFrame::map(buffer, info, mapping));
  Frame frame{std::move(mapped), {}};
  FrameView& view = frame.view;
  view.format = *format;
  view.width = GST_VIDEO_INFO_WIDTH(&info);
  view.height = GST_VIDEO_INFO_HEIGHT(&info);
  view.full_width = frame.mapped.width();
  view.full_height = frame.mapped.height();
  for (int p = 0; p < frame.mapped.planes(); ++p) {
    const MappedFrame::Plane& plane = frame.mapped.plane(p);
    view.planes[static_cast<std::size_t>(p)] = {plane.data, plane.stride};
  }
  view.matrix = color_matrix(info);
  view.range = color_range(info);
  view.chroma = chroma_site(info);
  TV_RETURN_IF_ERROR(apply_crop(buffer, view));
  return frame;
}

}  // namespace tv

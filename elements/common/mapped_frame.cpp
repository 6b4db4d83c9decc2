#include "elements/common/mapped_frame.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

namespace tv {
namespace {

/// What a plane needs: bytes in a row and rows.
struct PlaneSize {
  std::int64_t row_bytes = 0;
  std::int64_t rows = 0;
};

PlaneSize plane_size(const GstVideoFormatInfo* format, guint plane, int width, int height) {
  PlaneSize size;
  for (guint c = 0; c < format->n_components; ++c) {
    if (format->plane[c] != plane) continue;
    const std::int64_t across = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, c, width);
    const std::int64_t down = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, c, height);
    size.row_bytes = std::max(size.row_bytes, across * format->pixel_stride[c]);
    size.rows = std::max(size.rows, down);
  }
  return size;
}

Error too_small(guint plane, std::int64_t first, std::int64_t last, std::size_t have) {
  return {Code::kInvalidArgument,
          "buffer too small: plane " + std::to_string(plane) + " takes bytes " +
              std::to_string(first) + " to " + std::to_string(last) + ", the buffer has " +
              std::to_string(have),
          "the caps or the video meta of the element in front do not fit its buffers"};
}

}  // namespace

MappedFrame::MappedFrame(MappedFrame&& other) noexcept
    : count_(other.count_),
      width_(other.width_),
      height_(other.height_),
      planes_(other.planes_),
      mapped_(std::exchange(other.mapped_, 0)),
      maps_(other.maps_),
      copies_(std::move(other.copies_)) {}

MappedFrame::~MappedFrame() {
  for (GstMapInfo& info : std::span(maps_).first(static_cast<std::size_t>(mapped_))) {
    GstMemory* memory = info.memory;
    gst_memory_unmap(memory, &info);
    gst_memory_unref(memory);
  }
}

Status MappedFrame::map_plane(GstBuffer* buffer, int index, std::size_t begin, std::size_t size,
                              std::size_t first_row, guint flags) {
  guint memory_index = 0, memories = 0;
  gsize skip = 0;
  if (!gst_buffer_find_memory(buffer, begin, size, &memory_index, &memories, &skip))
    return too_small(static_cast<guint>(index), static_cast<std::int64_t>(begin),
                     static_cast<std::int64_t>(begin + size), gst_buffer_get_size(buffer));
  Plane& plane = planes_[static_cast<std::size_t>(index)];
  if (memories == 1) {
    GstMapInfo& info = maps_[static_cast<std::size_t>(mapped_)];
    GstMemory* memory = gst_buffer_get_memory(buffer, memory_index);
    if (!gst_memory_map(memory, &info, static_cast<GstMapFlags>(flags))) {
      Error error{Code::kUnsupported,
                  std::string("cannot map the frame's memory (") + memory->allocator->mem_type +
                      ") for reading",
                  "put a download or conversion element in front"};
      gst_memory_unref(memory);
      return error;
    }
    ++mapped_;
    plane.rows = {info.data + skip, size};
    plane.data = plane.rows.data() + first_row;
    return {};
  }
  if (flags != GST_MAP_READ)
    return Error{Code::kUnsupported,
                 "plane " + std::to_string(index) + " lies in " + std::to_string(memories) +
                     " memories of a GPU, expected one",
                 "put a download or conversion element in front"};
  std::vector<std::uint8_t> copy(size);
  gst_buffer_extract(buffer, begin, copy.data(), size);
  plane.rows = copy;
  plane.data = plane.rows.data() + first_row;
  copies_.push_back(std::move(copy));  // its bytes stay where they are
  return {};
}

namespace {

/// Where the planes lie, and who says so.
struct Layout {
  GstVideoFormat format = GST_VIDEO_FORMAT_UNKNOWN;
  guint planes = 0, width = 0, height = 0;
  std::array<gsize, GST_VIDEO_MAX_PLANES> offset{};
  std::array<gint, GST_VIDEO_MAX_PLANES> stride{};
  const char* who = "";
};

template <typename From>
Layout layout_of(const From& from, GstVideoFormat format, guint planes, const char* who) {
  Layout layout{.format = format,
                .planes = planes,
                .width = static_cast<guint>(from.width),
                .height = static_cast<guint>(from.height),
                .who = who};
  std::copy_n(from.offset, GST_VIDEO_MAX_PLANES, layout.offset.begin());
  std::copy_n(from.stride, GST_VIDEO_MAX_PLANES, layout.stride.begin());
  return layout;
}

Layout find_layout(GstBuffer* buffer, const GstVideoInfo& info, const GstVideoInfo* memory) {
  if (const GstVideoMeta* meta = gst_buffer_get_video_meta(buffer))
    return layout_of(*meta, meta->format, meta->n_planes, "buffer's video meta");
  const GstVideoInfo& from = memory ? *memory : info;
  return layout_of(from, GST_VIDEO_INFO_FORMAT(&from), GST_VIDEO_INFO_N_PLANES(&from),
                   "frame's memory");
}

Status check_layout(const Layout& layout, const GstVideoInfo& info) {
  const auto width = static_cast<guint>(GST_VIDEO_INFO_WIDTH(&info));
  const auto height = static_cast<guint>(GST_VIDEO_INFO_HEIGHT(&info));
  const bool fits = layout.format == GST_VIDEO_INFO_FORMAT(&info) &&
                    layout.planes == GST_VIDEO_INFO_N_PLANES(&info) && layout.width >= width &&
                    layout.height >= height && layout.width <= G_MAXINT16 &&
                    layout.height <= G_MAXINT16;
  if (fits) return {};
  return Error{Code::kInvalidArgument,
               std::string("the ") + layout.who + " says " +
                   gst_video_format_to_string(layout.format) + " " + std::to_string(layout.width) +
                   "x" + std::to_string(layout.height) + ", the caps say " +
                   GST_VIDEO_INFO_NAME(&info) + " " + std::to_string(width) + "x" +
                   std::to_string(height),
               "the element in front does not describe its buffers rightly"};
}

}  // namespace

Result<MappedFrame> MappedFrame::map(GstBuffer* buffer, const GstVideoInfo& info,
                                     const Mapping& mapping) {
  const Layout layout = find_layout(buffer, info, mapping.layout);
  TV_RETURN_IF_ERROR(check_layout(layout, info));
  MappedFrame frame;
  frame.width_ = static_cast<int>(layout.width);
  frame.height_ = static_cast<int>(layout.height);

  // A hostile offset must not overflow the sums below.
  constexpr gsize kLargestOffset = gsize{1} << 40;
  const auto have = static_cast<std::int64_t>(gst_buffer_get_size(buffer));
  for (guint p = 0; p < layout.planes; ++p) {
    const PlaneSize need = plane_size(info.finfo, p, frame.width_, frame.height_);
    const std::int64_t step = layout.stride[p];
    const auto start = static_cast<std::int64_t>(std::min(layout.offset[p], kLargestOffset));
    const std::int64_t far_row = start + (need.rows - 1) * step;
    const std::int64_t first = std::min(start, far_row);
    const std::int64_t last = std::max(start, far_row) + need.row_bytes;
    if (first < 0 || last > have) return too_small(p, first, last, static_cast<std::size_t>(have));
    frame.planes_[p].stride = step;
    TV_RETURN_IF_ERROR(frame.map_plane(buffer, static_cast<int>(p), static_cast<std::size_t>(first),
                                       static_cast<std::size_t>(last - first),
                                       static_cast<std::size_t>(start - first), mapping.flags));
  }
  frame.count_ = static_cast<int>(layout.planes);
  return frame;
}

}  // namespace tv

#include "elements/inference/backend_cuda/upload.hpp"

#include <algorithm>
#include <limits>

namespace tv::inference {
namespace {

constexpr std::size_t kAlignment = 256;  // of rows and planes, as GPUs like them
// Chroma is interpolated with the next sample: two pixels where it is subsampled.
constexpr int kReach = 2;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

struct Range {
  std::size_t begin = std::numeric_limits<std::size_t>::max(), end = 0;
  void add(int first, int last, int shift, int step) {
    begin =
        std::min(begin, static_cast<std::size_t>(first >> shift) * static_cast<std::size_t>(step));
    end = std::max(end,
                   static_cast<std::size_t>((last >> shift) + 1) * static_cast<std::size_t>(step));
  }
};

}  // namespace

Upload plan_upload(const FrameView& frame, const Plan& plan) {
  const PixelFormatInfo& format = pixel_format_info(frame.format);
  // Pixels of the planes, the last ones included.
  const int left = std::max(0, frame.crop_x + plan.source_left - kReach);
  const int right = std::min(frame.full_width, frame.crop_x + plan.source_right + kReach) - 1;
  const int top = std::max(0, frame.crop_y + plan.source_top - kReach);
  const int bottom = std::min(frame.full_height, frame.crop_y + plan.source_bottom + kReach) - 1;

  Upload upload;
  upload.view_ = frame;
  upload.count = format.planes;
  for (int p = 0; p < format.planes; ++p) {
    const auto plane = static_cast<std::size_t>(p);
    Range columns, lines, whole;
    for (const ComponentLayout& component : format.components) {
      if (component.plane != p) continue;
      columns.add(left, right, component.shift_x, component.step);
      lines.add(top, bottom, component.shift_y, 1);
      whole.add(0, frame.full_width - 1, component.shift_x, component.step);
    }
    const FrameView::Plane& source = frame.planes[plane];
    Upload::Origin& origin = upload.origins_[plane];
    origin = {columns.begin, lines.begin, source.stride < 0};
    // The lowest address is that of the first line, or of the last one in a picture that is stored
    // bottom-up.
    const auto lowest = static_cast<std::ptrdiff_t>(origin.bottom_up ? lines.end - 1 : lines.begin);
    Upload::Rows& rows = upload.planes[plane];
    rows = {.from = source.data + lowest * source.stride + columns.begin,
            .from_pitch = static_cast<std::size_t>(std::abs(source.stride)),
            .bytes = columns.end - columns.begin,
            .rows = lines.end - lines.begin,
            .to = upload.bytes,
            .to_pitch = aligned(whole.end)};
    // The pitch is that of a whole row, as a view must have; what is between is not copied.
    // A copy of one row may have any pitch, of several at least that of its rows.
    if (rows.rows == 1) rows.from_pitch = std::max(rows.from_pitch, rows.bytes);
    upload.bytes += rows.rows * rows.to_pitch;
  }
  return upload;
}

FrameView Upload::view_in(const std::uint8_t* staging) const {
  FrameView view = view_;
  for (std::size_t p = 0; p < static_cast<std::size_t>(count); ++p) {
    const Rows& rows = planes[p];
    const Origin& origin = origins_[p];
    const std::size_t first = origin.bottom_up ? rows.rows - 1 : 0;
    const auto pitch = static_cast<std::ptrdiff_t>(rows.to_pitch);
    view.planes[p].stride = origin.bottom_up ? -pitch : pitch;
    // As numbers: the sums leave the memory and come back to it.
    const auto first_line =
        reinterpret_cast<std::uintptr_t>(staging) + rows.to + first * rows.to_pitch;
    const auto skipped =
        static_cast<std::uintptr_t>(view.planes[p].stride) * origin.row + origin.column;
    view.planes[p].data = reinterpret_cast<const std::uint8_t*>(first_line - skipped);
  }
  return view;
}

}  // namespace tv::inference

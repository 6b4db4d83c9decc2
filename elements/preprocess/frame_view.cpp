#include "elements/preprocess/frame_view.hpp"

namespace tv {
namespace {

using Layouts = std::array<ComponentLayout, 3>;

// A packed RGB format: bytes of R, G and B in a pixel of `step` bytes.
constexpr Layouts packed(int step, int r, int g, int b) {
  return {{{0, r, step, 0, 0}, {0, g, step, 0, 0}, {0, b, step, 0, 0}}};
}
// Three planes; the sub-sampling is that of the second and third.
constexpr Layouts planar(int bytes, int shift_x, int shift_y, int u = 1, int v = 2) {
  return {{{0, 0, bytes, 0, 0}, {u, 0, bytes, shift_x, shift_y}, {v, 0, bytes, shift_x, shift_y}}};
}
// 4:2:0 with both chroma components in plane 1.
constexpr Layouts semi_planar(int bytes, int u, int v) {
  return {{{0, 0, bytes, 0, 0}, {1, u, 2 * bytes, 1, 1}, {1, v, 2 * bytes, 1, 1}}};
}
// 4:2:2 in groups of four bytes for two pixels.
constexpr Layouts packed_422(int y, int u, int v) {
  return {{{0, y, 2, 0, 0}, {0, u, 4, 1, 0}, {0, v, 4, 1, 0}}};
}

// clang-format off
constexpr PixelFormatInfo kFormats[] = {
  // format                 name        planes  yuv  bits bytes shift components
  {PixelFormat::kRgb,       "RGB",        1, false,   8,   1,   0, packed(3, 0, 1, 2)},
  {PixelFormat::kBgr,       "BGR",        1, false,   8,   1,   0, packed(3, 2, 1, 0)},
  {PixelFormat::kRgba,      "RGBA",       1, false,   8,   1,   0, packed(4, 0, 1, 2)},
  {PixelFormat::kBgra,      "BGRA",       1, false,   8,   1,   0, packed(4, 2, 1, 0)},
  {PixelFormat::kArgb,      "ARGB",       1, false,   8,   1,   0, packed(4, 1, 2, 3)},
  {PixelFormat::kAbgr,      "ABGR",       1, false,   8,   1,   0, packed(4, 3, 2, 1)},
  {PixelFormat::kRgbx,      "RGBx",       1, false,   8,   1,   0, packed(4, 0, 1, 2)},
  {PixelFormat::kBgrx,      "BGRx",       1, false,   8,   1,   0, packed(4, 2, 1, 0)},
  {PixelFormat::kXrgb,      "xRGB",       1, false,   8,   1,   0, packed(4, 1, 2, 3)},
  {PixelFormat::kXbgr,      "xBGR",       1, false,   8,   1,   0, packed(4, 3, 2, 1)},
  {PixelFormat::kGray8,     "GRAY8",      1, false,   8,   1,   0, packed(1, 0, 0, 0)},
  {PixelFormat::kI420,      "I420",       3, true,    8,   1,   0, planar(1, 1, 1)},
  {PixelFormat::kYv12,      "YV12",       3, true,    8,   1,   0, planar(1, 1, 1, 2, 1)},
  {PixelFormat::kNv12,      "NV12",       2, true,    8,   1,   0, semi_planar(1, 0, 1)},
  {PixelFormat::kNv21,      "NV21",       2, true,    8,   1,   0, semi_planar(1, 1, 0)},
  {PixelFormat::kYuy2,      "YUY2",       1, true,    8,   1,   0, packed_422(0, 1, 3)},
  {PixelFormat::kUyvy,      "UYVY",       1, true,    8,   1,   0, packed_422(1, 0, 2)},
  {PixelFormat::kY42b,      "Y42B",       3, true,    8,   1,   0, planar(1, 1, 0)},
  {PixelFormat::kY444,      "Y444",       3, true,    8,   1,   0, planar(1, 0, 0)},
  {PixelFormat::kI420_10le, "I420_10LE",  3, true,   10,   2,   0, planar(2, 1, 1)},
  {PixelFormat::kP010_10le, "P010_10LE",  2, true,   10,   2,   6, semi_planar(2, 0, 2)},
  {PixelFormat::kRgbp,      "RGBP",       3, false,   8,   1,   0, planar(1, 0, 0)},
};
// clang-format on

constexpr bool in_order() {
  std::size_t row = 0;
  for (const auto& info : kFormats)
    if (static_cast<std::size_t>(info.format) != row++) return false;
  return row == static_cast<std::size_t>(PixelFormat::kRgbp) + 1;
}
static_assert(in_order(), "a row for each enumerator, in order");

}  // namespace

std::span<const PixelFormatInfo> pixel_formats() {
  return kFormats;
}

const PixelFormatInfo& pixel_format_info(PixelFormat format) {
  return kFormats[static_cast<std::size_t>(format)];
}

std::optional<FrameView> part_of(const FrameView& picture, const Rect& part) {
  const auto inside = [](int begin, int size, int whole) {
    return begin >= 0 && size > 0 && size <= whole && begin <= whole - size;
  };
  if (!inside(part.x, part.width, picture.width) || !inside(part.y, part.height, picture.height))
    return std::nullopt;
  FrameView view = picture;
  view.crop_x += part.x;
  view.crop_y += part.y;
  view.width = part.width;
  view.height = part.height;
  view.margin.left += part.x;
  view.margin.top += part.y;
  view.margin.right += picture.width - part.x - part.width;
  view.margin.bottom += picture.height - part.y - part.height;
  return view;
}

std::optional<PixelFormat> pixel_format_from_name(std::string_view name) {
  for (const auto& info : kFormats)
    if (info.name == name) return info.format;
  return std::nullopt;
}

}  // namespace tv

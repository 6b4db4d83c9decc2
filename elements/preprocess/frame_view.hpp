// A video frame in memory, described without GStreamer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tv {

// clang-format off
enum class PixelFormat : std::uint8_t {
  kRgb, kBgr, kRgba, kBgra, kArgb, kAbgr, kRgbx, kBgrx, kXrgb, kXbgr, kGray8,
  kI420, kYv12, kNv12, kNv21, kYuy2, kUyvy, kY42b, kY444, kI420_10le, kP010_10le,
  kRgbp,
};
// clang-format on

/// Where one component of a pixel lies: in plane `plane`, at byte offset + (x >> shift_x) * step of
/// row (y >> shift_y). Subsampled components have ceil(size / 2) samples.
struct ComponentLayout {
  int plane;             ///< 0..2
  int offset;            ///< bytes from the row's beginning
  int step;              ///< bytes from one sample to the next
  int shift_x, shift_y;  ///< 0 or 1: log2 of the subsampling
};

/// One row a format; `name` is GStreamer's ("RGB", "NV12", "P010_10LE"). Tests walk this table.
struct PixelFormatInfo {
  PixelFormat format;
  std::string_view name;
  int planes;        ///< 1..3
  bool yuv;          ///< colour matrix, range and chroma siting apply
  int bits;          ///< significant bits of a component: 8 or 10
  int sample_bytes;  ///< of one component: 1, or 2 (little-endian)
  int sample_shift;  ///< right shift of a 16-bit sample to its ten bits: 6 for P010
  std::array<ComponentLayout, 3> components;  ///< R, G, B or Y, U, V; GRAY8: three times the same
};
std::span<const PixelFormatInfo> pixel_formats();
/// `format` must be one of the enumerators.
const PixelFormatInfo& pixel_format_info(PixelFormat format);
/// Case-sensitive, as in caps.
std::optional<PixelFormat> pixel_format_from_name(std::string_view name);

enum class ColorMatrix : std::uint8_t { kBt601, kBt709, kBt2020 };
enum class ColorRange : std::uint8_t { kLimited, kFull };
/// Where a chroma sample lies between luma samples: co-sited with the left (top) one, or half-way.
struct ChromaSite {
  bool horizontal_cosited = false;  ///< GST_VIDEO_CHROMA_SITE_H_COSITED
  bool vertical_cosited = false;    ///< GST_VIDEO_CHROMA_SITE_V_COSITED
};

/// Planes in GStreamer's order for the format (YV12's second plane is V). Does not own the memory.
/// 10-bit samples are little-endian; P010's value lies in the upper ten bits. Alpha and padding
/// bytes are ignored: the colours are taken as they are.
struct FrameView {
  PixelFormat format = PixelFormat::kRgb;
  int width = 0, height = 0;  ///< pixels to classify, after the crop meta
  struct Plane {
    const std::uint8_t* data = nullptr;
    std::ptrdiff_t stride = 0;  ///< bytes to the next row, may be negative
  };
  std::array<Plane, 3> planes{};  ///< planes begin at the frame's own pixel (0, 0)
  int crop_x = 0, crop_y = 0;  ///< pixel where the picture begins in the planes (GstVideoCropMeta)
  int full_width = 0, full_height = 0;  ///< size of the planes, pixels; >= crop + size
  ColorMatrix matrix = ColorMatrix::kBt601;
  ColorRange range = ColorRange::kLimited;
  ChromaSite chroma{};
  /// Pixels around the picture, within the planes, that show the same scene: at its edges, the
  /// chroma of a sub-sampled format is interpolated with theirs. 0: the picture ends there, and its
  /// last chroma sample is repeated.
  struct Margin {
    int left = 0, top = 0, right = 0, bottom = 0;
  } margin{};
};

/// Pixels of a picture.
struct Rect {
  int x = 0, y = 0, width = 0, height = 0;
  bool operator==(const Rect&) const = default;
};

/// The part of the picture under `part`: its pixels are bit for bit those of the whole picture
/// decoded to RGB and then cut, as by torchvision's crop(), at odd positions of sub-sampled formats
/// too. Points into the same memory. nullopt: the part is empty or not wholly inside.
std::optional<FrameView> part_of(const FrameView& picture, const Rect& part);

}  // namespace tv

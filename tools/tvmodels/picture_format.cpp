#include "tools/tvmodels/picture_format.hpp"

#include <algorithm>

namespace tv::cli {
namespace {

using namespace std::string_view_literals;
using Head = std::span<const std::uint8_t>;

// gdkpixbufdec leaves black without alpha where the file is transparent, where Pillow gives the
// palette's colour, and where the file is cut off.
Status check_gif(const FrameView& frame) {
  if (frame.format != PixelFormat::kRgba) return {};
  for (int y = 0; y < frame.height; ++y) {
    const std::uint8_t* row = frame.planes[0].data + y * frame.planes[0].stride;
    for (int x = 0; x < frame.width; ++x)
      if (row[4 * x + 3] != 0xff)
        return Error{Code::kUnsupported, "the GIF picture is transparent in parts, or cut off",
                     "convert it to PNG"};
  }
  return {};
}

constexpr char kGood[] = "gstreamer1.0-plugins-good";

// decodebin takes avdec_gif, which never ends.
// clang-format off
constexpr PictureFormat kFormats[] = {
    // name   start             element         package  check_frame
    {"GIF",  "GIF8"sv,         "gdkpixbufdec", kGood,   check_gif},
};
// clang-format on

bool begins_as(Head head, std::string_view start) {
  return head.size() >= start.size() &&
         std::equal(start.begin(), start.end(), head.begin(), [](char wanted, std::uint8_t found) {
           return wanted == '?' || static_cast<std::uint8_t>(wanted) == found;
         });
}

}  // namespace

const PictureFormat* picture_format(Head head) {
  for (const PictureFormat& format : kFormats)
    if (begins_as(head, format.start)) return &format;
  return nullptr;
}

}  // namespace tv::cli

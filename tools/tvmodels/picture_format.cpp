#include "tools/tvmodels/picture_format.hpp"

#include <algorithm>
#include <cstdlib>

namespace tv::cli {
namespace {

using namespace std::string_view_literals;
using Head = std::span<const std::uint8_t>;

std::uint32_t little_endian(Head head, std::size_t at, std::size_t bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) value = value << 8 | head[at + i];
  return value;
}

Error cut_off() {
  return {Code::kUnreadable, "the file is cut off", "take a whole file"};
}

// gdkpixbufdec fills up what is missing. Pixels are the last thing in a file without compression.
Status check_bmp(Head head, std::uint64_t size) {
  constexpr std::uint32_t kFirstVersion = 12;  // bytes of its header; its sizes have 16 bits
  constexpr std::uint32_t kPlain = 0, kBitfields = 3, kAlphaBitfields = 6;
  if (head.size() < kHeadBytes) return cut_off();
  const bool first = little_endian(head, 14, 4) == kFirstVersion;
  const std::size_t wide = first ? 2 : 4;
  const std::uint64_t width = little_endian(head, 18, wide);
  const std::uint32_t rows = little_endian(head, 18 + wide, wide);
  const std::uint64_t bits = little_endian(head, first ? 24 : 28, 2);
  const std::uint32_t compression = first ? kPlain : little_endian(head, 30, 4);
  if (compression != kPlain && compression != kBitfields && compression != kAlphaBitfields)
    return Error{Code::kUnsupported, "compressed BMP pictures are not supported",
                 "convert it to PNG"};
  // A negative number of rows: the first row is the upper one.
  const std::uint64_t height =
      first ? rows : static_cast<std::uint64_t>(std::llabs(static_cast<std::int32_t>(rows)));
  const std::uint64_t row = (width * bits + 31) / 32 * 4;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 40;  // of a row, so that nothing overflows
  if (row > kMost || little_endian(head, 10, 4) + row * height > size) return cut_off();
  return {};
}

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

constexpr char kGood[] = "gstreamer1.0-plugins-good", kBad[] = "gstreamer1.0-plugins-bad";

// decodebin takes avdec_gif, which never ends; avdec_bmp and avdec_tiff, which want the file in one
// piece. avdec_tiff gives wrong colours for CMYK and JPEG in TIFF; gdkpixbufdec fills up what a
// TIFF file lacks, and multiplies colours with alpha. pnmdec inverts bitmaps.
// clang-format off
constexpr PictureFormat kFormats[] = {
    // name   start             element         package  check_file  check_frame
    {"GIF",  "GIF8"sv,         "gdkpixbufdec", kGood,   nullptr,    check_gif},
    {"BMP",  "BM"sv,           "gdkpixbufdec", kGood,   check_bmp,  nullptr},
    {"PGM",  "P2"sv,           "pnmdec",       kBad,    nullptr,    nullptr},
    {"PGM",  "P5"sv,           "pnmdec",       kBad,    nullptr,    nullptr},
    {"PPM",  "P3"sv,           "pnmdec",       kBad,    nullptr,    nullptr},
    {"PPM",  "P6"sv,           "pnmdec",       kBad,    nullptr,    nullptr},
    {"WebP", "RIFF????WEBP"sv, "webpdec",      kBad,    nullptr,    nullptr},
    {"PBM",  "P1"sv,           nullptr,        nullptr, nullptr,    nullptr},
    {"PBM",  "P4"sv,           nullptr,        nullptr, nullptr,    nullptr},
    {"TIFF", "II*\0"sv,        nullptr,        nullptr, nullptr,    nullptr},
    {"TIFF", "MM\0*"sv,        nullptr,        nullptr, nullptr,    nullptr},
    {"TIFF", "II+\0"sv,        nullptr,        nullptr, nullptr,    nullptr},  // BigTIFF
    {"TIFF", "MM\0+"sv,        nullptr,        nullptr, nullptr,    nullptr},
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

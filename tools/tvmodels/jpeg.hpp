// JPEG pictures as Pillow decodes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model_registry/error.hpp"

namespace tv::cli {

/// Rows of R, G, B bytes from the top left, without padding.
struct RgbPicture {
  int width = 0, height = 0;  ///< pixels
  std::vector<std::uint8_t> pixels;
};

/// Whether a file begins as a JPEG file does; three bytes decide.
bool is_jpeg(std::span<const std::byte> file);

/// Decodes like Pillow's Image.open(file).convert("RGB"): libjpeg's accurate transform and smooth
/// chroma, grey as equal components, CMYK with Adobe's polarity, no rotation. Fails: Unreadable
/// with libjpeg's words (damaged, cut off, more pixels than Pillow takes), Unavailable (no memory).
Result<RgbPicture> decode_jpeg(std::span<const std::byte> file);

}  // namespace tv::cli

// Picture formats that decodebin does not decode as it should.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "elements/preprocess/frame_view.hpp"
#include "model_registry/error.hpp"

namespace tv::cli {

/// A row a format and beginning of file.
struct PictureFormat {
  const char* name;
  std::string_view start;  ///< the file's first bytes; '?': any byte
  const char* element;     ///< decodes it as Pillow does
  const char* package;     ///< Debian's, of the element
  /// Of a decoder that says nothing when it could not decode all. nullptr: it does.
  Status (*check_frame)(const FrameView& frame);
};

/// What picture_format() needs of a file.
inline constexpr std::size_t kHeadBytes = 12;

/// The row of a file that begins so; nullptr: it is decodebin's.
const PictureFormat* picture_format(std::span<const std::uint8_t> head);

}  // namespace tv::cli

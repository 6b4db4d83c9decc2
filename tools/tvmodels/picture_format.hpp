// Picture formats that decodebin decodes wrongly, never finishes, or not without a further package.
#pragma once

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
  const char* element;     ///< decodes it as Pillow does; nullptr: none does, it is refused
  const char* package;     ///< Debian's, of the element
  /// Of a decoder that says nothing when the file is cut off: what is known before decoding.
  /// `head`: the first kHeadBytes of a file of `size` bytes, or all of it. nullptr: nothing is.
  Status (*check_file)(std::span<const std::uint8_t> head, std::uint64_t size);
  /// And after it. nullptr: nothing is.
  Status (*check_frame)(const FrameView& frame);
};

/// What picture_format() and check_file need of a file.
inline constexpr std::size_t kHeadBytes = 34;

/// The row of a file that begins so; nullptr: it is decodebin's.
const PictureFormat* picture_format(std::span<const std::uint8_t> head);

}  // namespace tv::cli

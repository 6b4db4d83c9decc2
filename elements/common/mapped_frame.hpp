// The pixels of a buffer, mapped for reading as long as the object lives.
#pragma once

#include <gst/video/video.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model_registry/error.hpp"

namespace tv {

/// How memory that knows more than system memory is mapped.
struct Mapping {
  /// With a kind of memory's own flag, pointers are what that memory says (a GPU's, for instance).
  guint flags = GST_MAP_READ;  ///< of GstMapFlags; not of that type, which CUDA's own is beyond
  /// Offsets and strides where the buffer has no GstVideoMeta; nullptr: the caps'.
  const GstVideoInfo* layout = nullptr;
};

/// Planes of one video buffer. Offsets and strides come from its GstVideoMeta where it has one,
/// else from the memory itself or the caps. Every row of every plane has been proved to lie inside
/// the buffer. Nothing of the buffer is changed: a plane that spans several memories is copied, not
/// merged in place. Keeps the memories alive, not the buffer.
class MappedFrame {
 public:
  /// Fails: InvalidArgument (buffer too small, video meta that contradicts the caps), Unsupported
  /// (memory that cannot be mapped, or several memories under a plane where flags are not READ
  /// alone), each with the sizes found and expected.
  static Result<MappedFrame> map(GstBuffer* buffer, const GstVideoInfo& info,
                                 const Mapping& mapping = {});

  MappedFrame(MappedFrame&& other) noexcept;
  MappedFrame& operator=(MappedFrame&&) = delete;
  ~MappedFrame();

  struct Plane {
    const std::uint8_t* data = nullptr;  ///< pixel (0, 0) of the frame
    std::ptrdiff_t stride = 0;  ///< bytes to the next row, negative for pictures stored bottom-up
    std::span<const std::uint8_t> rows;  ///< all of them, with what lies between
  };
  int planes() const { return count_; }
  const Plane& plane(int index) const { return planes_[static_cast<std::size_t>(index)]; }
  int width() const { return width_; }    ///< of the planes, pixels: >= the caps' width
  int height() const { return height_; }  ///< of the planes, pixels

 private:
  MappedFrame() = default;
  Status map_plane(GstBuffer* buffer, int index, std::size_t begin, std::size_t size,
                   std::size_t first_row, guint flags);

  int count_ = 0;
  int width_ = 0, height_ = 0;
  std::array<Plane, GST_VIDEO_MAX_PLANES> planes_{};
  int mapped_ = 0;
  std::array<GstMapInfo, GST_VIDEO_MAX_PLANES> maps_{};  // of them `mapped_` hold their memory
  std::vector<std::vector<std::uint8_t>> copies_;        // of planes that span several memories
};

}  // namespace tv

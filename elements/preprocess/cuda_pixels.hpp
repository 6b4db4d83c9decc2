// The pixels of a frame as a kernel reads them: reference.cpp's PixelReader with plain pointers.
// C++17, also compiled for the host, where the tests run it. Private to this folder.
#pragma once

#include <cstdint>

#include "elements/preprocess/color.hpp"
#include "elements/preprocess/host_device.hpp"

namespace tv::preprocess {

/// Component of a format (R, G, B or Y, U, V): sample (x, y) of its own plane lies at
/// data + y * stride + x * step.
struct DeviceComponent {
  const std::uint8_t* data;
  std::int64_t stride;            ///< bytes, may be negative
  std::int32_t step;              ///< bytes
  std::uint8_t shift_x, shift_y;  ///< 0 or 1: log2 of the subsampling
};

/// A FrameView without its table of formats. Travels in a kernel's arguments: see DeviceLaunch.
struct DeviceFrame {
  DeviceComponent components[3];
  std::int32_t crop_x, crop_y;
  /// Chroma samples of the picture and its margin, all included: what lies beyond is repeated.
  std::int32_t chroma_left, chroma_right, chroma_top, chroma_bottom;
  YuvConstants constants;
  bool yuv;
  bool horizontal_cosited, vertical_cosited;
  std::uint8_t sample_bytes;  ///< 1, or 2 (little-endian)
  std::uint8_t sample_shift;  ///< of a 16-bit sample to its ten bits
};

/// Row `y` of the picture, whose pixels read() gives as 8-bit RGB. Keeps a reference to the frame.
class PixelRow {
 public:
  TV_HOST_DEVICE PixelRow(const DeviceFrame& frame, int y) : frame_(frame) {
    const int row = frame.crop_y + y;
    if (!frame.yuv) {
      for (int c = 0; c < 3; ++c) near_[c] = far_[c] = line(c, row);
      return;
    }
    near_[0] = far_[0] = line(0, row);
    const ChromaTap tap = chroma_tap(row, frame.components[1].shift_y, frame.vertical_cosited,
                                     frame.chroma_top, frame.chroma_bottom);
    near_weight_ = tap.near_weight;
    for (int c = 1; c < 3; ++c) {
      near_[c] = line(c, tap.near_index);
      far_[c] = line(c, tap.far_index);
    }
  }

  /// Column `x` of the picture.
  TV_HOST_DEVICE Rgb read(int x) const {
    const int column = frame_.crop_x + x;
    if (!frame_.yuv)
      return {to_byte(sample(near_[0], 0, column)), to_byte(sample(near_[1], 1, column)),
              to_byte(sample(near_[2], 2, column))};
    const ChromaTap tap =
        chroma_tap(column, frame_.components[1].shift_x, frame_.horizontal_cosited,
                   frame_.chroma_left, frame_.chroma_right);
    return yuv_to_rgb(frame_.constants, sample(near_[0], 0, column), chroma16(1, tap),
                      chroma16(2, tap));
  }

 private:
  TV_HOST_DEVICE const std::uint8_t* line(int component, int index) const {
    const DeviceComponent& c = frame_.components[component];
    return c.data + index * c.stride;
  }
  TV_HOST_DEVICE std::int32_t sample(const std::uint8_t* line, int component, int index) const {
    const std::uint8_t* at =
        line + static_cast<std::int64_t>(index) * frame_.components[component].step;
    if (frame_.sample_bytes == 1) return at[0];
    return ((at[0] | at[1] << 8) >> frame_.sample_shift) & 0x3ff;
  }
  TV_HOST_DEVICE std::int32_t in_line(const std::uint8_t* line, int component,
                                      const ChromaTap& tap) const {
    return tap.near_weight * sample(line, component, tap.near_index) +
           (4 - tap.near_weight) * sample(line, component, tap.far_index);
  }
  // 16 times the chroma at a luma position.
  TV_HOST_DEVICE std::int32_t chroma16(int component, const ChromaTap& tap) const {
    return near_weight_ * in_line(near_[component], component, tap) +
           (4 - near_weight_) * in_line(far_[component], component, tap);
  }

  const DeviceFrame& frame_;
  // Of a subsampled component the two lines between which the row lies, near_weight_ quarters near.
  const std::uint8_t* near_[3];
  const std::uint8_t* far_[3];
  std::int32_t near_weight_ = 4;
};

}  // namespace tv::preprocess

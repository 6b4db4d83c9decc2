// Frames in memory for the tests: every format, any stride, crop and place of the planes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "elements/preprocess/frame_view.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv::test {

/// Bytes of a row of `width` pixels, and rows of a plane of `height` lines.
inline std::ptrdiff_t plane_row_bytes(const PixelFormatInfo& info, int plane, int width) {
  std::ptrdiff_t bytes = 0;
  for (const auto& c : info.components)
    if (c.plane == plane)
      bytes = std::max(bytes, static_cast<std::ptrdiff_t>(((width - 1) >> c.shift_x) + 1) * c.step);
  return bytes;
}
inline int plane_rows(const PixelFormatInfo& info, int plane, int height) {
  int rows = 0;
  for (const auto& c : info.components)
    if (c.plane == plane) rows = std::max(rows, ((height - 1) >> c.shift_y) + 1);
  return rows;
}

/// A frame that owns its memory. `view.planes` point into `memory`.
struct OwnedFrame {
  FrameView view;
  std::vector<std::uint8_t> memory;
};

struct FrameShape {
  int width = 0, height = 0;          ///< of the picture
  int crop_x = 0, crop_y = 0;         ///< where it begins in the planes
  int extra_x = 0, extra_y = 0;       ///< columns and rows of the planes behind it
  std::ptrdiff_t stride_padding = 0;  ///< bytes
  std::ptrdiff_t offset = 0;          ///< bytes before each plane
  bool bottom_up = false;             ///< negative strides
};

/// Memory of that shape, all bytes from `fill()`.
template <typename Fill>
OwnedFrame make_frame(PixelFormat format, const FrameShape& shape, const Fill& fill) {
  OwnedFrame frame;
  FrameView& view = frame.view;
  view.format = format;
  view.width = shape.width;
  view.height = shape.height;
  view.crop_x = shape.crop_x;
  view.crop_y = shape.crop_y;
  view.full_width = shape.crop_x + shape.width + shape.extra_x;
  view.full_height = shape.crop_y + shape.height + shape.extra_y;
  const PixelFormatInfo& info = pixel_format_info(format);
  std::array<std::ptrdiff_t, 3> begin{}, strides{};
  std::ptrdiff_t size = 0;
  for (int p = 0; p < info.planes; ++p) {
    const auto i = static_cast<std::size_t>(p);
    const int rows = plane_rows(info, p, view.full_height);
    strides[i] = plane_row_bytes(info, p, view.full_width) + shape.stride_padding;
    size += shape.offset;
    begin[i] = size + (shape.bottom_up ? (rows - 1) * strides[i] : 0);
    size += rows * strides[i];
  }
  frame.memory.resize(static_cast<std::size_t>(size));
  for (auto& byte : frame.memory) byte = fill();
  for (int p = 0; p < info.planes; ++p) {
    const auto i = static_cast<std::size_t>(p);
    view.planes[i] = {frame.memory.data() + begin[i], shape.bottom_up ? -strides[i] : strides[i]};
  }
  return frame;
}

/// Random bytes, many of them 0 and 255.
class Bytes {
 public:
  explicit Bytes(unsigned seed) : random_(seed) {}
  std::uint8_t operator()() {
    const unsigned value = random_();
    const unsigned kind = value >> 8 & 7;
    return kind == 0 ? 0 : kind == 1 ? 255 : static_cast<std::uint8_t>(value);
  }
  /// low..high
  int between(int low, int high) {
    return low + static_cast<int>(random_() % static_cast<unsigned>(high - low + 1));
  }

 private:
  std::mt19937 random_;
};

/// A random part of what lies around the picture, on each side.
inline void add_margin(FrameView& view, Bytes& random) {
  view.margin.left = random.between(0, view.crop_x);
  view.margin.top = random.between(0, view.crop_y);
  view.margin.right = random.between(0, view.full_width - view.width - view.crop_x);
  view.margin.bottom = random.between(0, view.full_height - view.height - view.crop_y);
}

/// A frame of any layout, with sides up to `longest` pixels, often of a few; of any colours.
inline OwnedFrame random_frame(PixelFormat format, Bytes& random, int longest) {
  FrameShape shape;
  const int most = random.between(0, 2) == 0 ? 12 : longest;
  shape.width = random.between(1, most);
  shape.height = random.between(1, most);
  if (random.between(0, 1)) shape.crop_x = random.between(0, 9);
  if (random.between(0, 1)) shape.crop_y = random.between(0, 9);
  if (random.between(0, 1)) shape.extra_x = random.between(0, 9);
  if (random.between(0, 1)) shape.extra_y = random.between(0, 9);
  shape.stride_padding = random.between(0, 40);
  shape.offset = random.between(0, 65);
  shape.bottom_up = random.between(0, 3) == 0;
  OwnedFrame frame = make_frame(format, shape, [&] { return random(); });
  frame.view.matrix = static_cast<ColorMatrix>(random.between(0, 2));
  frame.view.range = static_cast<ColorRange>(random.between(0, 1));
  frame.view.chroma = {random.between(0, 1) == 1, random.between(0, 1) == 1};
  add_margin(frame.view, random);
  return frame;
}

/// Small sizes, all interpolations, crops that pad.
inline Transforms random_recipe(Bytes& random) {
  Transforms recipe;
  recipe.resize_size = random.between(1, 90);
  recipe.crop_size =
      random.between(0, 3) == 0 ? random.between(1, 120) : random.between(1, recipe.resize_size);
  if (random.between(0, 1)) recipe.interpolation = Interpolation::kBicubic;
  recipe.antialias = random.between(0, 4) != 0;
  return recipe;
}

}  // namespace tv::test

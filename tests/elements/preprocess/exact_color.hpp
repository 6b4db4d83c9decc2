// The standards' colour formula in double precision, chroma interpolated linearly where the view
// says that it lies: the judge of the colour step.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "elements/preprocess/frame_view.hpp"

namespace tv::test {

/// The pixels of one picture. The view must stay.
class ExactColor {
 public:
  explicit ExactColor(const FrameView& view) : view_(view), info_(pixel_format_info(view.format)) {}

  /// R, G, B in 0..255, not rounded, of a pixel of the picture.
  std::array<double, 3> at(int x, int y) const {
    x += view_.crop_x;
    y += view_.crop_y;
    if (!info_.yuv) return {sample(0, x, y), sample(1, x, y), sample(2, x, y)};
    constexpr double kRed[] = {0.299, 0.2126, 0.2627}, kBlue[] = {0.114, 0.0722, 0.0593};
    const double red = kRed[static_cast<std::size_t>(view_.matrix)];
    const double blue = kBlue[static_cast<std::size_t>(view_.matrix)];
    const double one = 1 << (info_.bits - 8);  // an 8-bit step
    const bool full = view_.range == ColorRange::kFull;
    const double luma =
        full ? sample(0, x, y) / (256 * one - 1) : (sample(0, x, y) - 16 * one) / (219 * one);
    const double span = full ? 256 * one - 1 : 224 * one;
    const double cb = (chroma(1, x, y) - 128 * one) / span,
                 cr = (chroma(2, x, y) - 128 * one) / span;
    const double r = luma + 2 * (1 - red) * cr, b = luma + 2 * (1 - blue) * cb;
    const double g = (luma - red * r - blue * b) / (1 - red - blue);
    return {std::clamp(255 * r, 0.0, 255.0), std::clamp(255 * g, 0.0, 255.0),
            std::clamp(255 * b, 0.0, 255.0)};
  }

 private:
  double sample(std::size_t component, int x, int y) const {
    const ComponentLayout& c = info_.components[component];
    const auto& plane = view_.planes[static_cast<std::size_t>(c.plane)];
    const std::uint8_t* at =
        plane.data + y * plane.stride + static_cast<std::ptrdiff_t>(x) * c.step + c.offset;
    return info_.sample_bytes == 1 ? at[0] : ((at[0] + 256 * at[1]) >> info_.sample_shift) & 0x3ff;
  }

  // Sample i lies at luma 2 i (co-sited) or 2 i + 0.5; beyond the picture and its margin the last
  // one is repeated.
  double chroma(std::size_t component, int x, int y) const {
    const ComponentLayout& c = info_.components[component];
    const double place_x = c.shift_x ? (x - (view_.chroma.horizontal_cosited ? 0 : 0.5)) / 2 : x;
    const double place_y = c.shift_y ? (y - (view_.chroma.vertical_cosited ? 0 : 0.5)) / 2 : y;
    const int left = static_cast<int>(std::floor(place_x)),
              top = static_cast<int>(std::floor(place_y));
    const auto inside = [](int index, int begin, int end, int shift) {
      return std::clamp(index, begin >> shift, (end - 1) >> shift);
    };
    const auto& margin = view_.margin;
    const int begin_x = view_.crop_x - margin.left, begin_y = view_.crop_y - margin.top;
    const int end_x = view_.crop_x + view_.width + margin.right;
    const int end_y = view_.crop_y + view_.height + margin.bottom;
    double sum = 0;
    for (int j = 0; j < 2; ++j)
      for (int i = 0; i < 2; ++i)
        sum += (i ? place_x - left : 1 - (place_x - left)) *
               (j ? place_y - top : 1 - (place_y - top)) *
               sample(component, inside(left + i, begin_x, end_x, c.shift_x),
                      inside(top + j, begin_y, end_y, c.shift_y));
    return sum;
  }

  const FrameView& view_;
  const PixelFormatInfo& info_;
};

}  // namespace tv::test

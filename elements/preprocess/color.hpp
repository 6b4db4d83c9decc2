// YUV to RGB in integers. Every path (reference, SIMD, a GPU) uses these constants and this
// formula, so that they agree bit for bit. C++17: kernels include it. Private to this folder.
//
// Chroma is interpolated linearly to each luma position, in sixteenths: u16 and v16 are 16 times
// the interpolated sample without any rounding (quarters of a row times quarters of a column).
// Then, with y the luma sample, mul(a, k) = (a * k + 2^14) >> 15 and C the constants below,
//   luma = mul((16 y - C.y_offset) * C.y_scale, C.y)       in 64ths of an output step
//   u = (u16 - C.c_offset) * C.c_scale,  v = (v16 - C.c_offset) * C.c_scale
//   r = clamp((luma + mul(v, C.rv)                + 32) >> 6)
//   g = clamp((luma + mul(u, C.gu) + mul(v, C.gv) + 32) >> 6)
//   b = clamp((luma + mul(u, C.bu)                + 32) >> 6)
// clamp is to 0..255 and >> rounds down. Everything before a sum fits in 16 bits, and a sum that
// leaves 16 bits is clamped anyway, so 16-bit lanes with saturating addition give the same result.
// A mul() is wrong by at most half a 64th and a constant by half of 2^-15: before its rounding a
// result is within 0.04 of the exact one.
#pragma once

#include <cstdint>

#include "elements/preprocess/host_device.hpp"

namespace tv {
enum class ColorMatrix : std::uint8_t;  // frame_view.hpp, which is C++20
enum class ColorRange : std::uint8_t;
}  // namespace tv

namespace tv::preprocess {

struct YuvConstants {
  std::int16_t y, rv, gu, gv, bu;   ///< factor * 2^15
  std::int16_t y_offset, c_offset;  ///< in sixteenths of a sample
  std::int16_t y_scale, c_scale;    ///< powers of two: samples of 8 and 10 bits to the same range
};

YuvConstants yuv_constants(ColorMatrix matrix, ColorRange range, int bits);

struct Rgb {
  std::uint8_t r, g, b;
};

TV_HOST_DEVICE constexpr std::uint8_t to_byte(std::int32_t value) {
  return static_cast<std::uint8_t>(clamped(value, 0, 255));
}

TV_HOST_DEVICE constexpr Rgb yuv_to_rgb(const YuvConstants& k, std::int32_t y, std::int32_t u16,
                                        std::int32_t v16) {
  const auto mul = [](std::int32_t a, std::int32_t factor) {
    return (a * factor + (1 << 14)) >> 15;
  };
  const std::int32_t luma = mul((16 * y - k.y_offset) * k.y_scale, k.y) + 32;
  const std::int32_t u = (u16 - k.c_offset) * k.c_scale, v = (v16 - k.c_offset) * k.c_scale;
  return {to_byte((luma + mul(v, k.rv)) >> 6), to_byte((luma + mul(u, k.gu) + mul(v, k.gv)) >> 6),
          to_byte((luma + mul(u, k.bu)) >> 6)};
}

/// The two chroma samples between which a luma position lies, along one axis: the value there is
/// (near_weight * chroma[near] + (4 - near_weight) * chroma[far]) / 4.
struct ChromaTap {
  int near_index, far_index, near_weight;
};

/// `position`: luma sample in the planes; `shift`: 0 or 1, log2 of the subsampling; [low, high]:
/// the chroma samples of the picture, beyond which the outermost one is repeated.
TV_HOST_DEVICE constexpr ChromaTap chroma_tap(int position, int shift, bool cosited, int low,
                                              int high) {
  if (shift == 0) return {position, position, 4};
  const int near_index = position >> 1;
  const bool odd = (position & 1) != 0;
  // Half-way: sample i lies at luma 2 i + 0.5, a quarter of a chroma step from both of its lumas.
  const int neighbour = odd || cosited ? near_index + 1 : near_index - 1;
  const int weight = cosited ? (odd ? 2 : 4) : 3;
  return {clamped(near_index, low, high), clamped(neighbour, low, high), weight};
}

}  // namespace tv::preprocess

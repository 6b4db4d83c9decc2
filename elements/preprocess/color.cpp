#include "elements/preprocess/color.hpp"

#include <cmath>

#include "elements/preprocess/frame_view.hpp"

namespace tv::preprocess {
namespace {

// The luma weights of red and blue (ITU-R BT.601, BT.709, BT.2020 non-constant luminance).
struct LumaWeights {
  double red, blue;
};
constexpr LumaWeights kLumaWeights[] = {{0.299, 0.114}, {0.2126, 0.0722}, {0.2627, 0.0593}};

}  // namespace

YuvConstants yuv_constants(ColorMatrix matrix, ColorRange range, int bits) {
  const auto [red, blue] = kLumaWeights[static_cast<std::size_t>(matrix)];
  const double green = 1.0 - red - blue;
  const bool full = range == ColorRange::kFull;
  const int extra = 1 << (bits - 8);
  const double luma_span = full ? (256 * extra - 1) : 219 * extra;
  const double chroma_span = full ? (256 * extra - 1) : 224 * extra;

  YuvConstants k{};
  k.y_scale = static_cast<std::int16_t>(8 / extra);
  k.c_scale = static_cast<std::int16_t>(16 / extra);
  // A step of the scaled sample, in 64ths of an output step.
  const double luma_unit = 64 * (255.0 / luma_span) / (16 * k.y_scale);
  const double chroma_unit = 64 * (255.0 / chroma_span) / (16 * k.c_scale);
  const auto fixed = [](double value) {
    return static_cast<std::int16_t>(std::lround(value * 32768));
  };
  k.y = fixed(luma_unit);
  k.rv = fixed(2 * (1 - red) * chroma_unit);
  k.bu = fixed(2 * (1 - blue) * chroma_unit);
  k.gu = fixed(-2 * (1 - blue) * blue / green * chroma_unit);
  k.gv = fixed(-2 * (1 - red) * red / green * chroma_unit);
  k.y_offset = static_cast<std::int16_t>(full ? 0 : 16 * 16 * extra);
  k.c_offset = static_cast<std::int16_t>(16 * 128 * extra);
  return k;
}

}  // namespace tv::preprocess

// Colour conversion of rows. Integers only, so that every instruction set gives the reference's
// bits.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "elements/preprocess/cpu_color.cpp"
#include <hwy/foreach_target.h>
// Must come after foreach_target.h.
#include <hwy/highway.h>

#include "elements/preprocess/cpu_kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace tv::preprocess {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Calls step(i) for vectors of `lanes` elements beginning at i, the last one moved back so that it
// ends at `count`; what does not fill a vector at all goes to single(i), one by one.
template <typename Step, typename Single>
HWY_INLINE void for_each_inside(int count, int lanes, const Step& step, const Single& single) {
  if (count < lanes) {
    for (int i = 0; i < count; ++i) single(i);
    return;
  }
  int i = 0;
  for (; i + lanes <= count; i += lanes) step(i);
  if (i < count) step(count - lanes);
}

void SplitPixels(const std::uint8_t* pixels, int step, const int* offsets, int count,
                 std::uint8_t* const* rgb) {
  const hn::ScalableTag<std::uint8_t> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto single = [&](int i) HWY_ATTR {
    for (int c = 0; c < 3; ++c) rgb[c][i] = pixels[i * step + offsets[c]];
  };
  const int r = offsets[0], g = offsets[1], b = offsets[2];
  const auto vectors3 = [&](int i) HWY_ATTR {
    auto v0 = hn::Zero(d), v1 = v0, v2 = v0;
    hn::LoadInterleaved3(d, pixels + static_cast<std::ptrdiff_t>(i) * 3, v0, v1, v2);
    hn::StoreU(r == 0 ? v0 : v2, d, rgb[0] + i);
    hn::StoreU(v1, d, rgb[1] + i);
    hn::StoreU(b == 0 ? v0 : v2, d, rgb[2] + i);
  };
  const auto vectors4 = [&](int i) HWY_ATTR {
    auto v0 = hn::Zero(d), v1 = v0, v2 = v0, v3 = v0;
    hn::LoadInterleaved4(d, pixels + static_cast<std::ptrdiff_t>(i) * 4, v0, v1, v2, v3);
    // R and B are at 0 and 2, or 1 and 3; G lies between them.
    const auto low = r + b == 2 ? v0 : v1, high = r + b == 2 ? v2 : v3;
    hn::StoreU(r < b ? low : high, d, rgb[0] + i);
    hn::StoreU(g == 1 ? v1 : v2, d, rgb[1] + i);
    hn::StoreU(r < b ? high : low, d, rgb[2] + i);
  };
  if (step == 3)
    for_each_inside(count, lanes, vectors3, single);
  else
    for_each_inside(count, lanes, vectors4, single);
}

// Samples of 8 bits, one every `step` (1, 2, 4) bytes at `offset`.
void LoadBytes(const std::uint8_t* groups, int step, int offset, int count, std::int16_t* samples) {
  const hn::ScalableTag<std::int16_t> d;
  const hn::Rebind<std::uint8_t, decltype(d)> d8;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto single = [&](int i) HWY_ATTR { samples[i] = groups[i * step + offset]; };
  const auto store = [&](auto v, int i)
                         HWY_ATTR { hn::StoreU(hn::PromoteTo(d, v), d, samples + i); };
  if (step == 1) {
    for_each_inside(
        count, lanes, [&](int i) HWY_ATTR { store(hn::LoadU(d8, groups + i), i); }, single);
  } else if (step == 2) {
    const auto vectors = [&](int i) HWY_ATTR {
      auto v0 = hn::Zero(d8), v1 = v0;
      hn::LoadInterleaved2(d8, groups + static_cast<std::ptrdiff_t>(i) * 2, v0, v1);
      store(offset == 0 ? v0 : v1, i);
    };
    for_each_inside(count, lanes, vectors, single);
  } else {
    const auto vectors = [&](int i) HWY_ATTR {
      auto v0 = hn::Zero(d8), v1 = v0, v2 = v0, v3 = v0;
      hn::LoadInterleaved4(d8, groups + static_cast<std::ptrdiff_t>(i) * 4, v0, v1, v2, v3);
      store(offset < 2 ? (offset == 0 ? v0 : v1) : (offset == 2 ? v2 : v3), i);
    };
    for_each_inside(count, lanes, vectors, single);
  }
}

// Ten bits of little-endian 16-bit samples, one every `step` (2, 4) bytes at `offset` (0, 2).
void LoadWords(const std::uint8_t* groups, int step, int offset, int shift, int count,
               std::int16_t* samples) {
  const hn::ScalableTag<std::uint16_t> d;
  const hn::RebindToSigned<decltype(d)> ds;
  const hn::Repartition<std::uint8_t, decltype(d)> d8;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto single = [&](int i) HWY_ATTR {
    const std::uint8_t* at = groups + static_cast<std::ptrdiff_t>(i) * step + offset;
    samples[i] = static_cast<std::int16_t>(((at[0] | at[1] << 8) >> shift) & 0x3ff);
  };
  const auto store = [&](auto v, int i) HWY_ATTR {
    const auto value =
        shift == 6 ? hn::ShiftRight<6>(v) : hn::And(v, hn::Set(d, std::uint16_t{0x3ff}));
    hn::StoreU(hn::BitCast(ds, value), ds, samples + i);
  };
  // Rows of a frame need not be aligned to two bytes.
  const auto load = [&](const std::uint8_t* at)
                        HWY_ATTR { return hn::BitCast(d, hn::LoadU(d8, at)); };
  if (step == 2) {
    for_each_inside(
        count, lanes,
        [&](int i) HWY_ATTR { store(load(groups + static_cast<std::ptrdiff_t>(i) * 2), i); },
        single);
  } else {
    const auto vectors = [&](int i) HWY_ATTR {
      const std::uint8_t* at = groups + static_cast<std::ptrdiff_t>(i) * 4;
      const auto low = load(at), high = load(at + hn::Lanes(d8));
      store(offset == 0 ? hn::ConcatEven(d, high, low) : hn::ConcatOdd(d, high, low), i);
    };
    for_each_inside(count, lanes, vectors, single);
  }
}

void BlendChroma(const std::int16_t* near_row, const std::int16_t* far_row, int near_weight,
                 int count, std::int16_t* out) {
  const hn::ScalableTag<std::int16_t> d;
  const auto near_factor = hn::Set(d, static_cast<std::int16_t>(near_weight));
  const auto far_factor = hn::Set(d, static_cast<std::int16_t>(4 - near_weight));
  for (int i = 0; i < count; i += static_cast<int>(hn::Lanes(d)))
    hn::StoreU(hn::Add(hn::Mul(hn::LoadU(d, near_row + i), near_factor),
                       hn::Mul(hn::LoadU(d, far_row + i), far_factor)),
               d, out + i);
}

void SpreadChroma(const std::int16_t* chroma, bool cosited, int count, std::int16_t* luma) {
  const hn::ScalableTag<std::int16_t> d;
  for (int i = 0; i < count; i += static_cast<int>(hn::Lanes(d))) {
    const auto here = hn::LoadU(d, chroma + i), next = hn::LoadU(d, chroma + i + 1);
    if (cosited) {
      const auto sum = hn::Add(here, next);
      hn::StoreInterleaved2(hn::ShiftLeft<2>(here), hn::Add(sum, sum), d, luma + 2 * i);
    } else {
      const auto three = hn::Add(here, hn::Add(here, here));
      const auto before = hn::LoadU(d, chroma + i - 1);
      hn::StoreInterleaved2(hn::Add(three, before), hn::Add(three, next), d, luma + 2 * i);
    }
  }
}

void Quadruple(const std::int16_t* in, int count, std::int16_t* out) {
  const hn::ScalableTag<std::int16_t> d;
  for (int i = 0; i < count; i += static_cast<int>(hn::Lanes(d)))
    hn::StoreU(hn::ShiftLeft<2>(hn::LoadU(d, in + i)), d, out + i);
}

void YuvToRgbRow(const YuvConstants& k, const std::int16_t* y, const std::int16_t* u16,
                 const std::int16_t* v16, int count, std::uint8_t* const* rgb) {
  const hn::ScalableTag<std::int16_t> d;
  const hn::Rebind<std::uint8_t, decltype(d)> d8;
  const auto ky = hn::Set(d, k.y), krv = hn::Set(d, k.rv), kgu = hn::Set(d, k.gu);
  const auto kgv = hn::Set(d, k.gv), kbu = hn::Set(d, k.bu);
  const auto y_offset = hn::Set(d, k.y_offset), c_offset = hn::Set(d, k.c_offset);
  const auto y_scale = hn::Set(d, k.y_scale), c_scale = hn::Set(d, k.c_scale);
  const auto half = hn::Set(d, std::int16_t{32});
  const auto store = [&](auto sum, std::uint8_t* out) HWY_ATTR {
    hn::StoreU(hn::DemoteTo(d8, hn::ShiftRight<6>(sum)), d8, out);
  };
  for (int i = 0; i < count; i += static_cast<int>(hn::Lanes(d))) {
    const auto scaled = hn::Mul(hn::Sub(hn::ShiftLeft<4>(hn::LoadU(d, y + i)), y_offset), y_scale);
    const auto luma = hn::Add(hn::MulFixedPoint15(scaled, ky), half);
    const auto u = hn::Mul(hn::Sub(hn::LoadU(d, u16 + i), c_offset), c_scale);
    const auto v = hn::Mul(hn::Sub(hn::LoadU(d, v16 + i), c_offset), c_scale);
    const auto green = hn::Add(hn::MulFixedPoint15(u, kgu), hn::MulFixedPoint15(v, kgv));
    store(hn::SaturatedAdd(luma, hn::MulFixedPoint15(v, krv)), rgb[0] + i);
    store(hn::SaturatedAdd(luma, green), rgb[1] + i);
    store(hn::SaturatedAdd(luma, hn::MulFixedPoint15(u, kbu)), rgb[2] + i);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tv::preprocess
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tv::preprocess {
namespace {
HWY_EXPORT(SplitPixels);
HWY_EXPORT(LoadBytes);
HWY_EXPORT(LoadWords);
HWY_EXPORT(BlendChroma);
HWY_EXPORT(SpreadChroma);
HWY_EXPORT(Quadruple);
HWY_EXPORT(YuvToRgbRow);
}  // namespace

void split_pixels(const std::uint8_t* pixels, int step, const int offsets[3], int count,
                  std::uint8_t* const rgb[3]) {
  HWY_DYNAMIC_DISPATCH(SplitPixels)(pixels, step, offsets, count, rgb);
}

void load_samples(const std::uint8_t* groups, const PixelFormatInfo& info,
                  const ComponentLayout& layout, int count, std::int16_t* samples) {
  if (info.sample_bytes == 1)
    HWY_DYNAMIC_DISPATCH(LoadBytes)(groups, layout.step, layout.offset, count, samples);
  else
    HWY_DYNAMIC_DISPATCH(LoadWords)
  (groups, layout.step, layout.offset, info.sample_shift, count, samples);
}

void blend_chroma(const std::int16_t* near_row, const std::int16_t* far_row, int near_weight,
                  int count, std::int16_t* out) {
  HWY_DYNAMIC_DISPATCH(BlendChroma)(near_row, far_row, near_weight, count, out);
}

void spread_chroma(const std::int16_t* chroma, bool cosited, int count, std::int16_t* luma) {
  HWY_DYNAMIC_DISPATCH(SpreadChroma)(chroma, cosited, count, luma);
}

void quadruple(const std::int16_t* in, int count, std::int16_t* out) {
  HWY_DYNAMIC_DISPATCH(Quadruple)(in, count, out);
}

void yuv_to_rgb_row(const YuvConstants& constants, const std::int16_t* y, const std::int16_t* u16,
                    const std::int16_t* v16, int count, std::uint8_t* const rgb[3]) {
  HWY_DYNAMIC_DISPATCH(YuvToRgbRow)(constants, y, u16, v16, count, rgb);
}

}  // namespace tv::preprocess
#endif  // HWY_ONCE

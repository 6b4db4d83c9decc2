// The two passes of the resize. The horizontal one takes 16 rows at once: the bytes under 16
// outputs are transposed so that a vector holds one column of those rows, each output is a plain
// chain over its taps (in the order that plan.hpp prescribes: lanes never exchange partial sums),
// and tiles of 16 x 16 results are transposed back.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "elements/preprocess/cpu_resample.cpp"
#include <hwy/foreach_target.h>
// Must come after foreach_target.h.
#include <hwy/highway.h>

#include <algorithm>

#include "elements/preprocess/cpu_kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace tv::preprocess {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// out[c] = byte c of each of the 16 rows: four rounds of interleaving.
HWY_INLINE void transpose_bytes(const std::uint8_t* rows, std::ptrdiff_t stride,
                                std::uint8_t* out) {
  const hn::FixedTag<std::uint8_t, 16> d;
  alignas(16) std::uint8_t other[256];
  const auto round = [&](const std::uint8_t* from, std::ptrdiff_t from_stride, std::uint8_t* to)
                         HWY_ATTR {
                           for (int i = 0; i < 8; ++i) {
                             const auto a = hn::LoadU(d, from + i * from_stride);
                             const auto b = hn::LoadU(d, from + (i + 8) * from_stride);
                             hn::Store(hn::InterleaveLower(d, a, b), d, to + 32 * i);
                             hn::Store(hn::InterleaveUpper(d, a, b), d, to + 32 * i + 16);
                           }
                         };
  round(rows, stride, other);
  round(other, 16, out);
  round(out, 16, other);
  round(other, 16, out);
}

// A 4 x 4 transpose of 32-bit values between two strided places.
template <typename T>
HWY_INLINE void transpose_values(const T* from, std::ptrdiff_t from_stride, T* const* rows,
                                 std::ptrdiff_t offset) {
  const hn::FixedTag<T, 4> d;
  const hn::Repartition<std::uint64_t, decltype(d)> d64;
  const auto a = hn::Load(d, from), b = hn::Load(d, from + from_stride);
  const auto c = hn::Load(d, from + 2 * from_stride), e = hn::Load(d, from + 3 * from_stride);
  const auto ab_low = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
  const auto ab_high = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
  const auto ce_low = hn::BitCast(d64, hn::InterleaveLower(d, c, e));
  const auto ce_high = hn::BitCast(d64, hn::InterleaveUpper(d, c, e));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, ab_low, ce_low)), d, rows[0] + offset);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, ab_low, ce_low)), d, rows[1] + offset);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, ab_high, ce_high)), d, rows[2] + offset);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, ab_high, ce_high)), d, rows[3] + offset);
}

template <class D, class V>
HWY_INLINE V from_bytes(D d, const std::uint8_t* bytes, V* /*deduce*/) {
  const hn::Rebind<std::uint8_t, D> d8;
  const hn::RebindToSigned<D> di;
  const auto integers = hn::PromoteTo(di, hn::LoadU(d8, bytes));
  if constexpr (hwy::IsFloat<hn::TFromD<D>>())
    return hn::ConvertTo(d, integers);
  else
    return integers;
}

// The sums of plan.hpp over one tap list, for three sources at once. Source(k, c) loads tap k of
// source c.
template <class D, class Source, class Store>
HWY_INLINE void sum_taps(D d, const AxisTaps& taps, std::size_t output, const Source& source,
                         const Store& store) {
  using T = hn::TFromD<D>;
  const int count = taps.count[output];
  const std::size_t at = output * static_cast<std::size_t>(taps.stride);
  if constexpr (hwy::IsFloat<T>()) {
    const float* weights = taps.weights.data() + at;
    const int separate = taps.separate[output];
    const int lead = separate > 1 ? 0 : taps.lead;
    const auto first = hn::Set(d, weights[lead]);
    auto s0 = hn::Mul(source(lead, 0), first), s1 = hn::Mul(source(lead, 1), first);
    auto s2 = hn::Mul(source(lead, 2), first);
    int k = 1;
    for (; k < separate; ++k) {
      const auto w = hn::Set(d, weights[k]);
      s0 = hn::Add(s0, hn::Mul(source(k, 0), w));
      s1 = hn::Add(s1, hn::Mul(source(k, 1), w));
      s2 = hn::Add(s2, hn::Mul(source(k, 2), w));
    }
    if (lead == 1) k = 0;
    for (; k < count; ++k) {
      if (k == lead) continue;
      const auto w = hn::Set(d, weights[k]);
      s0 = hn::MulAdd(source(k, 0), w, s0);
      s1 = hn::MulAdd(source(k, 1), w, s1);
      s2 = hn::MulAdd(source(k, 2), w, s2);
    }
    store(s0, s1, s2);
  } else {
    const std::int32_t* weights = taps.fixed.data() + at;
    auto s0 = hn::Set(d, 1 << 21), s1 = s0, s2 = s0;
    for (int k = 0; k < count; ++k) {
      const auto w = hn::Set(d, weights[k]);
      s0 = hn::Add(s0, hn::Mul(source(k, 0), w));
      s1 = hn::Add(s1, hn::Mul(source(k, 1), w));
      s2 = hn::Add(s2, hn::Mul(source(k, 2), w));
    }
    const auto zero = hn::Zero(d), top = hn::Set(d, 255);
    store(hn::Clamp(hn::ShiftRight<22>(s0), zero, top),
          hn::Clamp(hn::ShiftRight<22>(s1), zero, top),
          hn::Clamp(hn::ShiftRight<22>(s2), zero, top));
  }
}

// The columns [begin, end) of the source axis as values; columns beyond the picture repeat its
// edge.
template <typename T>
void load_columns(const Strip& strip, int source_size, int begin, int end,
                  const Columns<T>& columns) {
  const hn::CappedTag<T, kStripRows> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const int inside_begin = std::max(begin, 0), inside_end = std::min(end, source_size);
  alignas(64) std::uint8_t block[256];
  for (int c = 0; c < 3; ++c) {
    const std::uint8_t* rows = strip.bytes + c * kStripRows * strip.stride;
    T* values = columns.values + static_cast<std::ptrdiff_t>(c) * columns.capacity * kStripRows;
    for (int x = inside_begin; x < inside_end; x += 16) {
      transpose_bytes(rows + (x - strip.left), strip.stride, block);
      T* to = values + static_cast<std::ptrdiff_t>(x - begin) * kStripRows;
      for (int i = 0; i < 256; i += lanes) {
        auto v = hn::Zero(d);
        v = from_bytes(d, block + i, &v);
        hn::Store(v, d, to + i);
      }
    }
    const auto column = [&](int x) {
      return values + static_cast<std::ptrdiff_t>(x - begin) * kStripRows;
    };
    for (int x = begin; x < inside_begin; ++x)
      std::copy_n(column(inside_begin), kStripRows, column(x));
    for (int x = inside_end; x < end; ++x)
      std::copy_n(column(inside_end - 1), kStripRows, column(x));
  }
}

template <typename T>
HWY_INLINE void ResampleStrip(const Strip& strip, const AxisTaps& taps, const Columns<T>& columns,
                              T* const* rows, std::ptrdiff_t stride) {
  const hn::CappedTag<T, kStripRows> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  alignas(64) T tile[3][16 * kStripRows] = {};
  const int outputs = taps.outputs();
  for (int x0 = 0; x0 < outputs; x0 += 16) {
    const int x1 = std::min(x0 + 16, outputs);
    const int begin = taps.first[static_cast<std::size_t>(x0)];
    int end = begin;
    for (int x = x0; x < x1; ++x)
      end = std::max(
          end, taps.first[static_cast<std::size_t>(x)] + taps.count[static_cast<std::size_t>(x)]);
    load_columns(strip, taps.source_size, begin, end, columns);
    const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(columns.capacity) * kStripRows;
    for (int x = x0; x < x1; ++x) {
      const auto output = static_cast<std::size_t>(x);
      const T* at =
          columns.values + static_cast<std::ptrdiff_t>(taps.first[output] - begin) * kStripRows;
      for (int lane = 0; lane < kStripRows; lane += lanes) {
        const auto source = [&](int k, int c) HWY_ATTR {
          return hn::Load(d, at + c * plane + k * kStripRows + lane);
        };
        const auto store = [&](auto r, auto g, auto b) HWY_ATTR {
          const int to = (x - x0) * kStripRows + lane;
          hn::Store(r, d, tile[0] + to);
          hn::Store(g, d, tile[1] + to);
          hn::Store(b, d, tile[2] + to);
        };
        sum_taps(d, taps, output, source, store);
      }
    }
    for (int c = 0; c < 3; ++c)
      for (int r = 0; r < kStripRows; r += 4)
        for (int x = 0; x < 16; x += 4)
          transpose_values(tile[c] + x * kStripRows + r, kStripRows, rows + r, c * stride + x0 + x);
  }
}

void ResampleStripFloat(const Strip& strip, const AxisTaps& taps, const Columns<float>& columns,
                        float* const* rows, std::ptrdiff_t stride) {
  ResampleStrip(strip, taps, columns, rows, stride);
}
void ResampleStripFixed(const Strip& strip, const AxisTaps& taps,
                        const Columns<std::int32_t>& columns, std::int32_t* const* rows,
                        std::ptrdiff_t stride) {
  ResampleStrip(strip, taps, columns, rows, stride);
}

template <typename T>
HWY_INLINE void ResampleRows(const T* const* rows, const AxisTaps& taps, int output, int count,
                             T* out) {
  const hn::ScalableTag<T> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  for (int x = 0; x < count; x += 3 * lanes) {
    const auto source = [&](int k, int c)
                            HWY_ATTR { return hn::LoadU(d, rows[k] + x + c * lanes); };
    const auto store = [&](auto a, auto b, auto c) HWY_ATTR {
      hn::StoreU(a, d, out + x);
      hn::StoreU(b, d, out + x + lanes);
      hn::StoreU(c, d, out + x + 2 * lanes);
    };
    sum_taps(d, taps, static_cast<std::size_t>(output), source, store);
  }
}

void ResampleRowsFloat(const float* const* rows, const AxisTaps& taps, int output, int count,
                       float* out) {
  ResampleRows(rows, taps, output, count, out);
}
void ResampleRowsFixed(const std::int32_t* const* rows, const AxisTaps& taps, int output, int count,
                       std::int32_t* out) {
  ResampleRows(rows, taps, output, count, out);
}

template <typename T>
HWY_INLINE void NormalizeRow(const T* values, int count, float mean, float deviation, float* out) {
  const hn::ScalableTag<float> d;
  const hn::Rebind<T, decltype(d)> dt;
  const auto top = hn::Set(d, 255.0f), m = hn::Set(d, mean), s = hn::Set(d, deviation);
  for (int x = 0; x < count; x += static_cast<int>(hn::Lanes(d))) {
    const auto loaded = hn::LoadU(dt, values + x);
    auto v = hn::Zero(d);
    if constexpr (hwy::IsFloat<T>())
      v = hn::Round(hn::Clamp(loaded, hn::Zero(d), top));  // half to even
    else
      v = hn::ConvertTo(d, loaded);
    hn::StoreU(hn::Div(hn::Sub(hn::Div(v, top), m), s), d, out + x);
  }
}

void NormalizeRowFloat(const float* values, int count, float mean, float deviation, float* out) {
  NormalizeRow(values, count, mean, deviation, out);
}
void NormalizeRowFixed(const std::int32_t* values, int count, float mean, float deviation,
                       float* out) {
  NormalizeRow(values, count, mean, deviation, out);
}

void WidenRow(const std::uint8_t* bytes, int count, std::int32_t* values) {
  const hn::ScalableTag<std::int32_t> d;
  for (int x = 0; x < count; x += static_cast<int>(hn::Lanes(d))) {
    auto v = hn::Zero(d);
    hn::StoreU(from_bytes(d, bytes + x, &v), d, values + x);
  }
}

void NarrowRow(const std::int32_t* values, int count, std::uint8_t* bytes) {
  const hn::ScalableTag<std::int32_t> d;
  const hn::Rebind<std::uint8_t, decltype(d)> d8;
  for (int x = 0; x < count; x += static_cast<int>(hn::Lanes(d)))
    hn::StoreU(hn::DemoteTo(d8, hn::LoadU(d, values + x)), d8, bytes + x);
}

bool Fuses() {
  return HWY_NATIVE_FMA != 0;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tv::preprocess
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tv::preprocess {
namespace {
HWY_EXPORT(ResampleStripFloat);
HWY_EXPORT(ResampleStripFixed);
HWY_EXPORT(ResampleRowsFloat);
HWY_EXPORT(ResampleRowsFixed);
HWY_EXPORT(NormalizeRowFloat);
HWY_EXPORT(NormalizeRowFixed);
HWY_EXPORT(WidenRow);
HWY_EXPORT(NarrowRow);
HWY_EXPORT(Fuses);
}  // namespace

bool kernels_fuse() {
  return HWY_DYNAMIC_DISPATCH(Fuses)();
}

int columns_needed(const AxisTaps& taps) {
  int most = 0;
  for (int x0 = 0; x0 < taps.outputs(); x0 += 16) {
    const int begin = taps.first[static_cast<std::size_t>(x0)];
    for (int x = x0; x < std::min(x0 + 16, taps.outputs()); ++x) {
      const auto i = static_cast<std::size_t>(x);
      most = std::max(most, taps.first[i] + taps.count[i] - begin);
    }
  }
  return most + 16;  // the last transposed block is whole
}

template <>
void resample_strip(const Strip& strip, const AxisTaps& taps, const Columns<float>& columns,
                    float* const rows[kStripRows], std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(ResampleStripFloat)(strip, taps, columns, rows, stride);
}
template <>
void resample_strip(const Strip& strip, const AxisTaps& taps, const Columns<std::int32_t>& columns,
                    std::int32_t* const rows[kStripRows], std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(ResampleStripFixed)(strip, taps, columns, rows, stride);
}

template <>
void resample_rows(const float* const* rows, const AxisTaps& taps, int output, int count,
                   float* out) {
  HWY_DYNAMIC_DISPATCH(ResampleRowsFloat)(rows, taps, output, count, out);
}
template <>
void resample_rows(const std::int32_t* const* rows, const AxisTaps& taps, int output, int count,
                   std::int32_t* out) {
  HWY_DYNAMIC_DISPATCH(ResampleRowsFixed)(rows, taps, output, count, out);
}

template <>
void normalize_row(const float* values, int count, float mean, float deviation, float* out) {
  HWY_DYNAMIC_DISPATCH(NormalizeRowFloat)(values, count, mean, deviation, out);
}
template <>
void normalize_row(const std::int32_t* values, int count, float mean, float deviation, float* out) {
  HWY_DYNAMIC_DISPATCH(NormalizeRowFixed)(values, count, mean, deviation, out);
}

void widen_row(const std::uint8_t* bytes, int count, std::int32_t* values) {
  HWY_DYNAMIC_DISPATCH(WidenRow)(bytes, count, values);
}
void narrow_row(const std::int32_t* values, int count, std::uint8_t* bytes) {
  HWY_DYNAMIC_DISPATCH(NarrowRow)(values, count, bytes);
}

}  // namespace tv::preprocess
#endif  // HWY_ONCE

// The SIMD kernels of the fast path: each works on rows and picks the widest instruction set of
// this CPU when called. Private to this folder.
//
// Rows in our own memory ("padded" below) may be read and written up to kPadding elements beyond
// their count. Rows of the caller's frame are never touched outside the samples that are asked for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "elements/preprocess/color.hpp"
#include "elements/preprocess/frame_view.hpp"
#include "model_registry/transforms/plan.hpp"

namespace tv::preprocess {

inline constexpr int kPadding = 128;  ///< elements, at least the lanes of two of the widest vectors
inline constexpr int kStripRows = 16;  ///< rows that the horizontal pass takes at once

constexpr int padded(int count) {
  return (count + kPadding - 1) / kPadding * kPadding + kPadding;
}

// ---- colour: cpu_color.cpp ----

/// `count` packed pixels of `step` (3 or 4) bytes -> three padded rows of bytes.
void split_pixels(const std::uint8_t* pixels, int step, const int offsets[3], int count,
                  std::uint8_t* const rgb[3]);
/// `count` samples of one component -> a padded row. `groups` is the first sample's byte less
/// layout.offset.
void load_samples(const std::uint8_t* groups, const PixelFormatInfo& info,
                  const ComponentLayout& layout, int count, std::int16_t* samples);
/// out = near_weight * near + (4 - near_weight) * far, in padded rows.
void blend_chroma(const std::int16_t* near_row, const std::int16_t* far_row, int near_weight,
                  int count, std::int16_t* out);
/// Quarters of chroma samples -> sixteenths at luma positions, in padded rows: chroma[i] belongs to
/// luma[2 i] and luma[2 i + 1], for i < count. Reads chroma[-1] and chroma[count].
void spread_chroma(const std::int16_t* chroma, bool cosited, int count, std::int16_t* luma);
/// out = 4 * in, in padded rows: where chroma is not subsampled horizontally.
void quadruple(const std::int16_t* in, int count, std::int16_t* out);
/// color.hpp's formula, padded rows.
void yuv_to_rgb_row(const YuvConstants& constants, const std::int16_t* y, const std::int16_t* u16,
                    const std::int16_t* v16, int count, std::uint8_t* const rgb[3]);

// ---- resampling: cpu_resample.cpp ----
//
// T is float for kTensor and std::int32_t for kPil. Taps have weights of that kind, also for an
// axis that is not resampled (one tap of weight one).

/// Whether the kernels' instruction set has fused multiply-add; FloatSums::kGrouped needs it.
bool kernels_fuse();

/// Three planes of kStripRows rows of bytes.
struct Strip {
  const std::uint8_t* bytes;  ///< [3][kStripRows][stride], padded rows
  std::ptrdiff_t stride;
  int left;  ///< source column of element 0
};

/// Room for the columns under 16 outputs, as values: [3][columns][kStripRows].
template <typename T>
struct Columns {
  T* values;     ///< aligned to 64 bytes
  int capacity;  ///< columns; see columns_needed()
};
int columns_needed(const AxisTaps& taps);

/// All outputs of the strip's rows: row r, channel c, output x goes to rows[r][c * stride + x].
/// Rows are padded.
template <typename T>
void resample_strip(const Strip& strip, const AxisTaps& taps, const Columns<T>& columns,
                    T* const rows[kStripRows], std::ptrdiff_t stride);

/// Output `output` of `taps` from its rows (one a tap), element by element, padded.
template <typename T>
void resample_rows(const T* const* rows, const AxisTaps& taps, int output, int count, T* out);

/// Values -> bytes -> (byte / 255 - mean) / deviation, padded.
template <typename T>
void normalize_row(const T* values, int count, float mean, float deviation, float* out);

/// Bytes to values and back, padded.
void widen_row(const std::uint8_t* bytes, int count, std::int32_t* values);
void narrow_row(const std::int32_t* values, int count, std::uint8_t* bytes);

}  // namespace tv::preprocess

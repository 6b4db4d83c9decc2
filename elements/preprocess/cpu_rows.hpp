// Rows of a frame in any format -> rows of 8-bit RGB planes. Private to this folder.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "elements/preprocess/color.hpp"
#include "elements/preprocess/frame_view.hpp"
#include "model_registry/transforms/plan.hpp"

namespace tv::preprocess {

/// Reads the columns [source_left, source_right) of a plan's frames. Of subsampled chroma it also
/// reads the neighbours that the interpolation needs, inside the picture. Owns scratch rows; one
/// thread.
class RowReader {
 public:
  explicit RowReader(const Plan& plan);

  /// The frame that read() reads until the next begin(): its pixels must stay. It has been checked.
  void begin(const FrameView& frame);

  /// Row `y` of the picture -> three padded rows (cpu_kernels.hpp); element 0 is column
  /// source_left.
  void read(int y, std::uint8_t* const rgb[3]);

 private:
  struct ChromaRow {
    int index = -1;                     ///< row of the chroma plane, -1: none
    std::vector<std::int16_t> samples;  ///< element 0 is chroma_first_
  };

  const std::uint8_t* row(const ComponentLayout& layout, int y, int x) const;
  void read_chroma(std::size_t component, int y, std::int16_t* luma);
  const std::vector<std::int16_t>& chroma_row(std::size_t component, int index);

  int left_, right_;
  const FrameView* frame_ = nullptr;
  const PixelFormatInfo* info_ = nullptr;
  YuvConstants constants_{};
  /// Chroma columns in a ChromaRow: those under the window and one more on both sides where chroma
  /// is subsampled; of them [chroma_low_, chroma_high_] exist, the others repeat them.
  int chroma_first_ = 0, chroma_count_ = 0, chroma_low_ = 0, chroma_high_ = 0;
  std::array<std::array<ChromaRow, 2>, 2> chroma_rows_;  ///< [u, v][index & 1]
  std::vector<std::int16_t> luma_, blended_, u16_, v16_;
};

}  // namespace tv::preprocess

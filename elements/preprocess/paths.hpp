// What the paths share. Private to this folder.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "elements/preprocess/preprocess.hpp"

namespace tv::preprocess {

/// reference.cpp and cpu.cpp: `plan` is valid (make_preprocessor has checked it).
std::unique_ptr<Preprocessor> make_reference(Plan plan);
std::unique_ptr<Preprocessor> make_fast(Plan plan);

/// Whether the plan's parts fit each other: one that was changed by hand must not lead to reads
/// outside the frame.
Status check_plan(const Plan& plan);

/// check_frame(), and whether there is room in `out`.
Status check_run(const Plan& plan, const FrameView& frame, std::span<const float> out);

/// The chroma samples of the picture and its margin, across and down the component's plane.
struct ChromaRange {
  int low, high;
};
inline ChromaRange chroma_columns(const FrameView& frame, const ComponentLayout& layout) {
  return {(frame.crop_x - frame.margin.left) >> layout.shift_x,
          (frame.crop_x + frame.width + frame.margin.right - 1) >> layout.shift_x};
}
inline ChromaRange chroma_lines(const FrameView& frame, const ComponentLayout& layout) {
  return {(frame.crop_y - frame.margin.top) >> layout.shift_y,
          (frame.crop_y + frame.height + frame.margin.bottom - 1) >> layout.shift_y};
}

/// The last step of torchvision's preset, for each channel and each byte: (v / 255 - mean) / std in
/// float32, each operation rounded.
using NormalizeTable = std::array<std::array<float, 256>, 3>;
NormalizeTable normalize_table(const Transforms& recipe);

}  // namespace tv::preprocess

#include "elements/preprocess/cpu_rows.hpp"

#include <algorithm>

#include "elements/preprocess/cpu_kernels.hpp"
#include "elements/preprocess/paths.hpp"

namespace tv::preprocess {

RowReader::RowReader(const Plan& plan) : left_(plan.source_left), right_(plan.source_right) {
  // Room for a window that begins at an odd column and for the chroma on both sides of it.
  const auto room = static_cast<std::size_t>(padded(right_ - left_ + 4));
  for (auto* line : {&luma_, &blended_, &u16_, &v16_}) line->assign(room, 0);
  for (auto& rows : chroma_rows_)
    for (auto& row : rows) row.samples.assign(room, 0);
}

void RowReader::begin(const FrameView& frame) {
  frame_ = &frame;
  info_ = &pixel_format_info(frame.format);
  if (!info_->yuv) return;
  constants_ = yuv_constants(frame.matrix, frame.range, info_->bits);
  const int shift = info_->components[1].shift_x;
  const int first = frame.crop_x + left_, last = frame.crop_x + right_ - 1;
  const auto [low, high] = chroma_columns(frame, info_->components[1]);
  chroma_first_ = (first >> shift) - shift;
  chroma_count_ = (last >> shift) + shift - chroma_first_ + 1;
  chroma_low_ = std::max(chroma_first_, low);
  chroma_high_ = std::min(chroma_first_ + chroma_count_ - 1, high);
  for (auto& rows : chroma_rows_)
    for (auto& row : rows) row.index = -1;
}

// x, y: sample of the component's plane.
const std::uint8_t* RowReader::row(const ComponentLayout& layout, int y, int x) const {
  const auto& plane = frame_->planes[static_cast<std::size_t>(layout.plane)];
  return plane.data + y * plane.stride + static_cast<std::ptrdiff_t>(x) * layout.step;
}

const std::vector<std::int16_t>& RowReader::chroma_row(std::size_t component, int index) {
  ChromaRow& cached = chroma_rows_[component - 1][static_cast<std::size_t>(index & 1)];
  if (cached.index == index) return cached.samples;
  cached.index = index;
  const ComponentLayout& layout = info_->components[component];
  const auto begin = cached.samples.begin();
  const int before = chroma_low_ - chroma_first_, loaded = chroma_high_ - chroma_low_ + 1;
  load_samples(row(layout, index, chroma_low_), *info_, layout, loaded,
               &cached.samples[static_cast<std::size_t>(before)]);
  std::fill(begin, begin + before, begin[before]);
  std::fill(begin + before + loaded, begin + chroma_count_, begin[before + loaded - 1]);
  return cached.samples;
}

// Sixteenths at the luma positions of row `y` of the planes.
void RowReader::read_chroma(std::size_t component, int y, std::int16_t* luma) {
  const ComponentLayout& layout = info_->components[component];
  const auto [top, bottom] = chroma_lines(*frame_, layout);
  const ChromaTap tap = chroma_tap(y, layout.shift_y, frame_->chroma.vertical_cosited, top, bottom);
  const auto& near_row = chroma_row(component, tap.near_index);
  const auto& far_row = tap.near_weight == 4 ? near_row : chroma_row(component, tap.far_index);
  blend_chroma(near_row.data(), far_row.data(), tap.near_weight, chroma_count_, blended_.data());
  if (layout.shift_x == 0)
    quadruple(blended_.data(), chroma_count_, luma);
  else
    spread_chroma(blended_.data() + 1, frame_->chroma.horizontal_cosited, chroma_count_ - 2, luma);
}

void RowReader::read(int y, std::uint8_t* const rgb[3]) {
  const int line = frame_->crop_y + y, first = frame_->crop_x + left_, count = right_ - left_;
  const auto& components = info_->components;
  if (!info_->yuv && components[0].step == 1) {
    // GRAY8's three components are one plane, RGBP's are three.
    for (std::size_t c = 0; c < 3; ++c) std::copy_n(row(components[c], line, first), count, rgb[c]);
    return;
  }
  if (!info_->yuv) {
    const int offsets[3] = {components[0].offset, components[1].offset, components[2].offset};
    split_pixels(row(components[0], line, first), components[0].step, offsets, count, rgb);
    return;
  }
  load_samples(row(components[0], line, first), *info_, components[0], count, luma_.data());
  read_chroma(1, line, u16_.data());
  read_chroma(2, line, v16_.data());
  // With subsampled chroma, element 0 belongs to an even luma column.
  const int skip = components[1].shift_x & first;
  yuv_to_rgb_row(constants_, luma_.data(), u16_.data() + skip, v16_.data() + skip, count, rgb);
}

}  // namespace tv::preprocess

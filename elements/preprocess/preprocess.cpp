#include "elements/preprocess/preprocess.hpp"

#include <algorithm>
#include <string>

#include "elements/preprocess/paths.hpp"

namespace tv {
namespace preprocess {
namespace {

Error invalid(std::string what, std::string hint = "") {
  return Error{Code::kInvalidArgument, std::move(what), std::move(hint)};
}

std::string size_text(int width, int height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

// Bytes of a row of `width` pixels: whole pixels (pairs of pixels where chroma lies between them).
std::ptrdiff_t row_bytes(const PixelFormatInfo& info, int plane, int width) {
  std::ptrdiff_t bytes = 0;
  for (const auto& c : info.components)
    if (c.plane == plane)
      bytes = std::max(bytes, static_cast<std::ptrdiff_t>(((width - 1) >> c.shift_x) + 1) * c.step);
  return bytes;
}

Status check_planes(const FrameView& frame) {
  const PixelFormatInfo& info = pixel_format_info(frame.format);
  for (int p = 0; p < info.planes; ++p) {
    const auto& plane = frame.planes[static_cast<std::size_t>(p)];
    const auto name = [&] {
      return "plane " + std::to_string(p) + " of the " + std::string(info.name) + " frame";
    };
    if (plane.data == nullptr) return invalid(name() + " is missing");
    const std::ptrdiff_t needed = row_bytes(info, p, frame.full_width);
    const std::ptrdiff_t stride = plane.stride < 0 ? -plane.stride : plane.stride;
    if (frame.full_height > 1 && stride < needed)
      return invalid(name() + " has a stride of " + std::to_string(plane.stride) +
                     " bytes, expected at least " + std::to_string(needed) + " either way");
  }
  return {};
}

Status check_axis(const AxisTaps& taps, int outputs, int size, int begin, int end, bool fixed) {
  const auto n = static_cast<std::size_t>(std::max(outputs, 0));
  const std::size_t weights = n * static_cast<std::size_t>(std::max(taps.stride, 0));
  bool good = outputs > 0 && taps.source_size == size && taps.first.size() == n &&
              taps.count.size() == n && 0 <= begin && begin < end && end <= size;
  if (good && !taps.identity)
    good = fixed ? taps.fixed.size() == weights
                 : taps.weights.size() == weights && taps.separate.size() == n &&
                       (taps.lead == 0 || taps.lead == 1);
  for (std::size_t i = 0; good && i < n; ++i) {
    const int first = taps.first[i], count = taps.count[i];
    good = count >= 1 && first > -size - 4 && first < size && std::max(first, 0) >= begin &&
           count <= (taps.identity ? 1 : taps.stride) &&
           std::min(static_cast<std::int64_t>(first) + count, std::int64_t{size}) <= end &&
           first + count > 0 && (i == 0 || taps.first[i - 1] <= first);
    if (good && taps.identity) good = first >= 0;
    if (good && !taps.identity && !fixed)
      good = taps.separate[i] >= 1 && taps.separate[i] <= count && (taps.lead < count);
  }
  if (good) return {};
  return invalid("the plan contradicts itself", "take it from make_plan() unchanged");
}

}  // namespace

Status check_plan(const Plan& plan) {
  const bool fixed = plan.backend == TransformsBackend::kPil;
  if (plan.crop_size < 1 || plan.crop_size > kMaxSide || plan.x0 < 0 || plan.y0 < 0 ||
      plan.x1 > plan.crop_size || plan.y1 > plan.crop_size)
    return invalid("the plan contradicts itself", "take it from make_plan() unchanged");
  TV_RETURN_IF_ERROR(check_axis(plan.horizontal, plan.x1 - plan.x0, plan.width, plan.source_left,
                                plan.source_right, fixed));
  return check_axis(plan.vertical, plan.y1 - plan.y0, plan.height, plan.source_top,
                    plan.source_bottom, fixed);
}

Status check_frame(const Plan& plan, const FrameView& frame) {
  if (static_cast<std::size_t>(frame.format) >= pixel_formats().size())
    return invalid("the frame's pixel format is none of the known ones");
  if (frame.width != plan.width || frame.height != plan.height)
    return invalid("the frame is " + size_text(frame.width, frame.height) +
                       ", the plan was made for " + size_text(plan.width, plan.height),
                   "make a new plan when the size changes");
  // Plane sizes beyond this would overflow the arithmetic of chroma positions.
  constexpr int kMaxPlaneSide = 1 << 24;
  if (frame.crop_x < 0 || frame.crop_y < 0 || frame.full_width > kMaxPlaneSide ||
      frame.full_height > kMaxPlaneSide || frame.crop_x > frame.full_width - frame.width ||
      frame.crop_y > frame.full_height - frame.height)
    return invalid("a picture of " + size_text(frame.width, frame.height) + " at (" +
                   std::to_string(frame.crop_x) + ", " + std::to_string(frame.crop_y) +
                   ") does not lie in planes of " + size_text(frame.full_width, frame.full_height));
  const FrameView::Margin& margin = frame.margin;
  if (margin.left < 0 || margin.top < 0 || margin.right < 0 || margin.bottom < 0 ||
      margin.left > frame.crop_x || margin.top > frame.crop_y ||
      margin.right > frame.full_width - frame.width - frame.crop_x ||
      margin.bottom > frame.full_height - frame.height - frame.crop_y)
    return invalid("the margin of a picture of " + size_text(frame.width, frame.height) + " at (" +
                   std::to_string(frame.crop_x) + ", " + std::to_string(frame.crop_y) +
                   ") does not lie in planes of " + size_text(frame.full_width, frame.full_height));
  return check_planes(frame);
}

Status check_run(const Plan& plan, const FrameView& frame, std::span<const float> out) {
  TV_RETURN_IF_ERROR(check_frame(plan, frame));
  const auto crop = static_cast<std::size_t>(plan.crop_size);
  if (out.size() != 3 * crop * crop)
    return invalid("the output has room for " + std::to_string(out.size()) + " values, expected " +
                   std::to_string(3 * crop * crop));
  return {};
}

NormalizeTable normalize_table(const Transforms& recipe) {
  NormalizeTable table;
  for (std::size_t c = 0; c < 3; ++c) {
    const auto mean = static_cast<float>(recipe.mean[c]);
    const auto deviation = static_cast<float>(recipe.std[c]);
    for (std::size_t v = 0; v < 256; ++v)
      table[c][v] = (static_cast<float>(v) / 255.0f - mean) / deviation;
  }
  return table;
}

}  // namespace preprocess

Result<std::unique_ptr<Preprocessor>> make_preprocessor(Plan plan, PreprocessPath path) {
  TV_RETURN_IF_ERROR(preprocess::check_plan(plan));
  return path == PreprocessPath::kReference ? preprocess::make_reference(std::move(plan))
                                            : preprocess::make_fast(std::move(plan));
}

}  // namespace tv

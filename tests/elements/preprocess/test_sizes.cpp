// The extremes of the size: one pixel, one row, one column, odd sides under subsampled chroma, and
// the longest side that there is. Every format, against the exact formula, by both paths.
#include <cmath>

#include "elements/preprocess/preprocess.hpp"
#include "tests/elements/preprocess/exact_color.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;

namespace {

constexpr int kLongest = 16384;
// As in test_videoconvert: rounding, and no more than 0.05 beside.
constexpr double kTolerance = 0.55;

struct Size {
  int width, height;
};
constexpr Size kSmall[] = {{1, 1}, {1, 2}, {2, 1}, {1, 7}, {7, 1},   {2, 2},   {3, 3},
                           {5, 3}, {3, 5}, {2, 9}, {9, 2}, {1, 131}, {131, 1}, {35, 17}};

/// The colours of a picture, [3][height][width] bytes: neither resized nor cropped (the crop is as
/// long as the longer side) nor normalised.
std::vector<double> colours(const FrameView& view, PreprocessPath path) {
  Transforms as_is;
  as_is.resize_size = std::min(view.width, view.height);
  as_is.crop_size = std::max(view.width, view.height);
  as_is.mean = {0, 0, 0};
  as_is.std = {1, 1, 1};
  const auto plan = make_plan(as_is, view.width, view.height);
  expect_ok(plan);
  const auto made = make_preprocessor(*plan, path);
  expect_ok(made);
  const auto crop = static_cast<std::size_t>(plan->crop_size);
  std::vector<float> out(3 * crop * crop);
  expect_ok((*made)->run(view, out));
  std::vector<double> found;
  for (std::size_t c = 0; c < 3; ++c)
    for (int y = plan->y0; y < plan->y1; ++y)
      for (int x = plan->x0; x < plan->x1; ++x)
        found.push_back(255.0 *
                        static_cast<double>(out[(c * crop + static_cast<std::size_t>(y)) * crop +
                                                static_cast<std::size_t>(x)]));
  return found;
}

void expect_exact(const FrameView& view) {
  const ExactColor exact(view);
  for (const auto path : {PreprocessPath::kReference, PreprocessPath::kFast}) {
    const std::vector<double> found = colours(view, path);
    ck_assert_uint_eq(found.size(), static_cast<std::size_t>(3 * view.width * view.height));
    auto at = found.begin();
    for (std::size_t c = 0; c < 3; ++c)
      for (int y = 0; y < view.height; ++y)
        for (int x = 0; x < view.width; ++x, ++at)
          ck_assert_msg(std::abs(*at - exact.at(x, y)[c]) <= kTolerance,
                        "%s %dx%d at (%d, %d) of %dx%d, chroma %d%d: x=%d y=%d c=%zu is %g, "
                        "expected %g",
                        pixel_format_info(view.format).name.data(), view.width, view.height,
                        view.crop_x, view.crop_y, view.full_width, view.full_height,
                        view.chroma.horizontal_cosited, view.chroma.vertical_cosited, x, y, c, *at,
                        exact.at(x, y)[c]);
  }
}

// Every way to read the samples in turn.
void expect_exact_in_every_colour_space(FrameView view) {
  for (const auto matrix : {ColorMatrix::kBt601, ColorMatrix::kBt709, ColorMatrix::kBt2020})
    for (const auto range : {ColorRange::kLimited, ColorRange::kFull})
      for (const bool horizontal : {false, true})
        for (const bool vertical : {false, true}) {
          view.matrix = matrix;
          view.range = range;
          view.chroma = {horizontal, vertical};
          expect_exact(view);
        }
}

START_TEST(small_pictures) {
  Bytes random(21);
  for (const auto& info : pixel_formats())
    for (const Size& size : kSmall) {
      FrameShape shape;
      shape.width = size.width;
      shape.height = size.height;
      expect_exact_in_every_colour_space(
          make_frame(info.format, shape, [&] { return random(); }).view);
    }
}
END_TEST

// A crop of few pixels that begins at an odd place, in planes of odd sides; a picture of its own,
// or a part of one that goes on around it.
START_TEST(small_crops) {
  Bytes random(22);
  for (const auto& info : pixel_formats())
    for (const int crop_x : {1, 2})
      for (const int crop_y : {1, 2})
        for (const Size& size : {Size{1, 1}, Size{2, 2}, Size{3, 2}, Size{2, 3}}) {
          FrameShape shape;
          shape.width = size.width;
          shape.height = size.height;
          shape.crop_x = crop_x;
          shape.crop_y = crop_y;
          shape.extra_x = shape.extra_y = 2;
          OwnedFrame frame = make_frame(info.format, shape, [&] { return random(); });
          expect_exact_in_every_colour_space(frame.view);
          frame.view.margin = {.left = 1, .top = crop_y, .right = 2, .bottom = 1};
          expect_exact_in_every_colour_space(frame.view);
        }
}
END_TEST

// Both ends of the longest row and of the longest column.
START_TEST(ends_of_the_longest_pictures) {
  constexpr int kEnd = 45, kThin = 3;
  Bytes random(23);
  for (const auto& info : pixel_formats())
    for (const bool wide : {true, false}) {
      FrameShape shape;
      shape.width = wide ? kLongest : kThin;
      shape.height = wide ? kThin : kLongest;
      OwnedFrame frame = make_frame(info.format, shape, [&] { return random(); });
      for (const int begin : {0, kLongest - kEnd}) {
        (wide ? frame.view.crop_x : frame.view.crop_y) = begin;
        (wide ? frame.view.width : frame.view.height) = kEnd;
        frame.view.matrix = ColorMatrix::kBt709;
        expect_exact(frame.view);
      }
    }
}
END_TEST

// A whole picture of the longest side, one half black and one half white: each half of the result
// has its colour, and the samples of the last columns (rows) count.
START_TEST(longest_pictures) {
  constexpr int kThin = 64, kResized = 2, kCrop = 512;  // resized to 2 x 512
  for (const auto& info : pixel_formats())
    for (const bool wide : {true, false}) {
      FrameShape shape;
      shape.width = wide ? kLongest : kThin;
      shape.height = wide ? kThin : kLongest;
      OwnedFrame frame = make_frame(info.format, shape, [] { return std::uint8_t{0}; });
      frame.view.range = ColorRange::kFull;
      for (std::size_t k = 0; k < 3; ++k) {
        const ComponentLayout& c = info.components[k];
        const auto& plane = frame.view.planes[static_cast<std::size_t>(c.plane)];
        const int columns = ((shape.width - 1) >> c.shift_x) + 1;
        const int rows = ((shape.height - 1) >> c.shift_y) + 1;
        for (int y = 0; y < rows; ++y)
          for (int x = 0; x < columns; ++x) {
            const bool white = wide ? x >= columns / 2 : y >= rows / 2;
            const bool chroma = info.yuv && k > 0;
            const int sample = (chroma  ? 1 << (info.bits - 1)
                                : white ? (1 << info.bits) - 1
                                        : 0)
                               << info.sample_shift;
            auto* const at = const_cast<std::uint8_t*>(plane.data) + y * plane.stride +
                             static_cast<std::ptrdiff_t>(x) * c.step + c.offset;
            at[0] = static_cast<std::uint8_t>(sample);
            if (info.sample_bytes == 2) at[1] = static_cast<std::uint8_t>(sample >> 8);
          }
      }
      Transforms recipe;
      recipe.resize_size = kResized;
      recipe.crop_size = kCrop;
      recipe.mean = {0, 0, 0};
      recipe.std = {1, 1, 1};
      const auto plan = make_plan(recipe, shape.width, shape.height);
      ck_assert(static_cast<bool>(plan));
      for (const auto path : {PreprocessPath::kReference, PreprocessPath::kFast}) {
        const auto made = make_preprocessor(*plan, path);
        ck_assert(static_cast<bool>(made));
        std::vector<float> out(static_cast<std::size_t>(3 * kCrop * kCrop));
        expect_ok((*made)->run(frame.view, out));
        // The line of pixels, behind half of the crop's padding.
        const std::ptrdiff_t line = wide ? plan->y0 * kCrop : plan->x0, step = wide ? 1 : kCrop;
        for (int c = 0; c < 3; ++c)
          for (int i = 0; i < kCrop; ++i) {
            if (i == kCrop / 2 - 1 || i == kCrop / 2) continue;  // the filter mixes these
            const float found = out[static_cast<std::size_t>(c * kCrop * kCrop + line + i * step)];
            ck_assert_msg(found == (i < kCrop / 2 ? 0.0f : 1.0f), "%s %dx%d: pixel %d of %d is %g",
                          info.name.data(), shape.width, shape.height, i, kCrop,
                          static_cast<double>(found));
          }
      }
    }
}
END_TEST

// One more pixel is too much.
START_TEST(longer_pictures_are_refused) {
  ck_assert(static_cast<bool>(make_plan(Transforms{}, kLongest, kLongest)));
  for (const Size& size :
       {Size{kLongest + 1, 480}, Size{640, kLongest + 1}, Size{0, 480}, Size{640, 0}}) {
    const auto plan = make_plan(Transforms{}, size.width, size.height);
    ck_assert(!plan && plan.error().code == Code::kInvalidArgument);
    expect_contains(plan.error().text(), "1..16384");
  }
}
END_TEST

}  // namespace

int main() {
  return run_suite("sizes", 120, small_pictures, small_crops, ends_of_the_longest_pictures,
                   longest_pictures, longer_pictures_are_refused);
}

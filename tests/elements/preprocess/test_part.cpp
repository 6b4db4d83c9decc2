// A part of a picture is what torchvision's crop() makes of the decoded picture: the same pixels,
// wherever it begins.
#include <cmath>

#include "elements/preprocess/preprocess.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;

namespace {

std::vector<float> output_of(const Transforms& recipe, const FrameView& view, PreprocessPath path) {
  auto plan = make_plan(recipe, view.width, view.height);
  ck_assert_msg(static_cast<bool>(plan), "%s", plan ? "" : plan.error().text().c_str());
  auto made = make_preprocessor(std::move(*plan), path);
  ck_assert(static_cast<bool>(made));
  const auto crop = static_cast<std::size_t>(recipe.crop_size);
  std::vector<float> out(3 * crop * crop);
  const auto done = (*made)->run(view, out);
  ck_assert_msg(static_cast<bool>(done), "%s", done ? "" : done.error().text().c_str());
  return out;
}

/// The bytes of a square picture as RGB, decoded by the reference.
std::vector<std::uint8_t> decoded(const FrameView& view) {
  Transforms as_is;
  as_is.resize_size = as_is.crop_size = view.width;
  as_is.mean = {0, 0, 0};
  as_is.std = {1, 1, 1};
  const std::vector<float> planes = output_of(as_is, view, PreprocessPath::kReference);
  const std::size_t pixels = planes.size() / 3;
  std::vector<std::uint8_t> rgb(planes.size());
  for (std::size_t i = 0; i < pixels; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      rgb[i * 3 + c] = static_cast<std::uint8_t>(std::lround(planes[c * pixels + i] * 255));
  return rgb;
}

/// rgb[y : y + height, x : x + width] of a picture of `side` pixels.
FrameView cut(const std::vector<std::uint8_t>& rgb, int side, const Rect& part) {
  FrameView view;
  view.format = PixelFormat::kRgb;
  view.width = view.full_width = part.width;
  view.height = view.full_height = part.height;
  view.planes[0] = {rgb.data() + (part.y * side + part.x) * 3, side * 3};
  return view;
}

Rect random_part(Bytes& random, int side) {
  Rect part;
  part.width = random.between(1, side);
  part.height = random.between(1, side);
  part.x = random.between(0, side - part.width);
  part.y = random.between(0, side - part.height);
  return part;
}

OwnedFrame square(PixelFormat format, int side, Bytes& random) {
  FrameShape shape;
  shape.width = shape.height = side;
  shape.crop_x = random.between(0, 3);
  shape.crop_y = random.between(0, 3);
  shape.extra_x = random.between(0, 3);
  shape.extra_y = random.between(0, 3);
  OwnedFrame frame = make_frame(format, shape, [&] { return random(); });
  frame.view.chroma = {random.between(0, 1) == 1, random.between(0, 1) == 1};
  return frame;
}

START_TEST(parts_are_cut_from_the_decoded_picture) {
  Bytes random(21);
  constexpr int kSide = 41;
  Transforms recipe;
  recipe.resize_size = 24;
  recipe.crop_size = 20;
  for (const auto& info : pixel_formats())
    for (int turn = 0; turn < 24; ++turn) {
      const OwnedFrame frame = square(info.format, kSide, random);
      const std::vector<std::uint8_t> rgb = decoded(frame.view);
      const Rect part = random_part(random, kSide);
      const auto view = part_of(frame.view, part);
      ck_assert(view);
      const std::vector<float> expected =
          output_of(recipe, cut(rgb, kSide, part), PreprocessPath::kReference);
      for (const auto path : {PreprocessPath::kReference, PreprocessPath::kFast})
        ck_assert_msg(output_of(recipe, *view, path) == expected,
                      "%s: %dx%d at (%d, %d) is not the cut of the decoded picture",
                      info.name.data(), part.width, part.height, part.x, part.y);
    }
}
END_TEST

START_TEST(parts_of_parts) {
  Bytes random(22);
  const OwnedFrame frame = square(PixelFormat::kNv12, 32, random);
  const auto once = part_of(frame.view, {5, 7, 20, 18});
  ck_assert(once);
  const auto twice = part_of(*once, {3, 2, 9, 11});
  const auto direct = part_of(frame.view, {8, 9, 9, 11});
  ck_assert(twice && direct);
  ck_assert(twice->crop_x == direct->crop_x && twice->crop_y == direct->crop_y);
  ck_assert(twice->margin.left == direct->margin.left && twice->margin.left == 8);
  ck_assert(twice->margin.top == direct->margin.top && twice->margin.top == 9);
  ck_assert(twice->margin.right == direct->margin.right && twice->margin.right == 15);
  ck_assert(twice->margin.bottom == direct->margin.bottom && twice->margin.bottom == 12);
}
END_TEST

// The margin matters: as a picture of its own, a part ends where it ends.
START_TEST(without_the_margin_edges_differ) {
  const std::uint8_t luma[16] = {100, 100, 100, 100, 100, 100, 100, 100,
                                 100, 100, 100, 100, 100, 100, 100, 100};
  const std::uint8_t u[4] = {128, 128, 128, 128}, v[4] = {128, 160, 128, 160};
  FrameView whole;
  whole.format = PixelFormat::kI420;
  whole.width = whole.height = whole.full_width = whole.full_height = 4;
  whole.planes = {{{luma, 4}, {u, 2}, {v, 2}}};
  whole.range = ColorRange::kFull;
  auto part = part_of(whole, {2, 0, 2, 2});
  ck_assert(part);
  const auto red = [&](std::size_t x) { return decoded(*part)[x * 3]; };
  ck_assert_int_eq(red(0), 134);  // a quarter of it is the sample on its left
  part->margin = {};
  ck_assert_int_eq(red(0), 145);
  ck_assert_int_eq(red(1), 145);
}
END_TEST

START_TEST(what_is_no_part) {
  Bytes random(23);
  const OwnedFrame frame = square(PixelFormat::kI420, 10, random);
  constexpr int kMost = 2147483647, kLeast = -kMost - 1;
  const Rect kBad[] = {{0, 0, 0, 5},      {0, 0, 5, 0},      {0, 0, 11, 5},
                       {0, 0, 5, 11},     {-1, 0, 5, 5},     {0, -1, 5, 5},
                       {6, 0, 5, 5},      {0, 6, 5, 5},      {0, 0, -1, 5},
                       {kMost, 0, 1, 1},  {1, 1, kMost, 5},  {kMost, kMost, kMost, kMost},
                       {kLeast, 0, 5, 5}, {0, 0, kLeast, 5}, {10, 10, 1, 1}};
  for (const Rect& part : kBad)
    ck_assert_msg(!part_of(frame.view, part), "took %dx%d at (%d, %d)", part.width, part.height,
                  part.x, part.y);
  ck_assert(part_of(frame.view, {9, 9, 1, 1}));
  const auto whole = part_of(frame.view, {0, 0, 10, 10});
  ck_assert(whole && whole->crop_x == frame.view.crop_x && whole->margin.left == 0);
}
END_TEST

}  // namespace

int main() {
  return run_suite("part", 120, parts_are_cut_from_the_decoded_picture, parts_of_parts,
                   without_the_margin_edges_differ, what_is_no_part);
}

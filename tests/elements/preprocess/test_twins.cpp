// The fast path against the reference, bit for bit: all formats, on every instruction set of this
// CPU, with random sizes, strides, crops, colours and recipes. Prints the first difference.
#include <hwy/targets.h>

#include <bit>
#include <cstdio>

#include "elements/preprocess/preprocess.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;

namespace {

long long g_compared = 0;

std::vector<std::int64_t> targets() {
  std::vector<std::int64_t> found;
  for (std::int64_t rest = hwy::SupportedTargets() & HWY_TARGETS; rest != 0; rest &= rest - 1)
    found.push_back(rest & -rest);
  return found;
}

std::unique_ptr<Preprocessor> made(const Plan& plan, PreprocessPath path) {
  return value_of(make_preprocessor(plan, path));
}

std::vector<float> output_of(Preprocessor& preprocessor, const FrameView& view) {
  const auto crop = static_cast<std::size_t>(preprocessor.plan().crop_size);
  std::vector<float> out(3 * crop * crop, -12345.0f);
  const auto done = preprocessor.run(view, out);
  expect_ok(done);
  return out;
}

void expect_same(const std::vector<float>& reference, const std::vector<float>& fast,
                 const Plan& plan, const FrameView& view, const char* target) {
  g_compared += static_cast<long long>(reference.size());
  for (std::size_t i = 0; i < reference.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(reference[i]) == std::bit_cast<std::uint32_t>(fast[i]))
      continue;
    const auto crop = static_cast<std::size_t>(plan.crop_size);
    ck_abort_msg(
        "%s %s %s %dx%d at (%d, %d) in %dx%d, resize %d crop %d %s antialias %d, matrix %d range "
        "%d site "
        "%d%d: first difference at x=%zu y=%zu c=%zu: reference %.9g, fast %.9g",
        target, pixel_format_info(view.format).name.data(),
        transforms_backend_name(plan.backend).data(), view.width, view.height, view.crop_x,
        view.crop_y, view.full_width, view.full_height, plan.recipe.resize_size,
        plan.recipe.crop_size, interpolation_name(plan.recipe.interpolation).data(),
        plan.recipe.antialias, static_cast<int>(view.matrix), static_cast<int>(view.range),
        view.chroma.horizontal_cosited, view.chroma.vertical_cosited, i % crop, i / crop % crop,
        i / (crop * crop), static_cast<double>(reference[i]), static_cast<double>(fast[i]));
  }
}

void compare(const OwnedFrame& frame, const Transforms& recipe, TransformsBackend backend,
             FloatSums sums) {
  const auto plan = make_plan(recipe, frame.view.width, frame.view.height, backend, sums);
  expect_ok(plan);
  const auto reference = made(*plan, PreprocessPath::kReference);
  const std::vector<float> expected = output_of(*reference, frame.view);
  for (const std::int64_t target : targets()) {
    hwy::SetSupportedTargetsForTest(target);
    const auto fast = made(*plan, PreprocessPath::kFast);
    expect_same(expected, output_of(*fast, frame.view), *plan, frame.view, hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(0);
  }
}

START_TEST(every_format) {
  Bytes random(7);
  for (const auto& info : pixel_formats())
    for (int turn = 0; turn < 60; ++turn) {
      const OwnedFrame frame = random_frame(info.format, random, 260);
      compare(frame, random_recipe(random),
              turn % 3 == 0 ? TransformsBackend::kPil : TransformsBackend::kTensor,
              turn % 3 == 1 ? FloatSums::kSeparate : FloatSums::kGrouped);
    }
}
END_TEST

// Axes without resampling, tall pictures (Pillow's vertical pass first), one-pixel sides.
START_TEST(special_sizes) {
  Bytes random(8);
  constexpr int kSizes[][2] = {{64, 64}, {64, 200}, {200, 64}, {40, 300}, {300, 40}, {41, 301},
                               {1, 90},  {90, 1},   {1, 1},    {2, 2},    {16, 33},  {129, 257}};
  for (const auto format : {PixelFormat::kRgb, PixelFormat::kNv12, PixelFormat::kYuy2})
    for (const auto& size : kSizes)
      for (const int resize : {1, 16, 64, 80})
        for (const auto backend : {TransformsBackend::kPil, TransformsBackend::kTensor}) {
          Transforms recipe;
          recipe.resize_size = resize;
          recipe.crop_size = random.between(1, 100);
          recipe.interpolation =
              random.between(0, 1) ? Interpolation::kBicubic : Interpolation::kBilinear;
          recipe.antialias = random.between(0, 1) == 1;
          FrameShape shape;
          shape.width = size[0];
          shape.height = size[1];
          compare(make_frame(format, shape, [&] { return random(); }), recipe, backend,
                  random.between(0, 1) ? FloatSums::kSeparate : FloatSums::kGrouped);
        }
}
END_TEST

// The longest sides that there are, all of them in the crop.
START_TEST(longest_sides) {
  constexpr int kLongest = 16384;
  Bytes random(11);
  for (const auto& info : pixel_formats())
    for (const bool wide : {true, false})
      for (const auto backend : {TransformsBackend::kPil, TransformsBackend::kTensor}) {
        FrameShape shape;
        shape.width = wide ? kLongest : random.between(60, 70);
        shape.height = wide ? random.between(60, 70) : kLongest;
        Transforms recipe;
        recipe.resize_size = 2;
        recipe.crop_size = 600;
        OwnedFrame frame = make_frame(info.format, shape, [&] { return random(); });
        frame.view.chroma = {wide, !wide};
        compare(frame, recipe, backend, FloatSums::kGrouped);
      }
}
END_TEST

// A preprocessor keeps nothing of the frame before: formats alternate, the result stays.
START_TEST(no_memory_of_frames) {
  Bytes random(9);
  Transforms recipe;
  recipe.resize_size = 40;
  recipe.crop_size = 32;
  const auto plan = make_plan(recipe, 150, 101);
  ck_assert(static_cast<bool>(plan));
  const auto fast = made(*plan, PreprocessPath::kFast);
  FrameShape shape;
  shape.width = 150;
  shape.height = 101;
  for (int turn = 0; turn < 3; ++turn)
    for (const auto& info : pixel_formats()) {
      const OwnedFrame frame = make_frame(info.format, shape, [&] { return random(); });
      const auto reference = made(*plan, PreprocessPath::kReference);
      expect_same(output_of(*reference, frame.view), output_of(*fast, frame.view), *plan,
                  frame.view, "native");
    }
}
END_TEST

// The comparison itself: one changed pixel is seen.
START_TEST(a_difference_is_seen) {
  Transforms recipe;
  recipe.resize_size = 32;
  recipe.crop_size = 32;
  FrameShape shape;
  shape.width = shape.height = 32;
  Bytes random(10);
  OwnedFrame frame = make_frame(PixelFormat::kRgb, shape, [&] { return random(); });
  const auto plan = make_plan(recipe, 32, 32);
  ck_assert(static_cast<bool>(plan));
  const auto fast = made(*plan, PreprocessPath::kFast);
  const std::vector<float> before = output_of(*fast, frame.view);
  frame.memory[3 * (32 * 5 + 7) + 1] ^= 1;
  const std::vector<float> after = output_of(*fast, frame.view);
  std::size_t changed = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    if (before[i] != after[i]) {
      ++changed;
      ck_assert_uint_eq(i, 32 * 32 + 32 * 5 + 7);
    }
  ck_assert_uint_eq(changed, 1);
}
END_TEST

}  // namespace

int main() {
  std::printf("instruction sets:");
  for (const std::int64_t target : targets()) std::printf(" %s", hwy::TargetName(target));
  std::printf("\n");
  // One process, so that the count below sees all of it.
  setenv("CK_FORK", "no", 1);
  const int status = run_suite("twins", 0, every_format, special_sizes, longest_sides,
                               no_memory_of_frames, a_difference_is_seen);
  std::printf("%lld values compared\n", g_compared);
  return status;
}

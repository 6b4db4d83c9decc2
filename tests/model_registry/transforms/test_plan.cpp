// Where the pixels come from: sizes, crop boxes, taps, and what is refused.
#include <cmath>
#include <limits>
#include <numeric>

#include "model_registry/transforms/plan.hpp"
#include "tests/suite.hpp"

using namespace tv;
using tv::test::expect_contains;

namespace {

Transforms recipe(int resize, int crop, Interpolation interpolation = Interpolation::kBilinear) {
  Transforms transforms;
  transforms.resize_size = resize;
  transforms.crop_size = crop;
  transforms.interpolation = interpolation;
  return transforms;
}

Plan plan_of(const Transforms& transforms, int width, int height,
             TransformsBackend backend = TransformsBackend::kTensor,
             FloatSums sums = FloatSums::kGrouped) {
  return tv::test::value_of(make_plan(transforms, width, height, backend, sums));
}

// What torchvision.transforms.functional.resize and center_crop do to these sizes.
struct Geometry {
  int width, height, resize, crop;
  int resized_width, resized_height, left, top;
};
// clang-format off
constexpr Geometry kGeometry[] = {
  {1920, 1080, 256, 224,  455,  256, 116,   16},  // 231 / 2 = 115.5 rounds to the even 116
  {1920, 1080, 232, 224,  412,  232,  94,    4},
  {1080, 1920, 232, 224,  232,  412,   4,   94},
  { 640,  480, 230, 224,  306,  230,  41,    3},
  { 500,  375, 227, 224,  302,  227,  39,    2},  // 1.5 rounds to 2
  { 500,  375, 225, 224,  300,  225,  38,    0},  // 0.5 rounds to 0
  { 500,  375, 229, 224,  305,  229,  40,    2},  // 2.5 rounds to 2
  {   1, 1000, 256, 224,  256, 256000, 16, 127888},
  { 224,  224, 224, 224,  224,  224,   0,    0},
  {   3,    2, 200, 301,  300,  200,   0,  -50},  // padded: 101 / 2 above, 51 below; 1 / 2 = 0 on the left
  {   2,    3, 200, 300,  200,  300, -50,    0},
  {   9,    7,   5,   8,    6,    5,  -1,   -1},
};
// clang-format on

START_TEST(geometry) {
  for (const auto& g : kGeometry) {
    const Plan plan = plan_of(recipe(g.resize, g.crop), g.width, g.height);
    ck_assert_int_eq(plan.resized_width, g.resized_width);
    ck_assert_int_eq(plan.resized_height, g.resized_height);
    ck_assert_int_eq(plan.crop_left, g.left);
    ck_assert_int_eq(plan.crop_top, g.top);
    ck_assert_int_eq(plan.crop_size, g.crop);
    ck_assert_int_eq(plan.horizontal.outputs(), plan.x1 - plan.x0);
    ck_assert_int_eq(plan.vertical.outputs(), plan.y1 - plan.y0);
  }
}
END_TEST

START_TEST(padding) {
  const Plan plan = plan_of(recipe(5, 8), 9, 7);  // 6 x 5 in 8 x 8
  ck_assert_int_eq(plan.x0, 1);
  ck_assert_int_eq(plan.x1, 7);
  ck_assert_int_eq(plan.y0, 1);
  ck_assert_int_eq(plan.y1, 6);
  const Plan full = plan_of(recipe(8, 8), 9, 7);
  ck_assert_int_eq(full.x0 + full.y0, 0);
  ck_assert_int_eq(full.x1 + full.y1, 16);
}
END_TEST

START_TEST(source_window) {
  const Plan plan = plan_of(recipe(256, 224), 1920, 1080);
  ck_assert_int_eq(plan.source_left, 487);
  ck_assert_int_eq(plan.source_right, 1437);
  ck_assert_int_eq(plan.source_top, 65);
  ck_assert_int_eq(plan.source_bottom, 1015);
  for (const auto* taps : {&plan.horizontal, &plan.vertical})
    for (std::size_t i = 0; i < taps->first.size(); ++i) {
      const int begin = taps == &plan.horizontal ? plan.source_left : plan.source_top;
      const int end = taps == &plan.horizontal ? plan.source_right : plan.source_bottom;
      ck_assert_int_ge(taps->first[i], begin);
      ck_assert_int_le(taps->first[i] + taps->count[i], end);
    }
  // The whole picture where the crop takes all of it.
  const Plan whole = plan_of(recipe(64, 64), 300, 300);
  ck_assert_int_eq(whole.source_left + whole.source_top, 0);
  ck_assert_int_eq(whole.source_right + whole.source_bottom, 600);
}
END_TEST

// Sizes, recipes and backends at random: each list of weights sums to one.
START_TEST(weights_sum_to_one) {
  unsigned seed = 1;
  const auto random = [&](int low, int high) {
    seed = seed * 1664525u + 1013904223u;
    return low + static_cast<int>((seed >> 8) % static_cast<unsigned>(high - low + 1));
  };
  for (int turn = 0; turn < 600; ++turn) {
    Transforms transforms = recipe(random(1, 300), random(1, 300),
                                   turn % 2 ? Interpolation::kBicubic : Interpolation::kBilinear);
    transforms.antialias = turn % 5 != 0;
    const bool pil = turn % 3 == 0;
    const Plan plan = plan_of(transforms, random(1, 700), random(1, 700),
                              pil ? TransformsBackend::kPil : TransformsBackend::kTensor,
                              turn % 7 == 0 ? FloatSums::kSeparate : FloatSums::kGrouped);
    for (const auto* taps : {&plan.horizontal, &plan.vertical}) {
      if (taps->identity) continue;
      for (std::size_t i = 0; i < taps->first.size(); ++i) {
        const auto begin = static_cast<std::ptrdiff_t>(i) * taps->stride;
        const double sum =
            pil ? std::accumulate(taps->fixed.begin() + begin,
                                  taps->fixed.begin() + begin + taps->count[i], 0.0) /
                      (1 << 22)
                : std::accumulate(taps->weights.begin() + begin,
                                  taps->weights.begin() + begin + taps->count[i], 0.0);
        ck_assert_msg(std::abs(sum - 1) < 1e-4, "turn %d: output %zu sums to %.9f", turn, i, sum);
        ck_assert_int_le(taps->count[i], taps->stride);
      }
    }
  }
}
END_TEST

// Halving: the triangle filter spans four pixels with weights 1, 3, 3, 1 eighths; edges lose one.
START_TEST(halving) {
  const Plan plan = plan_of(recipe(4, 4), 8, 8);
  const AxisTaps& taps = plan.horizontal;
  ck_assert_int_eq(taps.first[0], 0);
  ck_assert_int_eq(taps.count[0], 3);
  ck_assert_int_eq(taps.first[1], 1);
  ck_assert_int_eq(taps.count[1], 4);
  const float* inner = taps.weights.data() + taps.stride;
  ck_assert_float_eq(inner[0], 0.125f);
  ck_assert_float_eq(inner[1], 0.375f);
  ck_assert_float_eq(inner[2], 0.375f);
  ck_assert_float_eq(inner[3], 0.125f);
  const Plan fixed = plan_of(recipe(4, 4), 8, 8, TransformsBackend::kPil);
  ck_assert_int_eq(fixed.horizontal.fixed[static_cast<std::size_t>(fixed.horizontal.stride)],
                   1 << 19);
  ck_assert(fixed.horizontal.weights.empty());
  ck_assert(taps.fixed.empty());
}
END_TEST

// Which taps are fused: after whole groups of four behind the first one.
START_TEST(order_of_sums) {
  const Plan grouped = plan_of(recipe(100, 100), 900, 450);
  const Plan separate =
      plan_of(recipe(100, 100), 900, 450, TransformsBackend::kTensor, FloatSums::kSeparate);
  bool some_fused = false;
  for (std::size_t i = 0; i < grouped.vertical.first.size(); ++i) {
    const int count = grouped.vertical.count[i];
    ck_assert_int_eq(grouped.vertical.separate[i], 1 + (count - 1) / 4 * 4);
    ck_assert_int_eq(separate.vertical.separate[i], count);
    some_fused = some_fused || grouped.vertical.separate[i] < count;
  }
  ck_assert(some_fused);
}
END_TEST

START_TEST(identity_axes) {
  const Plan both = plan_of(recipe(256, 224), 256, 256);
  ck_assert(both.horizontal.identity && both.vertical.identity);
  ck_assert_int_eq(both.horizontal.first[0], 16);
  const Plan neither = plan_of(recipe(256, 224), 257, 257);
  ck_assert(!neither.horizontal.identity && !neither.vertical.identity);
  // 301 x 300 -> 256 is 256 wide and 256 high: int(256 * 301 / 300) = 256.
  const Plan resized = plan_of(recipe(256, 224), 301, 300);
  ck_assert_int_eq(resized.resized_width, 256);
}
END_TEST

START_TEST(pil_order_of_passes) {
  ck_assert(!plan_of(recipe(100, 90), 300, 600, TransformsBackend::kPil).vertical_first);
  ck_assert(plan_of(recipe(100, 90), 300, 604, TransformsBackend::kPil).vertical_first);
  ck_assert(!plan_of(recipe(100, 90), 300, 604, TransformsBackend::kTensor).vertical_first);
  ck_assert(!plan_of(recipe(100, 90), 604, 300, TransformsBackend::kPil).vertical_first);
  ck_assert(!plan_of(recipe(600, 90), 300, 604, TransformsBackend::kPil).vertical_first);
}
END_TEST

START_TEST(without_antialias) {
  Transforms transforms = recipe(100, 100);
  transforms.antialias = false;
  ck_assert_int_eq(plan_of(transforms, 900, 450).vertical.stride, 2);
  transforms.interpolation = Interpolation::kBicubic;
  ck_assert_int_eq(plan_of(transforms, 900, 450).vertical.stride, 4);
  // Pillow has no such switch.
  ck_assert_int_gt(plan_of(transforms, 900, 450, TransformsBackend::kPil).vertical.stride, 4);
}
END_TEST

void refuse(const Transforms& transforms, int width, int height, const char* text) {
  const auto plan = make_plan(transforms, width, height);
  ck_assert_msg(!plan, "accepted a %dx%d frame, expected a refusal about %s", width, height, text);
  ck_assert(plan.error().code == Code::kInvalidArgument);
  expect_contains(plan.error().text(), text);
}

START_TEST(refusals) {
  const Transforms good = recipe(256, 224);
  refuse(good, 0, 10, "frame width is 0");
  refuse(good, 10, -1, "frame height is -1");
  refuse(good, 16385, 10, "frame width is 16385");
  refuse(recipe(0, 224), 10, 10, "resize_size is 0");
  refuse(recipe(256, 16385), 10, 10, "crop_size is 16385");
  refuse(good, 1, 16384, "2^28");
  refuse(recipe(16384, 1), 16384, 16383, "2^28");
  Transforms zero = good;
  zero.std[1] = 0;
  refuse(zero, 10, 10, "std of channel 1 is 0");
  zero.std[1] = 1e-50;  // not zero, but zero in float32
  refuse(zero, 10, 10, "std of channel 1 is 0");
  Transforms infinite = good;
  infinite.mean[2] = std::numeric_limits<double>::infinity();
  refuse(infinite, 10, 10, "channel 2");
  // The largest that are accepted.
  plan_of(recipe(16384, 16384), 16384, 16384);
  plan_of(recipe(128, 128), 1, 16384);
}
END_TEST

}  // namespace

int main() {
  return tv::test::run_suite("plan", 60, geometry, padding, source_window, weights_sum_to_one,
                             halving, order_of_sums, identity_axes, pil_order_of_passes,
                             without_antialias, refusals);
}

// What the CUDA backend computes apart from the network, on the CPU.
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "elements/inference/backend_cuda/batch_sizes.hpp"
#include "elements/inference/backend_cuda/layer_math.hpp"
#include "elements/inference/backend_cuda/tuning.hpp"
#include "elements/inference/backend_torch/executor.hpp"
#include "elements/inference/engine.hpp"

// After LibTorch: Check has macros with names that it uses.
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::inference;
using namespace tv::test;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <typename Ours, typename Torch>
void every_value_converts(Torch (*reference)(float)) {
  // All 16-bit values, and the float32 ones on and beside the places where rounding turns.
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float expected = static_cast<float>(std::bit_cast<Torch>(half));
    const float value = widened(Ours{half});
    ck_assert(std::isnan(expected)
                  ? std::isnan(value)
                  : std::bit_cast<std::uint32_t>(value) == std::bit_cast<std::uint32_t>(expected));
    if (std::isnan(value)) continue;
    const auto middle = std::bit_cast<std::uint32_t>(value);
    for (std::uint32_t step : {0U, 1U, 0xfffU, 0x1000U, 0x1001U, 0x7fffU, 0x8000U, 0x8001U}) {
      const float near = std::bit_cast<float>(middle + step);
      if (std::isnan(near)) continue;
      const auto narrow = narrowed<Ours>(near).bits;
      ck_assert_msg(narrow == std::bit_cast<std::uint16_t>(reference(near)), "%a", near);
    }
  }
  ck_assert(std::isnan(widened(narrowed<Ours>(kNan))));
}

}  // namespace

START_TEST(halves_are_rounded_as_libtorch_does) {
  every_value_converts<Float16, at::Half>([](float x) { return at::Half(x); });
}
END_TEST

START_TEST(bfloats_are_rounded_as_libtorch_does) {
  every_value_converts<BFloat16, at::BFloat16>([](float x) { return at::BFloat16(x); });
}
END_TEST

START_TEST(activations_are_those_of_libtorch) {
  std::vector<float> values = {0, -0.0F, 3, -3, 6, 6.5F, 88, -88, 1000, -1000, kInfinity, kNan};
  for (float x = -10; x < 10; x += 0.0078125F) values.push_back(x);
  for (int each = 0; each <= static_cast<int>(graph::Activation::kGelu); ++each) {
    for (const float x : values) {
      const float found = activated(x, static_cast<LayerActivation>(each));
      const float expected =
          activate(at::full({1}, x), static_cast<graph::Activation>(each)).item<float>();
      if (std::isnan(expected)) {
        ck_assert_msg(std::isnan(found), "activation %d of %g", each, x);
        continue;
      }
      const bool same = found == expected ||
                        std::abs(found - expected) <= 1e-6F * std::max(1.0F, std::abs(expected));
      ck_assert_msg(same, "activation %d of %g: %.9g, expected %.9g", each, x, found, expected);
    }
  }
}
END_TEST

START_TEST(affine_adds_in_the_order_that_it_says) {
  // x * scale + shift + residual, then the activation: each part would show if it were missing,
  // and so would another order.
  const float x[] = {2, -2}, residual[] = {10, -10}, scale[] = {3}, shift[] = {-4};
  float out[2];
  AffineLaunch launch{.in = x,
                      .out = out,
                      .residual = residual,
                      .scale = scale,
                      .shift = shift,
                      .elements = 2,
                      .channels = 1,
                      .activation = LayerActivation::kRelu};
  for (const std::int64_t i : {0, 1}) affine<float, 1>(launch, i);
  ck_assert(out[0] == 12 && out[1] == 0);
  launch.activation = LayerActivation::kNone;
  affine<float, 1>(launch, 1);
  ck_assert(out[1] == -20);
  launch.residual = nullptr;
  launch.scale = nullptr;
  affine<float, 1>(launch, 0);
  ck_assert(out[0] == -2);
  launch.shift = nullptr;
  affine<float, 1>(launch, 0);
  ck_assert(out[0] == 2);
}
END_TEST

START_TEST(affine_takes_the_channel_of_each_element) {
  constexpr std::int32_t kChannels = 16;
  std::vector<float> shift(kChannels);
  for (std::int32_t c = 0; c < kChannels; ++c)
    shift[static_cast<std::size_t>(c)] = static_cast<float>(c);
  alignas(16) BFloat16 data[3 * kChannels] = {};
  const AffineLaunch launch{.in = data,
                            .out = data,
                            .residual = nullptr,
                            .scale = nullptr,
                            .shift = shift.data(),
                            .elements = std::size(data),
                            .channels = kChannels,
                            .activation = LayerActivation::kNone};
  for (std::int64_t i = 0; i < launch.elements; i += 8) affine<BFloat16, 8>(launch, i);
  for (std::size_t i = 0; i < std::size(data); ++i)
    ck_assert(widened(data[i]) == static_cast<float>(i % kChannels));
}
END_TEST

namespace {

/// A warp of the kernel: lanes that each look at their share, then agree.
std::vector<Score> warp_top_k(const std::vector<float>& logits, int lanes) {
  const auto classes = static_cast<std::int32_t>(logits.size());
  const auto agree = [&](const Ranked& after) {
    Ranked best{0, -1};
    for (int lane = 0; lane < lanes; ++lane) {
      const Ranked mine = best_behind(logits.data(), classes, after, lane, lanes);
      if (before(mine, best)) best = mine;
    }
    return best;
  };
  const Ranked best = agree({0, -1});
  double sum = 0;
  for (int lane = 0; lane < lanes; ++lane)
    sum += exponentials(logits.data(), classes, best.logit, lane, lanes);
  std::vector<Score> answers;
  Ranked next = best;
  for (int k = 0; k < kDeviceTopK; ++k) {
    const RankedScore answer = scored(next, best.logit, sum);
    if (answer.index < 0) break;
    answers.push_back({answer.index, answer.probability});
    next = agree(next);
  }
  return answers;
}

void expect_as_the_host(const std::vector<float>& logits) {
  const std::vector<Score> found = warp_top_k(logits, 32), expected = top_k(logits, kDeviceTopK);
  ck_assert_uint_eq(found.size(), expected.size());
  for (std::size_t k = 0; k < found.size(); ++k) {
    ck_assert_int_eq(found[k].index, expected[k].index);
    // The sums add up in another order.
    ck_assert(std::abs(found[k].probability - expected[k].probability) <=
              1e-7F * expected[k].probability);
  }
}

}  // namespace

START_TEST(the_best_classes_are_those_of_the_host) {
  std::mt19937 random(10);
  for (int round = 0; round < 300; ++round) {
    std::vector<float> logits(1 + random() % 1200);
    // Some rows have many equal logits.
    const float step = round % 3 == 0 ? 1.0F : 1e-3F;
    for (float& logit : logits)
      logit = step * std::floor(std::normal_distribution<float>(0, 8)(random) / step);
    expect_as_the_host(logits);
  }
  expect_as_the_host({5});
  expect_as_the_host({-1e30F, 1e30F});
  expect_as_the_host(std::vector<float>(1000, 0));
}
END_TEST

START_TEST(nothing_is_said_of_numbers_that_are_none) {
  for (const float bad : {kNan, kInfinity, -kInfinity})
    for (const std::size_t place : {0U, 31U, 999U}) {
      std::vector<float> logits(1000, 1);
      logits[place] = bad;
      ck_assert(warp_top_k(logits, 32).empty());
      logits[place] = 2;
      ck_assert_int_eq(warp_top_k(logits, 32).front().index, static_cast<int>(place));
    }
}
END_TEST

START_TEST(batches_are_rounded_up_to_few_sizes) {
  std::vector<std::size_t> sizes;
  for (std::size_t n = 1; n <= 512; ++n) {
    const std::size_t size = prepared_batch(n);
    ck_assert(size >= n && 2 * size < 3 * n + 2);
    ck_assert_uint_eq(prepared_batch(size), size);
    if (sizes.empty() || sizes.back() != size) sizes.push_back(size);
  }
  const std::vector<std::size_t> expected = {1,  2,  3,  4,  6,   8,   12,  16,  24,
                                             32, 48, 64, 96, 128, 192, 256, 384, 512};
  ck_assert(sizes == expected);
}
END_TEST

START_TEST(tuning_is_read_from_its_text) {
  const Tuning usual = tuning_of("");
  ck_assert(usual.graphs && usual.fused_relu && usual.max_pool && usual.input_channels == 0);
  const Tuning other = tuning_of("graphs=0,input-channels=4,max-pool=0,fused-relu=0");
  ck_assert(!other.graphs && !other.fused_relu && !other.max_pool && other.input_channels == 4);
  const Tuning unknown = tuning_of("graphs=2,input-channels=5,,x=,fused-relu,max-pool=");
  ck_assert(unknown.graphs && unknown.fused_relu && unknown.max_pool &&
            unknown.input_channels == 0);
}
END_TEST

int main() {
  return run_suite("cuda parts", 120, halves_are_rounded_as_libtorch_does,
                   bfloats_are_rounded_as_libtorch_does, activations_are_those_of_libtorch,
                   affine_adds_in_the_order_that_it_says, affine_takes_the_channel_of_each_element,
                   the_best_classes_are_those_of_the_host, nothing_is_said_of_numbers_that_are_none,
                   batches_are_rounded_up_to_few_sizes, tuning_is_read_from_its_text);
}

// The blocks that papers share: names, shapes, and the numbers that they compute from options.
#include "model_registry/models/models.hpp"
#include "model_registry/models/nn/conv_norm_activation.hpp"
#include "model_registry/models/nn/layer_norm2d.hpp"
#include "model_registry/models/nn/make_divisible.hpp"
#include "model_registry/models/nn/squeeze_excitation.hpp"
#include "tests/model_registry/graph/networks.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;
using graph::Build;
using graph::Value;

namespace {

/// One block between the image and an average over all pixels.
template <typename MakeBlock>
graph::Network around(MakeBlock make_block, int channels) {
  return sketch(
      [&](SketchModule& m, Build& build) {
        const auto block = m.add("block", make_block(build));
        return [block](Value x) {
          return graph::flatten(graph::adaptive_avg_pool2d(block(x), {{1, 1}}));
        };
      },
      channels);
}

std::string listing(const graph::Network& network, const Shape& input) {
  const auto graph = network.trace(input);
  expect_ok(graph);
  std::string text;
  for (const graph::Node& node : graph->nodes) {
    if (!node.scope.starts_with("block")) continue;
    text += node.scope + " " + std::string(op_name(node.op)) + " " + shape_text(node.shape) + "\n";
  }
  return text;
}

std::string names(const graph::Network& network) {
  std::string text;
  for (const auto& parameter : network.parameters()) text += parameter.name + " ";
  return text;
}

}  // namespace

// torchvision.models._utils._make_divisible
START_TEST(divisible_channels_lose_a_tenth_at_most) {
  ck_assert_int_eq(nn::make_divisible(32, 8), 32);
  ck_assert_int_eq(nn::make_divisible(35.2, 8), 32);  // 9 % less
  ck_assert_int_eq(nn::make_divisible(17.6, 8), 16);
  ck_assert_int_eq(nn::make_divisible(12, 8), 16);  // half way goes up
  ck_assert_int_eq(nn::make_divisible(18, 8), 24);  // 16 would be 11 % less
  ck_assert_int_eq(nn::make_divisible(3, 8), 8);    // never 0
  ck_assert_int_eq(nn::make_divisible(440, 8), 440);
  ck_assert_int_eq(nn::make_divisible(2904, 264), 2904);
}
END_TEST

START_TEST(a_block_has_the_members_that_it_is_asked_for) {
  const auto full =
      around([](Build& build) { return nn::conv_norm_activation<nn::SiLU>(build, 3, 4, {}); }, 4);
  expect_equal(names(full),
               "block.0.weight block.1.weight block.1.bias block.1.running_mean "
               "block.1.running_var block.1.num_batches_tracked ");
  expect_equal(listing(full, {1, 3, 8, 8}),
               "block.0 conv2d [1, 4, 8, 8]\nblock.1 batch_norm2d [1, 4, 8, 8]\n"
               "block.2 silu [1, 4, 8, 8]\n");
  const auto linear = around(
      [](Build& build) { return nn::conv_norm_activation<nn::NoActivation>(build, 3, 4, {}); }, 4);
  expect_equal(names(linear), names(full));
  expect_equal(listing(linear, {1, 3, 8, 8}),
               "block.0 conv2d [1, 4, 8, 8]\nblock.1 batch_norm2d [1, 4, 8, 8]\n");
  const auto bare = around(
      [](Build& build) { return nn::conv_norm_activation<nn::ReLU>(build, 3, 4, {.norm = false}); },
      4);
  expect_equal(names(bare), "block.0.weight block.0.bias ");
  expect_equal(listing(bare, {1, 3, 8, 8}),
               "block.0 conv2d [1, 4, 8, 8]\nblock.1 relu [1, 4, 8, 8]\n");
}
END_TEST

START_TEST(a_block_keeps_the_size_whatever_kernel_and_dilation) {
  for (const int kernel : {1, 3, 5, 7}) {
    for (const int dilation : {1, 2, 3}) {
      const auto network = around(
          [&](Build& build) {
            return nn::conv_norm_activation<nn::NoActivation>(
                build, 3, 4, {.kernel = kernel, .dilation = dilation});
          },
          4);
      expect_contains(listing(network, {1, 3, 9, 20}), "conv2d [1, 4, 9, 20]");
    }
  }
}
END_TEST

START_TEST(the_norm_of_a_block_has_its_epsilon) {
  const auto network = around(
      [](Build& build) { return nn::conv_norm_activation<nn::ReLU>(build, 3, 4, {.eps = 1e-3}); },
      4);
  const auto graph = network.trace({1, 3, 8, 8});
  ck_assert_double_eq(std::get<graph::NormAttrs>(graph->nodes[2].attrs).eps, 1e-3);
}
END_TEST

START_TEST(squeeze_and_excitation_weighs_its_input) {
  const auto network = around(
      [](Build& build) {
        return std::make_unique<nn::SqueezeExcitation<nn::SiLU, nn::Hardsigmoid>>(build, 3, 2);
      },
      3);
  expect_equal(names(network), "block.fc1.weight block.fc1.bias block.fc2.weight block.fc2.bias ");
  expect_equal(listing(network, {2, 3, 5, 7}),
               "block.avgpool adaptive_avg_pool2d [2, 3, 1, 1]\n"
               "block.fc1 conv2d [2, 2, 1, 1]\n"
               "block.activation silu [2, 2, 1, 1]\n"
               "block.fc2 conv2d [2, 3, 1, 1]\n"
               "block.scale_activation hardsigmoid [2, 3, 1, 1]\n"
               "block.skip_mul mul [2, 3, 5, 7]\n");
}
END_TEST

START_TEST(layer_norm_2d_needs_as_many_channels_as_it_has) {
  const auto make = [](Build& build, int channels) {
    return std::make_unique<nn::LayerNorm2d>(build, channels, 1e-6);
  };
  const auto fits = around([&](Build& build) { return make(build, 3); }, 3);
  expect_contains(listing(fits, {1, 3, 5, 7}), "block layer_norm [1, 5, 7, 3]\n");
  const auto other = around([&](Build& build) { return make(build, 7); }, 3);
  const auto graph = other.trace({1, 3, 5, 7});  // the width is no substitute for the channels
  ck_assert(!graph);
  expect_contains(graph.error().text(), "layer block ");
}
END_TEST

START_TEST(convnext_accepts_its_documented_minimum_and_no_less) {
  const auto model = get_model("convnext_tiny");
  ck_assert(static_cast<bool>(model->network->trace({1, 3, 32, 32})));
  const auto graph = model->network->trace({1, 3, 31, 224});
  ck_assert(!graph);
  expect_contains(graph.error().text(), "layer features.6.1 ");
  expect_contains(graph.error().hint, "the smallest image for convnext_tiny is 32x32");
}
END_TEST

int main() {
  return run_suite("blocks", 60, divisible_channels_lose_a_tenth_at_most,
                   a_block_has_the_members_that_it_is_asked_for,
                   a_block_keeps_the_size_whatever_kernel_and_dilation,
                   the_norm_of_a_block_has_its_epsilon, squeeze_and_excitation_weighs_its_input,
                   layer_norm_2d_needs_as_many_channels_as_it_has,
                   convnext_accepts_its_documented_minimum_and_no_less);
}

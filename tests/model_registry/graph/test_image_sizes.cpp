// Builders for images of one size: the option, the weights' own size, and what the forward accepts.
#include <algorithm>
#include <string>
#include <utility>

#include "tests/model_registry/graph/models.hpp"

using namespace tv;
using namespace tv::test;

namespace {

void expect_refused(std::string_view builder, const BuildOptions& options, std::string_view part) {
  const Error error = error_of(builder, options);
  expect_equal(code_name(error.code), "invalid-argument");
  expect_contains(error.text(), part);
}

Shape shape_of(const Model& model, std::string_view name) {
  for (const auto& parameter : model.network->parameters())
    if (parameter.name == name) return parameter.shape;
  ck_abort_msg("no parameter %s", std::string(name).c_str());
}

void expect_runs(const Model& model, const Shape& input) {
  const auto graph = model.network->trace(input);
  expect_ok(graph);
}

void expect_fails(const Model& model, const Shape& input, std::string_view part) {
  const auto graph = model.network->trace(input);
  ck_assert_msg(!graph, "%s was accepted", shape_text(input).c_str());
  expect_equal(code_name(graph.error().code), "invalid-argument");
  expect_contains(graph.error().text(), part);
}

}  // namespace

START_TEST(vit_has_one_token_a_patch_and_one_more) {
  const auto tokens = [](std::string_view builder, const BuildOptions& options = {}) {
    return shape_of(built(builder, options), "encoder.pos_embedding")[1];
  };
  ck_assert_int_eq(tokens("vit_b_16"), 14 * 14 + 1);
  ck_assert_int_eq(tokens("vit_b_32"), 7 * 7 + 1);
  ck_assert_int_eq(tokens("vit_h_14"), 16 * 16 + 1);
  ck_assert_int_eq(tokens("vit_b_16", {.image_size = 48}), 3 * 3 + 1);
}
END_TEST

START_TEST(vit_takes_images_of_its_size_alone) {
  const Model model = built("vit_b_16");
  expect_runs(model, {2, 3, 224, 224});
  expect_fails(model, {1, 3, 240, 224},
               "vit_b_16: layer input expects images of 224x224, found 240x224");
  expect_fails(model, {1, 3, 224, 240}, "found 224x240");
  expect_fails(model, {1, 3, 208, 224}, "found 208x224 (it was built for images of 224x224)");
  const Model small = built("vit_b_16", {.image_size = 32});
  ck_assert_int_eq(small.network->min_size(), 32);
  expect_runs(small, {1, 3, 32, 32});
  expect_fails(small, {1, 3, 224, 224}, "expects images of 32x32");
}
END_TEST

START_TEST(vit_needs_whole_patches) {
  expect_refused("vit_b_16", {.image_size = 225},
                 "vit_b_16: image_size is 225: not a multiple of the patch, 16 (the nearest: 224, "
                 "240)");
  expect_refused("vit_b_16", {.image_size = 3}, "the patch, 16 (the nearest: 16)");
  expect_refused("vit_b_32", {.image_size = 48}, "not a multiple of the patch, 32");
  expect_refused("vit_h_14", {.image_size = 256}, "not a multiple of the patch, 14");
}
END_TEST

START_TEST(sizes_out_of_range_are_refused) {
  for (const int size : {0, -16, 16400})
    expect_refused("vit_b_16", {.image_size = size},
                   "image_size is " + std::to_string(size) + " (expected 1..16384)");
}
END_TEST

START_TEST(weights_bring_their_own_size) {
  const Weights* const swag = entry("ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1");
  const Model model = built("vit_b_16", {.weights = swag});
  ck_assert_int_eq(shape_of(model, "encoder.pos_embedding")[1], 24 * 24 + 1);
  expect_runs(model, {1, 3, 384, 384});
  expect_fails(model, {1, 3, 224, 224}, "expects images of 384x384");
  built("vit_b_16", {.weights = swag, .image_size = 384});
  expect_refused("vit_b_16", {.weights = swag, .image_size = 224},
                 "image_size is 224, but ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1 has 384");
}
END_TEST

START_TEST(maxvit_takes_sizes_that_its_partitions_divide) {
  for (const int size : {221, 224, 448}) {
    const Model model = built("maxvit_t", {.image_size = size});
    ck_assert_int_eq(model.network->min_size(), size);
    expect_runs(model, {1, 3, size, size});
  }
  for (const int size : {1, 112, 220, 225, 256}) {
    expect_refused("maxvit_t", {.image_size = size},
                   "maxvit_t: image_size is " + std::to_string(size) + ": the features of block ");
  }
  expect_refused("maxvit_t", {.image_size = 225},
                 "of block 0 are 57x57, not divisible by the partition, 7");
  expect_refused("maxvit_t", {.image_size = 112}, "of block 3 are 4x4");
  expect_refused("maxvit_t", {.image_size = 0}, "expected 1..16384");
}
END_TEST

START_TEST(maxvit_takes_images_whose_features_fit) {
  const Model model = built("maxvit_t");
  expect_runs(model, {1, 3, 223, 221});
  expect_runs(model, {1, 3, 112, 448});  // as many windows: torchvision arranges them as a square
  expect_fails(model, {1, 3, 256, 224},
               "layer blocks.0.layers.0.layers.window_attention expects features of 56x56, found "
               "64x56");
  expect_fails(model, {1, 3, 448, 448}, "found 112x112");
  expect_fails(model, {1, 3, 112, 112}, "one size (it was built for images of 224x224)");
}
END_TEST

START_TEST(the_hint_names_an_image_size_that_can_be_built) {
  for (const auto& [builder, side] : {std::pair("vit_b_16", 96), std::pair("maxvit_t", 448)}) {
    const std::string size = std::to_string(side);
    expect_fails(built(builder), {1, 3, side, side},
                 "(it was built for images of 224x224: build it with image_size=" + size +
                     " (tvmodels run and save: --image-size " + size + "), or name its file");
    expect_runs(built(builder, {.image_size = side}), {1, 3, side, side});
  }
  // Not where there is no such network, nor where an entry says for which size it is.
  const auto hint = [](const Model& model, int side) {
    return model.network->trace({1, 3, side, side}).error().hint;
  };
  constexpr const char* kNothingToBuild = "it was built for images of 224x224";
  expect_equal(hint(built("vit_b_16"), 100), kNothingToBuild);
  expect_equal(hint(built("maxvit_t"), 256), kNothingToBuild);
  const Weights* const weights = entry("ViT_B_16_Weights.IMAGENET1K_V1");
  expect_equal(hint(built("vit_b_16", {.weights = weights}), 96), kNothingToBuild);
  expect_contains(hint(built("vit_b_16", {.weights = weights, .own_file = true}), 96),
                  "image_size=96");
}
END_TEST

START_TEST(the_smallest_image_of_a_hint_runs_and_a_smaller_one_does_not) {
  const std::string_view fixed[] = {"maxvit_t"};
  for (const std::string_view builder : available_models()) {
    if (builder.starts_with("vit_") || std::ranges::count(fixed, builder) != 0) continue;
    const Model model = built(builder);
    int side = 1;
    while (!model.network->trace({1, 3, side, side})) ++side;
    if (side == 1) continue;
    const std::string size = std::to_string(side) + "x" + std::to_string(side);
    expect_fails(
        model, {1, 3, side - 1, side - 1},
        "(the smallest image for " + std::string(builder) + " is " + size + ", this one is ");
  }
}
END_TEST

START_TEST(the_registry_knows_who_takes_one_size) {
  for (const std::string_view builder : available_models()) {
    const bool option = static_cast<bool>(get_model(builder, {.image_size = 224}));
    const Weights* const weights = get_model_weights(builder)->front();
    ck_assert_msg(takes_one_size(*weights) == option, "%s", std::string(builder).c_str());
  }
}
END_TEST

START_TEST(entries_of_the_user_build_for_their_crop) {
  Weights own{.enum_name = "Mine_Weights",
              .entry = "V1",
              .builder = "vit_b_32",
              .preset = {.crop_size = 96},
              .min_size = 96,  // as user_weights.cpp has it
              .user_defined = true};
  const Model model = built("vit_b_32", {.weights = &own});
  ck_assert_int_eq(shape_of(model, "encoder.pos_embedding")[1], 3 * 3 + 1);
  expect_fails(model, {1, 3, 224, 224}, "(it was built for images of 96x96)");
  own.min_size = own.preset.crop_size = 100;
  expect_refused("vit_b_32", {.weights = &own},
                 "image_size is 100: not a multiple of the patch, 32 (it is the crop_size of "
                 "Mine_Weights.V1)");
}
END_TEST

START_TEST(swin_takes_images_of_any_size) {
  for (const char* const builder : {"swin_t", "swin_v2_t"}) {
    const Model model = built(builder);
    for (const Shape& input : {Shape{1, 3, 4, 4}, Shape{2, 3, 33, 65}, Shape{1, 3, 1000, 4}})
      expect_runs(model, input);
    expect_fails(model, {1, 3, 3, 64}, "layer features.0.0 needs an input of at least 4x4");
    expect_fails(model, {1, 3, 3, 64},
                 "the smallest image for " + std::string(builder) + " is 4x4");
    expect_refused(builder, {.image_size = 224}, "has no option image_size");
  }
}
END_TEST

START_TEST(swin_shifts_no_window_that_covers_the_image) {
  const auto rolls = [](const Shape& input) {
    const auto graph = built("swin_t").network->trace(input);
    return std::ranges::count(graph->nodes, graph::Op::kRoll, &graph::Node::op);
  };
  // 56, 28, 14 and 7 tokens a side; blocks of 2, 2, 6 and 2, every second one rolled and back.
  ck_assert_int_eq(rolls({1, 3, 224, 224}), 2 * (1 + 1 + 3));
  ck_assert_int_eq(rolls({1, 3, 28, 28}), 0);
  ck_assert_int_eq(rolls({1, 3, 28, 32}), 2);  // 8 tokens in a row
}
END_TEST

START_TEST(other_builders_have_no_image_size) {
  expect_refused("resnet18", {.image_size = 224}, "resnet18 has no option image_size");
}
END_TEST

START_TEST(vit_knows_the_names_of_older_files) {
  const Model model = built("vit_b_32");
  const graph::Network& network = *model.network;
  expect_equal(network.current_name("encoder.layers.encoder_layer_3.mlp.linear_1.weight"),
               "encoder.layers.encoder_layer_3.mlp.0.weight");
  expect_equal(network.current_name("encoder.layers.encoder_layer_11.mlp.linear_2.bias"),
               "encoder.layers.encoder_layer_11.mlp.3.bias");
  for (const char* const name :
       {"encoder.layers.encoder_layer_3.mlp.linear_3.weight", "mlp.linear_", "heads.head.weight",
        "encoder.layers.encoder_layer_3.mlp.linear_", ""})
    expect_equal(network.current_name(name), "");
}
END_TEST

int main() {
  return run_suite(
      "image_sizes", 60, vit_has_one_token_a_patch_and_one_more, vit_takes_images_of_its_size_alone,
      vit_needs_whole_patches, sizes_out_of_range_are_refused, weights_bring_their_own_size,
      maxvit_takes_sizes_that_its_partitions_divide, maxvit_takes_images_whose_features_fit,
      the_hint_names_an_image_size_that_can_be_built,
      the_smallest_image_of_a_hint_runs_and_a_smaller_one_does_not,
      the_registry_knows_who_takes_one_size, entries_of_the_user_build_for_their_crop,
      swin_takes_images_of_any_size, swin_shifts_no_window_that_covers_the_image,
      other_builders_have_no_image_size, vit_knows_the_names_of_older_files);
}

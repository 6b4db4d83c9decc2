// Builders for images of one size: the option, the weights' own size, and what the forward accepts.
#include "model_registry/models/models.hpp"
#include "model_registry/registry/registry.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;

namespace {

const Weights* entry(std::string_view name) {
  const auto weights = get_weight(name);
  ck_assert_msg(static_cast<bool>(weights), "%s", std::string(name).c_str());
  return *weights;
}

void expect_refused(std::string_view builder, const BuildOptions& options, std::string_view part) {
  const auto model = get_model(builder, options);
  ck_assert_msg(!model, "%s was built", std::string(builder).c_str());
  expect_equal(code_name(model.error().code), "invalid-argument");
  expect_contains(model.error().text(), part);
}

Model built(std::string_view builder, const BuildOptions& options = {}) {
  auto model = get_model(builder, options);
  ck_assert_msg(static_cast<bool>(model), "%s", model ? "" : model.error().text().c_str());
  return *model;
}

Shape shape_of(const Model& model, std::string_view name) {
  for (const auto& parameter : model.network->parameters())
    if (parameter.name == name) return parameter.shape;
  ck_abort_msg("no parameter %s", std::string(name).c_str());
}

void expect_runs(const Model& model, const Shape& input) {
  const auto graph = model.network->trace(input);
  ck_assert_msg(static_cast<bool>(graph), "%s", graph ? "" : graph.error().text().c_str());
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
  expect_fails(model, {1, 3, 208, 224}, "the smallest image for vit_b_16 is 224x224");
  const Model small = built("vit_b_16", {.image_size = 32});
  ck_assert_int_eq(small.network->min_size(), 32);
  expect_runs(small, {1, 3, 32, 32});
  expect_fails(small, {1, 3, 224, 224}, "expects images of 32x32");
}
END_TEST

START_TEST(vit_needs_whole_patches) {
  expect_refused("vit_b_16", {.image_size = 225},
                 "vit_b_16: image_size is 225: not a multiple of the patch, 16");
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

START_TEST(other_builders_have_no_image_size) {
  expect_refused("resnet18", {.image_size = 224},
                 "resnet18: image_size is 224, but it takes images of many sizes");
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
  return run_suite("image_sizes", 60, vit_has_one_token_a_patch_and_one_more,
                   vit_takes_images_of_its_size_alone, vit_needs_whole_patches,
                   sizes_out_of_range_are_refused, weights_bring_their_own_size,
                   other_builders_have_no_image_size, vit_knows_the_names_of_older_files);
}

// get_model: options, names, and the numbers that the registry promises.
#include <algorithm>

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

Error error_of(std::string_view builder, const BuildOptions& options = {}) {
  const auto model = get_model(builder, options);
  ck_assert_msg(!model, "%s was built", std::string(builder).c_str());
  return model.error();
}

void expect_error(const Error& error, Code code, std::string_view part) {
  expect_equal(code_name(error.code), code_name(code));
  expect_contains(error.text(), part);
}

}  // namespace

START_TEST(every_model_is_a_registered_builder_with_the_promised_size) {
  ck_assert_uint_ge(available_models().size(), 13);
  ck_assert(std::is_sorted(available_models().begin(), available_models().end()));
  for (const std::string_view builder : available_models()) {
    const auto entries = get_model_weights(builder);
    ck_assert(static_cast<bool>(entries));
    for (const Weights* const weights : *entries) {
      const bool int8 = implies_quantize(*weights);
      const auto model = get_model(builder, {.weights = weights, .quantize = int8});
      ck_assert(static_cast<bool>(model));
      ck_assert_ptr_eq(model->weights, weights);
      ck_assert_int_eq(model->network->int8(), int8);
      // The registry counts the parameters of the float form: in int8 nothing is trained.
      const auto trained = int8 ? get_model(builder) : model;
      ck_assert_int_eq(trained->network->num_params(), weights->num_params);
      if (int8) ck_assert_int_eq(model->network->num_params(), 0);
      ck_assert_int_eq(model->network->min_size(), weights->min_size);
      ck_assert_int_eq(model->network->num_classes(), weights->num_classes());
      expect_equal(model->network->builder(), builder);
    }
  }
}
END_TEST

START_TEST(each_builder_function_builds_its_own_model) {
  struct Row {
    const char* name;
    Result<Model> (*build)(const BuildOptions&);
  };
  const Row rows[] = {
      {"alexnet", alexnet},
      {"convnext_base", convnext_base},
      {"convnext_large", convnext_large},
      {"convnext_small", convnext_small},
      {"convnext_tiny", convnext_tiny},
      {"densenet121", densenet121},
      {"densenet161", densenet161},
      {"densenet169", densenet169},
      {"densenet201", densenet201},
      {"efficientnet_b0", efficientnet_b0},
      {"efficientnet_b1", efficientnet_b1},
      {"efficientnet_b2", efficientnet_b2},
      {"efficientnet_b3", efficientnet_b3},
      {"efficientnet_b4", efficientnet_b4},
      {"efficientnet_b5", efficientnet_b5},
      {"efficientnet_b6", efficientnet_b6},
      {"efficientnet_b7", efficientnet_b7},
      {"efficientnet_v2_l", efficientnet_v2_l},
      {"efficientnet_v2_m", efficientnet_v2_m},
      {"efficientnet_v2_s", efficientnet_v2_s},
      {"googlenet", googlenet},
      {"inception_v3", inception_v3},
      {"maxvit_t", maxvit_t},
      {"mnasnet0_5", mnasnet0_5},
      {"mnasnet0_75", mnasnet0_75},
      {"mnasnet1_0", mnasnet1_0},
      {"mnasnet1_3", mnasnet1_3},
      {"mobilenet_v2", mobilenet_v2},
      {"mobilenet_v3_large", mobilenet_v3_large},
      {"mobilenet_v3_small", mobilenet_v3_small},
      {"quantized_mobilenet_v2", quantization::mobilenet_v2},
      {"quantized_mobilenet_v3_large", quantization::mobilenet_v3_large},
      {"quantized_resnet18", quantization::resnet18},
      {"quantized_resnet50", quantization::resnet50},
      {"quantized_resnext101_32x8d", quantization::resnext101_32x8d},
      {"quantized_resnext101_64x4d", quantization::resnext101_64x4d},
      {"quantized_shufflenet_v2_x0_5", quantization::shufflenet_v2_x0_5},
      {"quantized_shufflenet_v2_x1_0", quantization::shufflenet_v2_x1_0},
      {"quantized_shufflenet_v2_x1_5", quantization::shufflenet_v2_x1_5},
      {"quantized_shufflenet_v2_x2_0", quantization::shufflenet_v2_x2_0},
      {"regnet_x_16gf", regnet_x_16gf},
      {"regnet_x_1_6gf", regnet_x_1_6gf},
      {"regnet_x_32gf", regnet_x_32gf},
      {"regnet_x_3_2gf", regnet_x_3_2gf},
      {"regnet_x_400mf", regnet_x_400mf},
      {"regnet_x_800mf", regnet_x_800mf},
      {"regnet_x_8gf", regnet_x_8gf},
      {"regnet_y_128gf", regnet_y_128gf},
      {"regnet_y_16gf", regnet_y_16gf},
      {"regnet_y_1_6gf", regnet_y_1_6gf},
      {"regnet_y_32gf", regnet_y_32gf},
      {"regnet_y_3_2gf", regnet_y_3_2gf},
      {"regnet_y_400mf", regnet_y_400mf},
      {"regnet_y_800mf", regnet_y_800mf},
      {"regnet_y_8gf", regnet_y_8gf},
      {"resnet101", resnet101},
      {"resnet152", resnet152},
      {"resnet18", resnet18},
      {"resnet34", resnet34},
      {"resnet50", resnet50},
      {"resnext101_32x8d", resnext101_32x8d},
      {"resnext101_64x4d", resnext101_64x4d},
      {"resnext50_32x4d", resnext50_32x4d},
      {"shufflenet_v2_x0_5", shufflenet_v2_x0_5},
      {"shufflenet_v2_x1_0", shufflenet_v2_x1_0},
      {"shufflenet_v2_x1_5", shufflenet_v2_x1_5},
      {"shufflenet_v2_x2_0", shufflenet_v2_x2_0},
      {"squeezenet1_0", squeezenet1_0},
      {"squeezenet1_1", squeezenet1_1},
      {"swin_b", swin_b},
      {"swin_s", swin_s},
      {"swin_t", swin_t},
      {"swin_v2_b", swin_v2_b},
      {"swin_v2_s", swin_v2_s},
      {"swin_v2_t", swin_v2_t},
      {"vgg11", vgg11},
      {"vgg11_bn", vgg11_bn},
      {"vgg13", vgg13},
      {"vgg13_bn", vgg13_bn},
      {"vgg16", vgg16},
      {"vgg16_bn", vgg16_bn},
      {"vgg19", vgg19},
      {"vgg19_bn", vgg19_bn},
      {"vit_b_16", vit_b_16},
      {"vit_b_32", vit_b_32},
      {"vit_h_14", vit_h_14},
      {"vit_l_16", vit_l_16},
      {"vit_l_32", vit_l_32},
      {"wide_resnet101_2", wide_resnet101_2},
      {"wide_resnet50_2", wide_resnet50_2},
  };
  ck_assert_uint_eq(std::size(rows), available_models().size());
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    expect_equal(rows[i].name, available_models()[i]);
    const auto model = rows[i].build({.num_classes = 3});
    expect_equal(model->network->builder(), rows[i].name);
    ck_assert_int_eq(model->network->num_classes(), 3);
  }
}
END_TEST

START_TEST(letter_case_does_not_matter) {
  expect_equal(get_model("ResNet18")->network->builder(), "resnet18");
}
END_TEST

START_TEST(names_that_do_not_exist_get_the_nearest) {
  expect_error(error_of("resnet81"), Code::kNotFound, "no builder \"resnet81\"");
  expect_contains(error_of("resnet51").hint, "resnet50");
  expect_error(error_of(""), Code::kNotFound, "nearest: ");
}
END_TEST

START_TEST(registered_builders_without_architecture_are_unsupported) {
  int without = 0;
  for (const std::string_view builder : list_models()) {
    if (std::ranges::find(available_models(), builder) != available_models().end()) continue;
    ++without;
    expect_error(error_of(builder), Code::kUnsupported, "not in this version (available: ");
  }
  ck_assert_int_eq(without + static_cast<int>(available_models().size()),
                   static_cast<int>(list_models().size()));
}
END_TEST

START_TEST(weights_of_another_builder_are_refused) {
  const Weights* const weights = entry("ResNet34_Weights.IMAGENET1K_V1");
  expect_error(error_of("resnet18", {.weights = weights}), Code::kInvalidArgument,
               "weights ResNet34_Weights.IMAGENET1K_V1 belong to resnet34");
}
END_TEST

START_TEST(user_defined_entries_belong_to_the_builder_they_name) {
  const std::string_view labels[] = {"ant", "bee"};
  const Weights own{.enum_name = "Garden_Weights",
                    .entry = "V1",
                    .builder = "resnet18",
                    .categories = labels,
                    .user_defined = true};
  const auto model = get_model("resnet18", {.weights = &own});
  ck_assert(static_cast<bool>(model));
  ck_assert_int_eq(model->network->num_classes(), 2);
  expect_error(error_of("resnet34", {.weights = &own}), Code::kInvalidArgument,
               "belong to resnet18");
}
END_TEST

START_TEST(class_counts_must_agree_with_the_weights) {
  const Weights* const weights = entry("ResNet18_Weights.DEFAULT");
  const Error error = error_of("resnet18", {.weights = weights, .num_classes = 10});
  expect_error(error, Code::kInvalidArgument,
               "num_classes is 10, but ResNet18_Weights.IMAGENET1K_V1 has 1000");
  ck_assert(static_cast<bool>(get_model("resnet18", {.weights = weights, .num_classes = 1000})));
}
END_TEST

START_TEST(class_counts_out_of_range_are_refused) {
  for (const int classes : {0, -5, 1'000'001})
    expect_error(error_of("resnet18", {.num_classes = classes}), Code::kInvalidArgument,
                 "num_classes is " + std::to_string(classes));
}
END_TEST

int main() {
  return run_suite("models", 60, every_model_is_a_registered_builder_with_the_promised_size,
                   each_builder_function_builds_its_own_model, letter_case_does_not_matter,
                   names_that_do_not_exist_get_the_nearest,
                   registered_builders_without_architecture_are_unsupported,
                   weights_of_another_builder_are_refused,
                   user_defined_entries_belong_to_the_builder_they_name,
                   class_counts_must_agree_with_the_weights, class_counts_out_of_range_are_refused);
}

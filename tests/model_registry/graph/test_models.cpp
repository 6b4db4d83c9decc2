// get_model: options, names, and the numbers that the registry promises.
#include <algorithm>

#include "tests/model_registry/graph/models.hpp"

using namespace tv;
using namespace tv::test;

namespace {

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
      // The registry repeats the count of the float entry: in int8 nothing is trained.
      const Weights* const floats = int8 ? entry(weights->unquantized) : weights;
      const auto trained = get_model(floats->builder, {.weights = floats});
      ck_assert_int_eq(trained->network->num_params(), weights->num_params);
      if (int8) ck_assert_int_eq(model->network->num_params(), 0);
      ck_assert_int_eq(model->network->min_size(), weights->min_size);
      ck_assert_int_eq(model->network->num_classes(), weights->num_classes());
      expect_equal(model->network->builder(), builder);
    }
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
  expect_error(error_of("VGG"), Code::kNotFound, "nearest: vgg11, ");  // as far as it was typed
  expect_error(error_of("rsenet50"), Code::kNotFound, "nearest: resnet50, ");
  expect_error(error_of(""), Code::kNotFound, "nearest: ");
}
END_TEST

START_TEST(hostile_names_make_a_short_line) {
  expect_error(error_of("a\n\"\xff"), Code::kNotFound, "no builder \"a\\x0a\\x22\\xff\"");
  const Error endless = error_of(std::string(1 << 20, 'x'));
  expect_error(endless, Code::kNotFound, "a name looks like resnet50");
  ck_assert_uint_lt(endless.text().size(), 400);
}
END_TEST

START_TEST(every_registered_builder_is_available) {
  const std::vector<std::string_view> registered = list_models();
  ck_assert_uint_eq(registered.size(), 92);
  ck_assert(std::ranges::equal(registered, available_models()));
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
                   letter_case_does_not_matter, names_that_do_not_exist_get_the_nearest,
                   hostile_names_make_a_short_line, every_registered_builder_is_available,
                   weights_of_another_builder_are_refused,
                   user_defined_entries_belong_to_the_builder_they_name,
                   class_counts_must_agree_with_the_weights, class_counts_out_of_range_are_refused);
}

// The typed builders: what compiles and what does not, what each builds, and the deprecated ways.
#include "model_registry/models/builders.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "model_registry/registry/legacy.hpp"
#include "model_registry/registry/registry.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;

namespace {

template <typename B, typename E>
concept Takes = requires(const B& builder, E entry) {
  builder({.weights = entry});
};
template <typename B, typename E>
concept TakesPositional = requires(const B& builder, E entry) {
  builder(entry);
};

using ResNet50 = decltype(resnet50);
static_assert(Takes<ResNet50, ResNet50_Weights>);
static_assert(Takes<ResNet50, std::nullopt_t>);
static_assert(!Takes<ResNet50, ResNet18_Weights>);
static_assert(!Takes<ResNet50, ResNet50_QuantizedWeights>);
static_assert(!Takes<ResNet50, int>);
static_assert(!Takes<ResNet50, bool>);
static_assert(!Takes<ResNet50, const char*>);
static_assert(TakesPositional<ResNet50, ResNet50_Weights>);
static_assert(TakesPositional<ResNet50, bool>);
static_assert(TakesPositional<ResNet50, std::nullopt_t>);
static_assert(!TakesPositional<ResNet50, std::nullptr_t>);
static_assert(Takes<NamedBuilder, ResNet50_Weights>);
static_assert(Takes<NamedBuilder, const Weights*>);
static_assert(Takes<NamedBuilder, std::nullptr_t>);
static_assert(Takes<NamedBuilder, std::nullopt_t>);
static_assert(!Takes<NamedBuilder, bool>);
static_assert(!Takes<NamedBuilder, int>);
static_assert(!Takes<NamedBuilder, const char*>);
static_assert(!TakesPositional<ResNet50, ResNet18_Weights>);
static_assert(!TakesPositional<ResNet50, int>);
static_assert(!std::is_convertible_v<ResNet18_Weights, ResNet50_Weights>);

// Every row takes its own enums and those of no neighbour.
#define TV_BUILDER(function, Enum)                                                               \
  static_assert(Takes<decltype(function), Enum> && Takes<decltype(function), AlexNet_Weights> == \
                                                       std::same_as<Enum, AlexNet_Weights>);
#define TV_QUANTIZED_BUILDER(function, Int8, Float)               \
  static_assert(Takes<decltype(quantization::function), Int8> &&  \
                Takes<decltype(quantization::function), Float> && \
                !Takes<decltype(quantization::function), AlexNet_Weights>);
#include "model_registry/models/builders.inc"
#undef TV_BUILDER
#undef TV_QUANTIZED_BUILDER

struct Row {
  std::string_view name, enum_name;
  Result<Model> (*build)(int num_classes);
};

// clang-format off
constexpr Row kRows[] = {
#define TV_BUILDER(function, Enum) \
  {function.name(), kWeightsEnumName<Enum>, [](int classes) { return function({.num_classes = classes}); }},
#define TV_QUANTIZED_BUILDER(function, Int8, Float)             \
  {quantization::function.name(), kWeightsEnumName<Int8>,       \
   [](int classes) { return quantization::function({.num_classes = classes}); }},
#include "model_registry/models/builders.inc"
#undef TV_BUILDER
#undef TV_QUANTIZED_BUILDER
};
// clang-format on

std::vector<std::string> heard;

void listen() {
  heard.clear();
  set_warning_handler([](std::string_view sentence) { heard.emplace_back(sentence); });
}

void expect_heard(const std::vector<std::string>& sentences) {
  ck_assert_uint_eq(heard.size(), sentences.size());
  for (std::size_t i = 0; i < heard.size(); ++i) expect_equal(heard[i], sentences[i]);
}

}  // namespace

START_TEST(every_registered_builder_has_its_function) {
  std::vector<std::string_view> names;
  for (const Row& row : kRows) {
    names.push_back(row.name);
    const auto entries = get_model_weights(row.name);
    ck_assert(static_cast<bool>(entries));
    expect_equal(entries->front()->enum_name, row.enum_name);
  }
  std::ranges::sort(names);
  ck_assert(names == list_models());
}
END_TEST

START_TEST(each_function_builds_its_own_model) {
  for (const Row& row : kRows) {
    const auto model = row.build(3);
    const auto named = get_model_builder(row.name);
    expect_ok(model);
    expect_equal(model->network->builder(), row.name);
    ck_assert_int_eq(model->network->num_classes(), 3);
    ck_assert_ptr_null(model->weights);
    expect_equal(named->name(), row.name);
  }
}
END_TEST

START_TEST(builders_are_found_by_name_as_in_python) {
  const auto builder = get_model_builder("ResNet50");
  expect_equal(builder->name(), "resnet50");
  expect_equal((*builder)({.num_classes = 7})->network->builder(), "resnet50");
  expect_contains(get_model_builder("resnet51").error().text(), "no builder \"resnet51\"");
}
END_TEST

START_TEST(entries_bring_their_weights) {
  const auto model = resnet50({.weights = ResNet50_Weights::DEFAULT});
  expect_equal(model->weights->name(), "ResNet50_Weights.IMAGENET1K_V2");
  ck_assert_ptr_eq(model->weights, &get_weight(ResNet50_Weights::IMAGENET1K_V2));
  ck_assert_ptr_null(resnet50()->weights);
  ck_assert_ptr_null(resnet50({.weights = std::nullopt})->weights);
  const auto verified = verify<ResNet50_Weights>("IMAGENET1K_V1");
  expect_equal(resnet50({.weights = *verified})->weights->name(), name_of(*verified));
  expect_contains(resnet50({.weights = ResNet50_Weights::DEFAULT, .num_classes = 5}).error().text(),
                  "num_classes is 5, but ResNet50_Weights.IMAGENET1K_V2 has 1000");
}
END_TEST

START_TEST(builders_named_at_run_time_take_entries_of_every_kind) {
  const Weights* const best = &get_weight(ResNet50_Weights::DEFAULT);
  ck_assert_ptr_eq(get_model("resnet50", {.weights = ResNet50_Weights::DEFAULT})->weights, best);
  ck_assert_ptr_eq(get_model("resnet50", {.weights = best})->weights, best);
  ck_assert_ptr_eq(
      (*get_model_builder("resnet50"))({.weights = ResNet50_Weights::DEFAULT})->weights, best);
  ck_assert_ptr_null(get_model("resnet50", {.weights = nullptr})->weights);
  ck_assert_ptr_null(get_model("resnet50", {.weights = std::nullopt})->weights);
  ck_assert_ptr_null(get_model("resnet50")->weights);
  const auto other = get_model("resnet50", {.weights = ResNet18_Weights::DEFAULT});
  ck_assert(!other);
  expect_contains(other.error().text(),
                  "weights ResNet18_Weights.IMAGENET1K_V1 belong to resnet18");
}
END_TEST

START_TEST(all_keywords_reach_the_builder) {
  // Each is refused by name: it has not been lost on its way.
  const auto refused = [](const Result<Model>& model, std::string_view name) {
    ck_assert(!model);
    expect_contains(model.error().text(), "resnet18 has no option " + std::string(name));
  };
  refused(resnet18({.image_size = 224}), "image_size");
  refused(resnet18({.aux_logits = true}), "aux_logits");
  refused(resnet18({.transform_input = true}), "transform_input");
  refused(resnet18({.init_weights = true}), "init_weights");
  refused(resnet18({.attention_dropout = 0.1}), "attention_dropout");
  refused(resnet18({.drop_rate = 0.1}), "drop_rate");
  refused(resnet18({.dropout = 0.1}), "dropout");
  refused(resnet18({.dropout_aux = 0.1}), "dropout_aux");
  refused(resnet18({.mlp_dropout = 0.1}), "mlp_dropout");
  refused(resnet18({.stochastic_depth_prob = 0.1}), "stochastic_depth_prob");
  expect_contains(resnet18({.quantize = true}).error().text(), "neither quantize nor backend");
  expect_contains(resnet18({.backend = "fbgemm"}).error().text(), "neither quantize nor backend");
  expect_contains(vgg11({.zero_init_residual = true}).error().text(), "zero_init_residual");
  ck_assert(static_cast<bool>(resnet18({.progress = false, .zero_init_residual = true})));
}
END_TEST

START_TEST(probabilities_are_between_0_and_1) {
  for (const double good : {0.0, 0.3, 1.0})
    ck_assert(static_cast<bool>(alexnet({.dropout = good})));
  for (const double bad : {-0.1, 1.5, std::nan("")})
    expect_contains(alexnet({.dropout = bad}).error().text(), "(expected 0..1)");
}
END_TEST

START_TEST(quantized_builders_take_the_enum_of_the_form_that_they_build) {
  using Int8 = ResNet50_QuantizedWeights;
  const auto int8 = quantization::resnet50({.weights = Int8::DEFAULT, .quantize = true});
  expect_equal(int8->weights->name(), "ResNet50_QuantizedWeights.IMAGENET1K_FBGEMM_V2");
  ck_assert(static_cast<bool>(quantization::resnet50({.weights = ResNet50_Weights::DEFAULT})));
  expect_contains(quantization::resnet50({.weights = Int8::DEFAULT}).error().text(),
                  "are int8, but quantize=false");
  expect_contains(quantization::resnet50({.weights = ResNet50_Weights::DEFAULT, .quantize = true})
                      .error()
                      .text(),
                  "are float, but quantize=true");
}
END_TEST

START_TEST(pretrained_means_the_first_version_and_warns_once) {
  listen();
  for (int i = 0; i < 2; ++i)
    expect_equal(resnet50({.pretrained = true})->weights->name(), "ResNet50_Weights.IMAGENET1K_V1");
  ck_assert_ptr_null(resnet18({.pretrained = false})->weights);
  expect_equal(get_model("resnet34", {.pretrained = true})->weights->name(),
               "ResNet34_Weights.IMAGENET1K_V1");
  constexpr const char* kDeprecated =
      ": pretrained is deprecated since torchvision 0.13 and may be removed, use weights instead";
  constexpr const char* kUpToDate = ".DEFAULT names the most up-to-date weights";
  expect_heard({std::string("resnet50") + kDeprecated,
                std::string("resnet50: pretrained=true is deprecated and means "
                            "weights=ResNet50_Weights.IMAGENET1K_V1; ResNet50_Weights") +
                    kUpToDate,
                std::string("resnet18") + kDeprecated,
                "resnet18: pretrained=false is deprecated and means weights=none",
                std::string("resnet34") + kDeprecated,
                std::string("resnet34: pretrained=true is deprecated and means "
                            "weights=ResNet34_Weights.IMAGENET1K_V1; ResNet34_Weights") +
                    kUpToDate});
}
END_TEST

START_TEST(positional_arguments_work_and_warn) {
  listen();
  constexpr const char* kPositional =
      ": weights and progress as positional arguments are deprecated since torchvision 0.13 and "
      "may "
      "be removed, name them: ";
  const auto entry = resnet50(ResNet50_Weights::IMAGENET1K_V2);
  expect_equal(entry->weights->name(), "ResNet50_Weights.IMAGENET1K_V2");
  expect_heard({std::string("resnet50") + kPositional + "resnet50({.weights = ...})"});
  heard.clear();
  expect_equal(vgg11(true, false)->weights->name(), "VGG11_Weights.IMAGENET1K_V1");
  expect_heard(
      {std::string("vgg11") + kPositional + "vgg11({.weights = ...})",
       "vgg11: pretrained=true is deprecated and means weights=VGG11_Weights.IMAGENET1K_V1; "
       "VGG11_Weights.DEFAULT names the most up-to-date weights"});
  ck_assert_ptr_null(vgg13(false)->weights);
  heard.clear();
  ck_assert_ptr_null(vgg16(std::nullopt, false)->weights);  // as Python's vgg16(None)
  expect_heard({std::string("vgg16") + kPositional + "vgg16({.weights = ...})"});
}
END_TEST

START_TEST(pretrained_of_quantized_builders_follows_quantize) {
  listen();
  expect_equal(quantization::resnet50({.pretrained = true, .quantize = true})->weights->name(),
               "ResNet50_QuantizedWeights.IMAGENET1K_FBGEMM_V1");
  expect_equal(quantization::resnet50(true, true, true)->weights->name(),
               "ResNet50_QuantizedWeights.IMAGENET1K_FBGEMM_V1");
  expect_equal(quantization::resnet50({.pretrained = true})->weights->name(),
               "ResNet50_Weights.IMAGENET1K_V1");
}
END_TEST

START_TEST(pretrained_without_a_first_version_or_beside_weights_fails) {
  listen();
  expect_contains(vit_h_14({.pretrained = true}).error().text(),
                  "pretrained=true means IMAGENET1K_V1, and there is no such entry");
  expect_contains(vit_h_14(true).error().text(), "there is no such entry");
  expect_contains(
      resnet50({.weights = ResNet50_Weights::DEFAULT, .pretrained = true}).error().text(),
      "resnet50: both weights and pretrained are given");
  expect_heard({});
}
END_TEST

int main() {
  return run_suite(
      "builders", 60, every_registered_builder_has_its_function, each_function_builds_its_own_model,
      builders_are_found_by_name_as_in_python, entries_bring_their_weights,
      builders_named_at_run_time_take_entries_of_every_kind, all_keywords_reach_the_builder,
      probabilities_are_between_0_and_1,
      quantized_builders_take_the_enum_of_the_form_that_they_build,
      pretrained_means_the_first_version_and_warns_once, positional_arguments_work_and_warn,
      pretrained_of_quantized_builders_follows_quantize,
      pretrained_without_a_first_version_or_beside_weights_fails);
}

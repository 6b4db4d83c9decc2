// pretrained= and positional arguments: what they mean, and what is said about them. That the
// mapping is torchvision's for all builders is test_torchvision.py's to show.
#include <string>
#include <vector>

#include "model_registry/registry/legacy.hpp"
#include "tests/suite.hpp"

namespace {

using namespace tv;
using test::expect_contains;
using test::expect_equal;

START_TEST(pretrained_is_the_first_version_and_never_default) {
  const auto choice = legacy_weights("resnet50", {.pretrained = true});
  ck_assert(choice);
  expect_equal(choice->weights->name(), "ResNet50_Weights.IMAGENET1K_V1");
  ck_assert(!choice->weights->is_default);
  ck_assert_uint_eq(choice->warnings.size(), 2);
  expect_contains(choice->warnings[0], "pretrained is deprecated");
  expect_contains(choice->warnings[1], "means weights=ResNet50_Weights.IMAGENET1K_V1");
  expect_contains(choice->warnings[1], "ResNet50_Weights.DEFAULT");
}
END_TEST

START_TEST(not_pretrained_is_random) {
  const auto choice = legacy_weights("vit_h_14", {.pretrained = false, .positional = true});
  ck_assert(choice);
  ck_assert_ptr_null(choice->weights);
  expect_contains(choice->warnings[0], "positional");
  expect_contains(choice->warnings[0], "vit_h_14({.weights = ...})");
  expect_contains(choice->warnings[1], "means weights=none");
  ck_assert(choice->warnings[1].find("DEFAULT") == std::string::npos);
}
END_TEST

START_TEST(quantize_decides_between_the_enums) {
  const auto quantized =
      legacy_weights("quantized_mobilenet_v2", {.pretrained = true, .quantize = true});
  ck_assert(quantized);
  expect_equal(quantized->weights->name(), "MobileNet_V2_QuantizedWeights.IMAGENET1K_QNNPACK_V1");
  const auto plain = legacy_weights("quantized_mobilenet_v2", {.pretrained = true});
  ck_assert(plain);
  expect_equal(plain->weights->name(), "MobileNet_V2_Weights.IMAGENET1K_V1");
}
END_TEST

START_TEST(without_a_first_version_there_is_an_error) {
  for (const char* const builder : {"vit_h_14", "regnet_y_128gf"}) {
    const auto choice = legacy_weights(builder, {.pretrained = true});
    ck_assert(!choice && choice.error().code == Code::kNotFound);
    expect_contains(choice.error().what, builder);
    expect_contains(choice.error().hint, "IMAGENET1K_SWAG_E2E_V1");
  }
  const auto unknown = legacy_weights("resnet51", {.pretrained = true});
  ck_assert(!unknown);
  expect_contains(unknown.error().text(), "resnet50");
}
END_TEST

START_TEST(each_warning_is_heard_once) {
  std::vector<std::string> heard;
  warn("before anybody listens");
  set_warning_handler([&](std::string_view text) { heard.emplace_back(text); });
  warn("one");
  warn("two");
  warn("one");
  warn("before anybody listens");  // nobody heard it: it is new
  set_warning_handler({});
  warn("three");
  ck_assert(heard == (std::vector<std::string>{"one", "two", "before anybody listens"}));
}
END_TEST

}  // namespace

int main() {
  return tv::test::run_suite("legacy", 30, pretrained_is_the_first_version_and_never_default,
                             not_pretrained_is_random, quantize_decides_between_the_enums,
                             without_a_first_version_there_is_an_error, each_warning_is_heard_once);
}

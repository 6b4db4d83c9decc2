// Keyword arguments of the builders: who takes which, and what weights say about them.
#include <algorithm>

#include "tests/model_registry/graph/models.hpp"

using namespace tv;
using namespace tv::test;

namespace {

std::shared_ptr<const graph::Network> network_of(std::string_view builder,
                                                 const BuildOptions& options) {
  return built(builder, options).network;
}

void expect_refused(std::string_view builder, const BuildOptions& options, std::string_view text) {
  const Error error = error_of(builder, options);
  expect_equal(code_name(error.code), code_name(Code::kInvalidArgument));
  expect_equal(error.text(), text);
}

/// Tensors of auxiliary heads in a list of parameters.
int heads_in(const std::vector<graph::Parameter>& parameters) {
  return static_cast<int>(std::ranges::count_if(parameters, [](const auto& parameter) {
    return parameter.name.starts_with("aux") || parameter.name.starts_with("AuxLogits.");
  }));
}

constexpr std::string_view kGoogLeNet = "GoogLeNet_Weights.IMAGENET1K_V1";
constexpr std::string_view kInception = "Inception_V3_Weights.IMAGENET1K_V1";

}  // namespace

START_TEST(an_option_is_refused_where_python_has_none) {
  expect_refused("resnet18", {.aux_logits = true},
                 "resnet18 has no option aux_logits (it takes weights, progress, num_classes, "
                 "zero_init_residual)");
  expect_refused("vgg11_bn", {.transform_input = false},
                 "vgg11_bn has no option transform_input (it takes weights, progress, num_classes, "
                 "dropout, init_weights)");
  expect_refused("densenet121", {.init_weights = true},
                 "densenet121 has no option init_weights (it takes weights, progress, num_classes, "
                 "drop_rate)");
  ck_assert(static_cast<bool>(get_model("vgg11_bn", {.init_weights = false})));
}
END_TEST

START_TEST(the_options_of_a_row_are_taken_whatever_their_value) {
  for (const char* const builder : {"googlenet", "inception_v3"})
    for (const bool value : {false, true})
      ck_assert(static_cast<bool>(get_model(
          builder, {.aux_logits = value, .transform_input = value, .init_weights = value})));
}
END_TEST

START_TEST(published_weights_decide_about_heads_and_initialisation) {
  struct Row {
    std::string_view builder, weights;
  };
  for (const Row& row : {Row{"googlenet", kGoogLeNet}, Row{"inception_v3", kInception}}) {
    const Weights* const weights = entry(row.weights);
    const std::string builder(row.builder);
    expect_refused(builder, {.weights = weights, .aux_logits = false},
                   builder +
                       ": aux_logits is false, but with weights it is true (leave aux_logits "
                       "out, or build without weights)");
    expect_refused(builder, {.weights = weights, .init_weights = true},
                   builder +
                       ": init_weights is true, but with weights it is false (leave "
                       "init_weights out, or build without weights)");
    network_of(builder, {.weights = weights, .aux_logits = true, .init_weights = false});
    network_of(builder, {.weights = weights, .transform_input = false});
  }
}
END_TEST

START_TEST(auxiliary_heads_are_in_the_network_in_the_file_or_nowhere) {
  const Weights *const googlenet = entry(kGoogLeNet), *const inception = entry(kInception);
  Weights own = *googlenet;
  own.user_defined = true;
  struct Row {
    std::string_view builder;
    BuildOptions options;
    int in_network, removed;  // tensors
  };
  // A head of GoogLeNet has 10 tensors, that of Inception v3 has 14.
  const Row rows[] = {
      {"googlenet", {}, 20, 0},
      {"googlenet", {.aux_logits = false}, 0, 0},
      {"googlenet", {.weights = googlenet}, 0, 20},
      {"googlenet", {.weights = googlenet, .aux_logits = true}, 20, 0},
      {"googlenet", {.own_file = true}, 0, 20},
      {"googlenet", {.weights = googlenet, .aux_logits = true, .own_file = true}, 20, 0},
      {"googlenet", {.weights = &own}, 0, 20},
      {"inception_v3", {}, 14, 0},
      {"inception_v3", {.aux_logits = false}, 0, 0},
      {"inception_v3", {.weights = inception}, 14, 0},
      {"inception_v3", {.weights = inception, .own_file = true}, 0, 14},
      {"inception_v3", {.weights = inception, .aux_logits = false, .own_file = true}, 0, 14},
  };
  for (const Row& row : rows) {
    const auto network = network_of(row.builder, row.options);
    ck_assert_int_eq(heads_in(network->parameters()), row.in_network);
    ck_assert_int_eq(heads_in(network->removed()), row.removed);
  }
}
END_TEST

START_TEST(heads_that_are_removed_have_drawn_their_numbers) {
  const auto kept = network_of("googlenet", {});
  const auto removed = network_of("googlenet", {.weights = entry(kGoogLeNet)});
  const auto without = network_of("googlenet", {.aux_logits = false});
  ck_assert_uint_eq(kept->init().size(), removed->init().size());
  ck_assert_uint_lt(without->init().size(), kept->init().size());
  for (std::size_t i = 0; i < kept->init().size(); ++i)
    ck_assert(kept->init()[i].shape == removed->init()[i].shape);
}
END_TEST

START_TEST(input_is_transformed_by_default_with_weights_alone) {
  const auto multiplies = [](std::string_view builder, const BuildOptions& options) {
    const auto graph = network_of(builder, options)->trace({1, 3, 96, 96});
    ck_assert(static_cast<bool>(graph));
    return std::ranges::count(graph->nodes, graph::Op::kMultiply, &graph::Node::op) == 1;
  };
  for (const char* const builder : {"googlenet", "inception_v3"}) {
    const Weights* const weights =
        entry(builder == std::string("googlenet") ? kGoogLeNet : kInception);
    ck_assert(!multiplies(builder, {}));
    ck_assert(multiplies(builder, {.transform_input = true}));
    ck_assert(multiplies(builder, {.weights = weights}));
    ck_assert(!multiplies(builder, {.weights = weights, .transform_input = false}));
    ck_assert(multiplies(builder, {.weights = weights, .own_file = true}));
    ck_assert(!multiplies(builder, {.own_file = true}));
  }
}
END_TEST

START_TEST(entries_without_categories_allow_any_number_of_classes) {
  const Weights* const features = entry("VGG16_Weights.IMAGENET1K_FEATURES");
  ck_assert_int_eq(network_of("vgg16", {.weights = features})->num_classes(), 1000);
  ck_assert_int_eq(network_of("vgg16", {.weights = features, .num_classes = 6})->num_classes(), 6);
  expect_refused("vgg16", {.weights = features, .num_classes = 0},
                 "vgg16: num_classes is 0 (expected 1..1000000)");
  expect_refused("vgg16", {.weights = entry("VGG16_Weights.IMAGENET1K_V1"), .num_classes = 6},
                 "vgg16: num_classes is 6, but VGG16_Weights.IMAGENET1K_V1 has 1000 (leave "
                 "num_classes out, or build without weights)");
}
END_TEST

START_TEST(a_file_of_the_callers_may_have_other_classes_than_the_entry) {
  const Weights* const weights = entry("ResNet18_Weights.IMAGENET1K_V1");
  const auto network =
      network_of("resnet18", {.weights = weights, .num_classes = 6, .own_file = true});
  ck_assert_int_eq(network->num_classes(), 6);
  ck_assert_int_eq(network_of("resnet18", {.weights = weights, .own_file = true})->num_classes(),
                   1000);
  expect_refused("resnet34", {.weights = weights, .own_file = true},
                 "resnet34: weights ResNet18_Weights.IMAGENET1K_V1 belong to resnet18 (choose an "
                 "entry of resnet34, or build resnet18)");
}
END_TEST

START_TEST(files_with_and_without_heads_are_recognised) {
  const auto file_of = [](const graph::Network& network) {
    Checkpoint file;
    for (const auto& parameter : network.parameters()) {
      TensorView view;
      view.dtype = parameter.dtype;
      view.sizes = parameter.shape;
      file.entries.push_back({parameter.name, {view}});
    }
    return file;
  };
  for (const char* const builder : {"googlenet", "inception_v3"}) {
    for (const bool heads : {false, true}) {
      Checkpoint file = file_of(*network_of(builder, {.num_classes = 6, .aux_logits = heads}));
      expect_equal(recognise_builder(file), builder);
      file.entries.back().first = "fc.offset";
      expect_equal(recognise_builder(file), "");
    }
  }
}
END_TEST

int main() {
  return run_suite("options", 60, an_option_is_refused_where_python_has_none,
                   the_options_of_a_row_are_taken_whatever_their_value,
                   published_weights_decide_about_heads_and_initialisation,
                   auxiliary_heads_are_in_the_network_in_the_file_or_nowhere,
                   heads_that_are_removed_have_drawn_their_numbers,
                   input_is_transformed_by_default_with_weights_alone,
                   entries_without_categories_allow_any_number_of_classes,
                   a_file_of_the_callers_may_have_other_classes_than_the_entry,
                   files_with_and_without_heads_are_recognised);
}

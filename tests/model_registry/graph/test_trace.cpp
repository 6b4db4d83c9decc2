// Naming, initialisation tape and shape inference.
#include "model_registry/graph/ops.hpp"
#include "model_registry/models/models.hpp"
#include "model_registry/models/nn/sequential.hpp"
#include "tests/model_registry/graph/networks.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;
using graph::Build;
using graph::InitRule;
using graph::Value;

namespace {

std::vector<std::string> names(const graph::Network& network) {
  std::vector<std::string> result;
  for (const auto& parameter : network.parameters()) result.push_back(parameter.name);
  return result;
}

std::string trace_error(const graph::Network& network, const Shape& input) {
  const auto graph = network.trace(input);
  ck_assert_msg(!graph, "%s was accepted", shape_text(input).c_str());
  ck_assert_int_eq(static_cast<int>(graph.error().code), static_cast<int>(Code::kInvalidArgument));
  return graph.error().text();
}

/// One layer, then an average and nothing else: the error names the layer.
graph::Network one_conv(int kernel, const nn::Conv2dOptions& options, int min_size = 1) {
  return sketch(
      [&](SketchModule& m, Build& build) {
        const auto conv = m.make<nn::Conv2d>("stem", build, 3, 4, kernel, options);
        return [conv](Value x) {
          return graph::flatten(graph::adaptive_avg_pool2d(conv(x), {{1, 1}}));
        };
      },
      4, min_size);
}

graph::Network one_pool(const nn::MaxPool2dOptions& options) {
  return sketch(
      [&](SketchModule& m, Build&) {
        const auto pool = m.make<nn::MaxPool2d>("pool", options);
        return [pool](Value x) {
          return graph::flatten(graph::adaptive_avg_pool2d(pool(x), {{1, 1}}));
        };
      },
      3);
}

Shape shape_after_first(const graph::Network& network, const Shape& input) {
  const auto graph = network.trace(input);
  expect_ok(graph);
  return graph->nodes[1].shape;
}

}  // namespace

START_TEST(names_follow_registration_not_construction) {
  const auto network = sketch(
      [](SketchModule& m, Build& build) {
        auto late = std::make_unique<nn::Conv2d>(build, 3, 4, 1);  // constructed first, added last
        m.make<nn::BatchNorm2d>("bn", build, 3);
        m.add("conv", std::move(late));
        return [](Value x) { return x; };
      },
      4);
  const std::vector<std::string> expected = {
      "bn.weight",   "bn.bias",  "bn.running_mean", "bn.running_var", "bn.num_batches_tracked",
      "conv.weight", "conv.bias"};
  ck_assert(names(network) == expected);
  ck_assert_int_eq(network.init()[0].parameter, 5);  // conv.weight is drawn first
  ck_assert_int_eq(static_cast<int>(network.init()[0].rule), static_cast<int>(InitRule::kUniform));
  ck_assert_int_eq(network.num_params(), 3 + 3 + 4 * 3 + 4);  // buffers do not count
}
END_TEST

START_TEST(own_tensors_come_before_children_and_buffers_after_parameters) {
  class Own final : public graph::Module {
   public:
    explicit Own(Build& build) {
      add("child", std::make_unique<nn::Linear>(build, 2, 3));
      add_tensor("table", build.parameter({5}, DType::kInt64, true));
      add_tensor("token", build.parameter({1, 2}));
    }
  };
  Build build;
  auto root = std::make_unique<Own>(build);
  const graph::Network network("own", std::move(build), std::move(root), 3);
  const std::vector<std::string> expected = {"token", "table", "child.weight", "child.bias"};
  ck_assert(names(network) == expected);
  ck_assert_int_eq(static_cast<int>(network.parameters()[1].dtype),
                   static_cast<int>(DType::kInt64));
  expect_contains(trace_error(network, {1, 3, 8, 8}), "no forward for a single tensor");
}
END_TEST

START_TEST(dropped_modules_keep_their_draws) {
  const auto network = sketch(
      [](SketchModule& m, Build& build) {
        const nn::Linear head(build, 2, 3);  // constructed, never added
        m.make<nn::Linear>("fc", build, 2, 3);
        return [](Value x) { return x; };
      },
      3);
  ck_assert(names(network) == (std::vector<std::string>{"fc.weight", "fc.bias"}));
  ck_assert_uint_eq(network.init().size(), 4);
  ck_assert_int_eq(network.init()[0].parameter, -1);
  ck_assert(network.init()[0].shape == (Shape{3, 2}));
  ck_assert_int_eq(network.init()[2].parameter, 0);
}
END_TEST

START_TEST(removed_children_are_initialised_in_their_place_and_nowhere_else) {
  const auto network = sketch(
      [](SketchModule& m, Build& build) {
        m.add_removed("aux", std::make_unique<nn::Linear>(build, 2, 3));
        const auto fc = m.make<nn::Linear>("fc", build, 12, 3);
        m.for_each([&](graph::Module& module) {
          if (const auto* linear = dynamic_cast<nn::Linear*>(&module))
            build.normal(linear->weight(), 0, 1);
        });
        return [fc](Value x) { return fc(graph::flatten(x)); };
      },
      3);
  ck_assert(names(network) == (std::vector<std::string>{"fc.weight", "fc.bias"}));
  ck_assert_uint_eq(network.removed().size(), 2);
  expect_equal(network.removed()[0].name, "aux.weight");
  ck_assert_uint_eq(network.init().size(), 6);
  ck_assert_int_eq(network.init()[4].parameter, -1);  // the family's own draws come in tree order
  ck_assert(network.init()[4].shape == (Shape{3, 2}));
  ck_assert_int_eq(network.init()[5].parameter, 0);
  ck_assert(static_cast<bool>(network.trace({1, 3, 2, 2})));
}
END_TEST

START_TEST(convolution_shapes) {
  struct Row {
    int kernel;
    nn::Conv2dOptions options;
    Shape input, expected;
  };
  const Row rows[] = {
      {7, {.stride = 2, .padding = 3}, {2, 3, 224, 225}, {2, 4, 112, 113}},
      {3, {}, {1, 3, 3, 5}, {1, 4, 1, 3}},
      {3, {.padding = 1, .dilation = 2}, {1, 3, 9, 10}, {1, 4, 7, 8}},
      {1, {.stride = 2}, {1, 3, 1, 2}, {1, 4, 1, 1}},
  };
  for (const Row& row : rows)
    expect_equal(shape_text(shape_after_first(one_conv(row.kernel, row.options), row.input)),
                 shape_text(row.expected));
}
END_TEST

START_TEST(pooling_shapes) {
  struct Row {
    nn::MaxPool2dOptions options;
    Shape input, expected;
  };
  const Row rows[] = {
      {{.kernel = 3, .stride = 2, .padding = 1}, {1, 3, 112, 1}, {1, 3, 56, 1}},
      {{.kernel = 3, .stride = 2}, {1, 3, 6, 7}, {1, 3, 2, 3}},
      {{.kernel = 3, .stride = 2, .ceil_mode = true}, {1, 3, 6, 7}, {1, 3, 3, 3}},
      // ceil_mode takes an image smaller than the window ...
      {{.kernel = 3, .stride = 2, .ceil_mode = true}, {1, 3, 2, 2}, {1, 3, 1, 1}},
      // ... and drops a window that would begin in the right padding
      {{.kernel = 2, .stride = 2, .padding = 1, .ceil_mode = true}, {1, 3, 3, 4}, {1, 3, 2, 3}},
  };
  for (const Row& row : rows)
    expect_equal(shape_text(shape_after_first(one_pool(row.options), row.input)),
                 shape_text(row.expected));
}
END_TEST

START_TEST(small_images_name_the_layer) {
  const auto conv = one_conv(7, {.stride = 2}, 7);
  expect_contains(trace_error(conv, {1, 3, 9, 6}),
                  "layer stem needs an input of at least 7x7, found 9x6");
  expect_contains(trace_error(conv, {1, 3, 9, 6}), "the smallest image for sketch is 7x7");
  expect_contains(
      trace_error(one_pool({.kernel = 3, .stride = 2, .ceil_mode = true}), {1, 3, 1, 5}),
      "layer pool needs an input of at least 2x2, found 1x5");
}
END_TEST

START_TEST(squeezenet_accepts_its_documented_minimum_and_no_less) {
  const auto model = *get_model("squeezenet1_0");
  ck_assert(static_cast<bool>(model.network->trace({1, 3, 21, 21})));
  const std::string text = trace_error(*model.network, {1, 3, 20, 21});
  expect_contains(text, "layer features.11 needs an input of at least 2x2, found 1x2");
  expect_contains(text, "the smallest image for squeezenet1_0 is 21x21, this one is 20x21");
  const auto newer = *get_model("squeezenet1_1");
  ck_assert(static_cast<bool>(newer.network->trace({1, 3, 17, 17})));
  expect_contains(trace_error(*newer.network, {1, 3, 17, 16}), "squeezenet1_1: layer features.8 ");
}
END_TEST

START_TEST(inputs_that_are_no_images_are_refused) {
  const auto network = one_conv(1, {});
  for (const Shape& input : {Shape{3, 8, 8}, Shape{1, 1, 8, 8}, Shape{0, 3, 8, 8},
                             Shape{1, 3, 0, 8}, Shape{1, 3, 8, 16385}, Shape{5000, 3, 8, 8}})
    expect_contains(trace_error(network, input), shape_text(input) + ", expected [N, 3, H, W]");
}
END_TEST

START_TEST(operands_that_do_not_fit_are_refused) {
  const auto sum = sketch(
      [](SketchModule& m, Build& build) {
        const auto conv = m.make<nn::Conv2d>("conv", build, 3, 3, 3);
        return [conv](Value x) { return x + conv(x); };
      },
      3);
  expect_contains(trace_error(sum, {1, 3, 8, 8}),
                  "combines [1, 3, 8, 8] and [1, 3, 6, 6], expected sizes that are equal or 1");
  const auto joined = sketch(
      [](SketchModule& m, Build& build) {
        const auto conv = m.make<nn::Conv2d>("conv", build, 3, 2, 3);
        return [conv](Value x) { return graph::cat({x, conv(x)}); };
      },
      3);
  expect_contains(trace_error(joined, {1, 3, 8, 8}), "joins [1, 3, 8, 8] and [1, 2, 6, 6]");
  const auto channels = sketch(
      [](SketchModule& m, Build& build) {
        const auto conv = m.make<nn::Conv2d>("conv", build, 5, 2, 3);
        return [conv](Value x) { return conv(x); };
      },
      3);
  expect_contains(trace_error(channels, {1, 3, 8, 8}), "layer conv expects [N, 5, H, W]");
  const auto features = sketch(
      [](SketchModule& m, Build& build) {
        const auto fc = m.make<nn::Linear>("fc", build, 5, 2);
        return [fc](Value x) { return fc(graph::flatten(x)); };
      },
      2);
  expect_contains(trace_error(features, {1, 3, 2, 2}), "layer fc expects [..., 5], found [1, 12]");
}
END_TEST

START_TEST(forwards_may_take_lists) {
  class Joined final : public graph::Module {
   public:
    explicit Joined(Build& build) {
      conv_ = add("conv", std::make_unique<nn::Conv2d>(build, 6, 2, 1));
    }
    using Module::forward;
    Value forward(const std::vector<Value>& features) const { return conv_(graph::cat(features)); }

   private:
    graph::Ref<nn::Conv2d> conv_;
  };
  const auto network = sketch(
      [](SketchModule& m, Build& build) {
        const auto joined = m.make<Joined>("joined", build);
        return [joined](Value x) {
          std::vector<Value> features = {x, graph::relu(x)};
          return graph::flatten(graph::adaptive_avg_pool2d(joined(features), {{1, 1}}));
        };
      },
      2);
  const auto graph = network.trace({1, 3, 4, 4});
  ck_assert(static_cast<bool>(graph));
  expect_equal(graph->nodes[2].scope, "joined");
  expect_equal(graph->nodes[3].scope, "joined.conv");
  expect_equal(graph->nodes[4].scope, "");
}
END_TEST

START_TEST(the_first_error_wins_and_the_forward_runs_on) {
  int calls = 0;
  const auto network = sketch(
      [&](SketchModule& m, Build& build) {
        const auto first = m.make<nn::Conv2d>("first", build, 3, 4, 9);
        const auto second = m.make<nn::Conv2d>("second", build, 7, 4, 9);
        return [&, first, second](Value x) {
          x = second(first(x));
          ++calls;
          return graph::cat({x, graph::relu6(graph::dropout(x)) + x});
        };
      },
      4);
  expect_contains(trace_error(network, {1, 3, 8, 8}), "layer first needs");
  ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(results_that_nobody_reads_are_not_in_the_graph) {
  const auto network = sketch(
      [](SketchModule& m, Build& build) {
        const auto used = m.make<nn::Conv2d>("used", build, 3, 4, 1);
        const auto unused = m.make<nn::Conv2d>("unused", build, 3, 4, 1);
        return [=](Value x) {
          const Value y = graph::flatten(graph::adaptive_avg_pool2d(used(x), {{1, 1}}));
          unused(x);
          return y;
        };
      },
      4);
  const auto graph = network.trace({1, 3, 2, 2});
  expect_equal(graph::to_string(*graph),
               "%0 = input() -> [1, 3, 2, 2]\n"
               "%1 = conv2d(%0; p0, p1) stride 1x1 padding 0x0 -> [1, 4, 2, 2]  used\n"
               "%2 = adaptive_avg_pool2d(%1) to 1x1 -> [1, 4, 1, 1]\n"
               "%3 = flatten(%2) -> [1, 4]\n");
  ck_assert_uint_eq(network.parameters().size(), 4);  // its parameters are there all the same
}
END_TEST

START_TEST(a_forward_of_the_wrong_width_is_our_bug) {
  const auto network =
      sketch([](SketchModule&, Build&) { return [](Value x) { return graph::flatten(x); }; }, 5);
  const auto graph = network.trace({1, 3, 2, 2});
  ck_assert(!graph && graph.error().code == Code::kInternal);
  expect_contains(graph.error().text(), "yields [1, 12], expected [1, 5]");
}
END_TEST

int main() {
  return run_suite("trace", 30, names_follow_registration_not_construction,
                   own_tensors_come_before_children_and_buffers_after_parameters,
                   dropped_modules_keep_their_draws,
                   removed_children_are_initialised_in_their_place_and_nowhere_else,
                   convolution_shapes, pooling_shapes, small_images_name_the_layer,
                   squeezenet_accepts_its_documented_minimum_and_no_less,
                   inputs_that_are_no_images_are_refused, operands_that_do_not_fit_are_refused,
                   forwards_may_take_lists, the_first_error_wins_and_the_forward_runs_on,
                   results_that_nobody_reads_are_not_in_the_graph,
                   a_forward_of_the_wrong_width_is_our_bug);
}

// What each pass does to small graphs, and what it must leave alone.
#include <algorithm>

#include "model_registry/graph/ops.hpp"
#include "model_registry/graph/passes/passes.hpp"
#include "model_registry/models/models.hpp"
#include "model_registry/models/nn/quantized.hpp"
#include "tests/model_registry/graph/networks.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;
using graph::Build;
using graph::Graph;
using graph::Op;
using graph::Value;

namespace {

Graph trace(const graph::Network& network, int side = 4) {
  return value_of(network.trace({1, 3, side, side}));
}

Value head(Value x) {
  return graph::flatten(graph::adaptive_avg_pool2d(x, {{1, 1}}));
}

/// A convolution 3 -> 3 that keeps the size, and its batch norm.
struct Layers {
  graph::Ref<nn::Conv2d> conv, other;
  graph::Ref<nn::BatchNorm2d> bn;
};
graph::Network with_layers(const std::function<Value(const Layers&, Value)>& forward) {
  return sketch(
      [&](SketchModule& m, Build& build) {
        const Layers layers{
            m.make<nn::Conv2d>("conv", build, 3, 3, 3, nn::Conv2dOptions{.padding = 1}),
            m.make<nn::Conv2d>("other", build, 3, 3, 1, nn::Conv2dOptions{.bias = false}),
            m.make<nn::BatchNorm2d>("bn", build, 3, 1e-3)};
        return [layers, forward](Value x) { return head(forward(layers, x)); };
      },
      3);
}

/// In int8: layers between the network's doors, which keep the size.
struct QuantizedLayers {
  graph::Ref<nn::Conv2d> conv;
  graph::Ref<nn::FloatAdd> add;
  graph::Ref<nn::Linear> linear;
};
graph::Network with_quantized_layers(
    const std::function<Value(const QuantizedLayers&, Value)>& forward) {
  return sketch(
      [&](SketchModule& m, Build& build) {
        const QuantizedLayers layers{m.make<nn::Conv2d>("conv", build, 3, 3, 1),
                                     m.make<nn::FloatAdd>("add", build),
                                     m.make<nn::Linear>("linear", build, 3, 3)};
        const auto quant = m.make<nn::QuantStub>("quant", build);
        const auto dequant = m.make<nn::DeQuantStub>("dequant", build);
        return [=](Value x) { return dequant(head(forward(layers, quant(x)))); };
      },
      3, 1, graph::Form::kInt8);
}

int count(const Graph& graph, Op op) {
  int found = 0;
  for (const auto& node : graph.nodes) found += node.op == op;
  return found;
}

int convolutions_with_bias(const Graph& graph) {
  return static_cast<int>(std::ranges::count_if(graph.nodes, [](const graph::Node& node) {
    return node.op == Op::kConv2d && node.params.size() == 2;
  }));
}

/// Ids in range, in order, and every node but the last read by somebody.
void expect_sound(const Graph& graph) {
  const auto readers = graph::count_readers(graph);
  for (std::size_t id = 0; id < graph.nodes.size(); ++id) {
    ck_assert_int_gt(readers[id], 0);
    for (const int input : graph.nodes[id].inputs)
      ck_assert(input >= 0 && static_cast<std::size_t>(input) < id);
    for (const int param : graph.nodes[id].params)
      ck_assert(param >= 0 && param < graph.first_derived + static_cast<int>(graph.derived.size()));
  }
}

constexpr Op kActivations[] = {Op::kRelu, Op::kRelu6,     Op::kSigmoid,
                               Op::kSilu, Op::kHardswish, Op::kGelu};

/// What the passes should have taken up: a layer whose only reader is this node, and which has
/// neither residual nor activation where the node comes before them. A linear layer has one of
/// both.
bool is_open_layer(const Graph& graph, const std::vector<int>& readers, int id, bool before) {
  const auto& node = graph.nodes[static_cast<std::size_t>(id)];
  if (readers[static_cast<std::size_t>(id)] != 1) return false;
  const bool alone = node.inputs.size() == 1;
  if (node.op == Op::kConv2d)
    return std::get<graph::Conv2dAttrs>(node.attrs).activation == graph::Activation::kNone &&
           (!before || alone);
  if (node.op != Op::kLinear || node.params.size() != 2 || !alone) return false;
  return std::get<graph::FusedAttrs>(node.attrs).activation == graph::Activation::kNone;
}

/// The first node that could still move into the convolution in front of it; -1 for none.
int find_fusable(const Graph& graph) {
  const auto readers = graph::count_readers(graph);
  for (std::size_t id = 1; id < graph.nodes.size(); ++id) {
    const auto& node = graph.nodes[id];
    const auto open = [&](std::size_t input, bool before) {
      return is_open_layer(graph, readers, node.inputs[input], before);
    };
    const auto after_convolution = [&] {
      return graph.nodes[static_cast<std::size_t>(node.inputs[0])].op == Op::kConv2d;
    };
    const auto same_shape = [&](std::size_t input) {
      return graph.nodes[static_cast<std::size_t>(node.inputs[input])].shape == node.shape;
    };
    const bool fusable =
        node.op == Op::kDropout ||
        (node.op == Op::kBatchNorm2d && after_convolution() && open(0, true)) ||
        (std::ranges::find(kActivations, node.op) != std::end(kActivations) && open(0, false)) ||
        (node.op == Op::kAdd && same_shape(0) && same_shape(1) && (open(0, true) || open(1, true)));
    if (fusable) return static_cast<int>(id);
  }
  return -1;
}

void expect_unchanged(Graph (*pass)(Graph), const graph::Network& network) {
  const Graph before = trace(network);
  expect_equal(graph::to_string(pass(before)), graph::to_string(before));
}

}  // namespace

START_TEST(dropout_disappears_wherever_it_stands) {
  const auto network = with_layers([](const Layers& l, Value x) {
    return graph::dropout(graph::dropout(l.conv(graph::dropout(x))));
  });
  const Graph graph = graph::drop_identities(trace(network));
  expect_sound(graph);
  expect_equal(graph::to_string(graph),
               "%0 = input() -> [1, 3, 4, 4]\n"
               "%1 = conv2d(%0; p0, p1) stride 1x1 padding 1x1 -> [1, 3, 4, 4]  conv\n"
               "%2 = adaptive_avg_pool2d(%1) to 1x1 -> [1, 3, 1, 1]\n"
               "%3 = flatten(%2) -> [1, 3]\n");
}
END_TEST

START_TEST(a_dropout_at_the_end_disappears) {
  const auto network = sketch(
      [](SketchModule&, Build&) { return [](Value x) { return graph::dropout(head(x)); }; }, 3);
  const Graph graph = graph::drop_identities(trace(network));
  ck_assert_uint_eq(graph.nodes.size(), 3);
  ck_assert(graph.nodes.back().op == Op::kFlatten);
}
END_TEST

START_TEST(batch_norm_folds_into_its_convolution) {
  const auto network = with_layers([](const Layers& l, Value x) { return l.bn(l.conv(x)); });
  const Graph graph = graph::fold_batch_norm(trace(network));
  expect_sound(graph);
  ck_assert_int_eq(count(graph, Op::kBatchNorm2d), 0);
  ck_assert_uint_eq(graph.derived.size(), 2);
  ck_assert(graph.nodes[1].params ==
            (std::vector<int>{graph.first_derived, graph.first_derived + 1}));
  graph::DerivedParameter expected{.kind = graph::DerivedParameter::Kind::kFoldedWeight,
                                   .weight = 0,
                                   .bias = 1,
                                   .gamma = 3,
                                   .beta = 4,
                                   .mean = 5,
                                   .variance = 6,
                                   .eps = 1e-3};
  ck_assert(graph.derived[0] == expected);
  expected.kind = graph::DerivedParameter::Kind::kFoldedBias;
  ck_assert(graph.derived[1] == expected);
}
END_TEST

START_TEST(a_convolution_without_bias_gets_one) {
  const auto network = with_layers([](const Layers& l, Value x) { return l.bn(l.other(x)); });
  const Graph graph = graph::fold_batch_norm(trace(network));
  ck_assert_uint_eq(graph.nodes[1].params.size(), 2);
  ck_assert_int_eq(graph.derived[1].bias, -1);
}
END_TEST

START_TEST(batch_norm_stays_where_it_cannot_fold) {
  // another reader of the convolution
  expect_unchanged(graph::fold_batch_norm, with_layers([](const Layers& l, Value x) {
                     const Value y = l.conv(x);
                     return l.bn(y) + y;
                   }));
  // something between the two
  expect_unchanged(graph::fold_batch_norm, with_layers([](const Layers& l, Value x) {
                     return l.bn(graph::relu(l.conv(x)));
                   }));
  // no convolution at all
  expect_unchanged(graph::fold_batch_norm,
                   with_layers([](const Layers& l, Value x) { return l.bn(x); }));
}
END_TEST

START_TEST(only_the_first_of_two_batch_norms_folds) {
  const auto network = with_layers([](const Layers& l, Value x) { return l.bn(l.bn(l.conv(x))); });
  const Graph graph = graph::fold_batch_norm(trace(network));
  expect_sound(graph);
  ck_assert_int_eq(count(graph, Op::kBatchNorm2d), 1);
}
END_TEST

START_TEST(activations_fuse_unless_the_convolution_has_other_readers) {
  const auto network = with_layers(
      [](const Layers& l, Value x) { return graph::relu6(l.other(graph::relu(l.conv(x)))); });
  const Graph graph = graph::fuse_activation(trace(network));
  expect_sound(graph);
  ck_assert_uint_eq(graph.nodes.size(), 5);
  ck_assert(std::get<graph::Conv2dAttrs>(graph.nodes[1].attrs).activation ==
            graph::Activation::kRelu);
  ck_assert(std::get<graph::Conv2dAttrs>(graph.nodes[2].attrs).activation ==
            graph::Activation::kRelu6);
  expect_unchanged(graph::fuse_activation, with_layers([](const Layers& l, Value x) {
                     const Value y = l.conv(x);
                     return graph::relu(y) + y;
                   }));
  expect_unchanged(graph::fuse_activation,
                   with_layers([](const Layers&, Value x) { return graph::relu(x); }));
}
END_TEST

START_TEST(a_second_activation_stays) {
  const auto network =
      with_layers([](const Layers& l, Value x) { return graph::relu6(graph::relu(l.conv(x))); });
  const Graph graph = graph::fuse_activation(trace(network));
  ck_assert_int_eq(count(graph, Op::kRelu6), 1);
  ck_assert_int_eq(count(graph, Op::kRelu), 0);
}
END_TEST

START_TEST(quantized_convolutions_and_additions_take_a_relu) {
  const auto network = with_quantized_layers([](const QuantizedLayers& l, Value x) {
    const Value y = graph::relu(l.conv(x));
    return graph::relu(l.add->forward(y, x));
  });
  const Graph graph = graph::fuse_activation(trace(network));
  expect_sound(graph);
  ck_assert_int_eq(count(graph, Op::kRelu), 0);
  const auto found = [&](Op op) -> const graph::Attrs& {
    return std::ranges::find(graph.nodes, op, &graph::Node::op)->attrs;
  };
  ck_assert(std::get<graph::Conv2dAttrs>(found(Op::kQConv2d)).activation ==
            graph::Activation::kRelu);
  ck_assert(std::get<graph::FusedAttrs>(found(Op::kQAdd)).activation == graph::Activation::kRelu);
  expect_equal(graph::to_string(graph::optimize(trace(network))), graph::to_string(graph));
}
END_TEST

START_TEST(quantized_layers_take_nothing_else) {
  // The kernels know relu alone.
  expect_unchanged(graph::fuse_activation,
                   with_quantized_layers([](const QuantizedLayers& l, Value x) {
                     return graph::relu6(l.add->forward(graph::hardswish(l.conv(x)), x));
                   }));
  expect_unchanged(graph::fuse_activation,
                   with_quantized_layers([](const QuantizedLayers& l, Value x) {
                     const Value y = graph::relu(l.linear(graph::permute(x, {0, 2, 3, 1})));
                     return graph::permute(y, {0, 3, 1, 2});
                   }));
  // the layer is read again
  expect_unchanged(graph::fuse_activation,
                   with_quantized_layers([](const QuantizedLayers& l, Value x) {
                     const Value y = l.conv(x);
                     return l.add->forward(graph::relu(y), y);
                   }));
  // there is one already
  const auto twice = with_quantized_layers(
      [](const QuantizedLayers& l, Value x) { return graph::relu(graph::relu(l.conv(x))); });
  ck_assert_int_eq(count(graph::fuse_activation(trace(twice)), Op::kRelu), 1);
}
END_TEST

START_TEST(residuals_fuse_from_either_side) {
  for (const bool conv_first : {true, false}) {
    const auto network = with_layers([=](const Layers& l, Value x) {
      const Value kept = graph::relu(x);
      const Value y = l.conv(kept);
      return conv_first ? y + kept : kept + y;
    });
    const Graph graph = graph::fuse_residual(trace(network));
    expect_sound(graph);
    ck_assert_int_eq(count(graph, Op::kAdd), 0);
    ck_assert(graph.nodes[2].inputs == (std::vector<int>{1, 1}));
  }
}
END_TEST

START_TEST(a_residual_that_is_computed_later_is_there_in_time) {
  // As in a ResNet block: the shortcut's convolution runs after the main branch.
  const auto network = with_layers([](const Layers& l, Value x) {
    const Value main = l.conv(x);
    return graph::relu(main + l.other(x));
  });
  const Graph graph = graph::fuse_activation(graph::fuse_residual(trace(network)));
  expect_sound(graph);
  ck_assert_uint_eq(graph.nodes.size(), 5);
  expect_equal(graph.nodes[2].scope, "conv");
  ck_assert(graph.nodes[2].inputs == (std::vector<int>{0, 1}));
  ck_assert(std::get<graph::Conv2dAttrs>(graph.nodes[2].attrs).activation ==
            graph::Activation::kRelu);
}
END_TEST

START_TEST(residuals_stay_apart_where_they_must) {
  // the convolution is read again
  expect_unchanged(graph::fuse_residual, with_layers([](const Layers& l, Value x) {
                     const Value y = l.conv(x);
                     return (y + x) + y;
                   }));
  // an activation comes before the addition
  const auto activated =
      with_layers([](const Layers& l, Value x) { return graph::relu(l.conv(x)) + x; });
  const Graph graph = graph::fuse_residual(graph::fuse_activation(trace(activated)));
  ck_assert_int_eq(count(graph, Op::kAdd), 1);
  // a value added to itself
  expect_unchanged(graph::fuse_residual, with_layers([](const Layers& l, Value x) {
                     const Value y = l.conv(x);
                     return y + y;
                   }));
}
END_TEST

START_TEST(the_bias_of_a_shortcut_moves_to_the_sum) {
  for (const bool shortcut_first : {true, false}) {
    const Graph graph =
        graph::merge_biases(graph::optimize(trace(with_layers([=](const Layers& l, Value x) {
          const Value main = l.bn(l.other(x)), shortcut = l.conv(x);
          return graph::relu(shortcut_first ? shortcut + main : main + shortcut);
        }))));
    expect_sound(graph);
    ck_assert_int_eq(convolutions_with_bias(graph), 1);
    const auto& sum = graph.nodes[2];
    ck_assert(sum.op == Op::kConv2d && sum.inputs == (std::vector<int>{0, 1}));
    ck_assert_int_eq(sum.params[1], graph.first_derived + 2);
    const int folded = graph.first_derived + 1, own = 1;
    const graph::DerivedParameter expected{
        .kind = graph::DerivedParameter::Kind::kSummedBias,
        .terms = {shortcut_first ? own : folded, shortcut_first ? folded : own}};
    ck_assert(graph.derived[2] == expected);
  }
}
END_TEST

START_TEST(biases_stay_where_a_shortcut_has_another_use) {
  const auto expect_kept = [](const std::function<Value(const Layers&, Value)>& forward) {
    const Graph before = graph::optimize(trace(with_layers(forward)));
    ck_assert_int_gt(convolutions_with_bias(before), 0);
    expect_equal(graph::to_string(graph::merge_biases(before)), graph::to_string(before));
  };
  // it is read again
  expect_kept([](const Layers& l, Value x) {
    const Value shortcut = l.conv(x);
    return (l.bn(l.other(x)) + shortcut) * shortcut;
  });
  // an activation comes before the sum
  expect_kept([](const Layers& l, Value x) { return l.bn(l.other(x)) + graph::relu(l.conv(x)); });
  // it has no bias
  expect_kept([](const Layers& l, Value x) { return l.conv(x) + l.other(x); });
  // nothing adds for both
  expect_kept([](const Layers& l, Value x) { return l.bn(l.other(x)) * l.conv(x); });
  // it is no convolution
  expect_kept([](const Layers& l, Value x) { return l.conv(x) + graph::relu(x); });
}
END_TEST

START_TEST(shortcuts_of_residual_networks_have_no_bias) {
  const auto moved = [](std::string_view builder) {
    const Graph before = graph::optimize(trace(*get_model(builder)->network, 224));
    const Graph after = graph::merge_biases(before);
    expect_sound(after);
    ck_assert_uint_eq(after.nodes.size(), before.nodes.size());
    return convolutions_with_bias(before) - convolutions_with_bias(after);
  };
  for (const char* const builder :
       {"resnet50", "resnext50_32x4d", "wide_resnet50_2", "regnet_y_400mf", "maxvit_t"})
    ck_assert_int_eq(moved(builder), 4);   // of each stage's first block
  ck_assert_int_eq(moved("resnet18"), 3);  // its first stage keeps size and channels
  ck_assert_int_eq(moved("mobilenet_v2"), 0);
}
END_TEST

START_TEST(linear_layers_take_an_activation_or_a_residual) {
  const auto with_linear = [](const std::function<Value(const nn::Linear&, Value)>& forward) {
    return sketch(
        [&](SketchModule& m, Build& build) {
          const auto linear = m.make<nn::Linear>("linear", build, 3, 3);
          return [linear, forward](Value x) { return forward(*linear, head(x)); };
        },
        3);
  };
  const auto layer = [](const Graph& graph) {
    const auto found = std::ranges::find(graph.nodes, Op::kLinear, &graph::Node::op);
    ck_assert(found != graph.nodes.end());
    return *found;
  };
  const auto activation = [&](const Graph& graph) {
    return std::get<graph::FusedAttrs>(layer(graph).attrs).activation;
  };

  const Graph gelu = graph::optimize(
      trace(with_linear([](const nn::Linear& l, Value x) { return graph::gelu(l.forward(x)); })));
  expect_sound(gelu);
  ck_assert_int_eq(count(gelu, Op::kGelu), 0);
  ck_assert(activation(gelu) == graph::Activation::kGelu);

  const Graph sum = graph::optimize(trace(
      with_linear([](const nn::Linear& l, Value x) { return graph::gelu(x + l.forward(x)); })));
  expect_sound(sum);
  ck_assert_int_eq(count(sum, Op::kAdd), 0);
  ck_assert_uint_eq(layer(sum).inputs.size(), 2);
  ck_assert_int_eq(count(sum, Op::kGelu), 1);  // the layer has its residual already
  ck_assert(activation(sum) == graph::Activation::kNone);

  const Graph other_order = graph::optimize(trace(
      with_linear([](const nn::Linear& l, Value x) { return graph::gelu(l.forward(x)) + x; })));
  ck_assert_int_eq(count(other_order, Op::kAdd), 1);
  ck_assert(activation(other_order) == graph::Activation::kGelu);

  // Its second input would be taken for its bias.
  const Graph no_bias = graph::optimize(trace(with_linear([](const nn::Linear& l, Value x) {
    return x + graph::linear(x, l.weight(), graph::kNoParameter);
  })));
  ck_assert_int_eq(count(no_bias, Op::kAdd), 1);
  ck_assert_uint_eq(layer(no_bias).inputs.size(), 1);
}
END_TEST

START_TEST(only_batch_norms_in_front_of_their_convolution_are_left) {
  // ResNet's all follow one; DenseNet's first of a layer follows a concatenation, norm5 the last.
  const auto left = [](std::string_view builder) {
    return count(graph::optimize(trace(*get_model(builder)->network, 64)), Op::kBatchNorm2d);
  };
  ck_assert_int_eq(left("resnet50"), 0);
  ck_assert_int_eq(left("vgg11_bn"), 0);
  ck_assert_int_eq(left("densenet121"), 6 + 12 + 24 + 16 + 3 + 1);
}
END_TEST

START_TEST(optimize_leaves_nothing_to_fuse_in_any_model) {
  std::size_t improved = 0;  // the search finds what it says
  for (const std::string_view builder : available_models()) {
    const auto model = get_model(builder);
    const Graph before = trace(*model->network, std::max(64, model->network->min_size()));
    if (find_fusable(before) >= 0) ++improved;
    const Graph after = graph::optimize(before);
    expect_sound(after);
    const int left = find_fusable(after);
    ck_assert_msg(left < 0, "%s keeps node %d:\n%s", std::string(builder).c_str(), left,
                  graph::to_string(after).c_str());
    ck_assert_int_eq(count(after, Op::kConv2d), count(before, Op::kConv2d));
    ck_assert(after.output_shape() == before.output_shape());
    ck_assert(after.input_shape() == before.input_shape());
  }
  ck_assert_uint_gt(improved, 13);
}
END_TEST

int main() {
  return run_suite(
      "passes", 60, dropout_disappears_wherever_it_stands, a_dropout_at_the_end_disappears,
      batch_norm_folds_into_its_convolution, a_convolution_without_bias_gets_one,
      batch_norm_stays_where_it_cannot_fold, only_the_first_of_two_batch_norms_folds,
      activations_fuse_unless_the_convolution_has_other_readers, a_second_activation_stays,
      quantized_convolutions_and_additions_take_a_relu, quantized_layers_take_nothing_else,
      residuals_fuse_from_either_side, a_residual_that_is_computed_later_is_there_in_time,
      residuals_stay_apart_where_they_must, the_bias_of_a_shortcut_moves_to_the_sum,
      biases_stay_where_a_shortcut_has_another_use, shortcuts_of_residual_networks_have_no_bias,
      linear_layers_take_an_activation_or_a_residual,
      only_batch_norms_in_front_of_their_convolution_are_left,
      optimize_leaves_nothing_to_fuse_in_any_model);
}

#include "model_registry/graph/graph.hpp"

#include <cstddef>
#include <iterator>

namespace tv::graph {
namespace {

// In the order of enum Op.
constexpr std::string_view kOpNames[] = {
    "input",        "conv2d",
    "batch_norm2d", "relu",
    "relu6",        "sigmoid",
    "silu",         "hardswish",
    "hardsigmoid",  "gelu",
    "tanh",         "max_pool2d",
    "avg_pool2d",   "adaptive_avg_pool2d",
    "flatten",      "linear",
    "layer_norm",   "add",
    "mul",          "cat",
    "dropout",      "parameter",
    "constant",     "reshape",
    "permute",      "slice",
    "expand",       "pad",
    "roll",         "mean",
    "index_rows",   "normalize",
    "clamp_max",    "exp",
    "attention",    "quantize",
    "dequantize",   "q_conv2d",
    "q_linear",     "q_add",
    "q_mul",        "q_cat",
    "q_hardswish",
};
static_assert(std::size(kOpNames) == static_cast<std::size_t>(Op::kQHardswish) + 1);

// In the order of enum Activation.
constexpr std::string_view kActivationNames[] = {"",      " relu",      " relu6", " sigmoid",
                                                 " silu", " hardswish", " gelu"};
static_assert(std::size(kActivationNames) == static_cast<std::size_t>(Activation::kGelu) + 1);

template <typename T>
std::string list_text(const std::vector<T>& items) {
  std::string text = "(";
  for (std::size_t i = 0; i < items.size(); ++i) text += (i ? ", " : "") + std::to_string(items[i]);
  return text + ")";
}

std::string pair_text(const std::array<int, 2>& pair) {
  return std::to_string(pair[0]) + "x" + std::to_string(pair[1]);
}

std::string attr_text(const std::monostate&) {
  return "";
}

std::string attr_text(const Conv2dAttrs& a) {
  std::string text = " stride " + pair_text(a.stride) + " padding " + pair_text(a.padding);
  if (a.dilation != std::array{1, 1}) text += " dilation " + pair_text(a.dilation);
  if (a.groups != 1) text += " groups " + std::to_string(a.groups);
  text += kActivationNames[static_cast<std::size_t>(a.activation)];
  return text;
}

std::string attr_text(const NormAttrs& a) {
  return " eps " + std::to_string(a.eps);
}

std::string attr_text(const PoolAttrs& a) {
  return " " + pair_text(a.kernel) + " stride " + pair_text(a.stride) + " padding " +
         pair_text(a.padding) + (a.ceil_mode ? " ceil" : "");
}

std::string attr_text(const OutputSizeAttrs& a) {
  return " to " + pair_text(a.size);
}

std::string attr_text(const AxesAttrs& a) {
  return " axes " + list_text(a.axes);
}

std::string attr_text(const SliceAttrs& a) {
  return " axis " + std::to_string(a.axis) + " from " + std::to_string(a.start) +
         (a.step == 1 ? "" : " step " + std::to_string(a.step));
}

std::string attr_text(const PadAttrs& a) {
  return " before " + list_text(a.before) + " after " + list_text(a.after);
}

std::string attr_text(const RollAttrs& a) {
  return " by " + list_text(a.shifts);
}

std::string attr_text(const ScalarAttrs& a) {
  return " " + std::to_string(a.value);
}

std::string attr_text(const ConstantAttrs&) {
  return "";
}

std::string attr_text(const FusedAttrs& a) {
  return std::string(kActivationNames[static_cast<std::size_t>(a.activation)]);
}

std::string node_text(const Graph& graph, std::size_t id) {
  const Node& node = graph.nodes[id];
  std::string text = "%" + std::to_string(id) + " = " + std::string(op_name(node.op)) + "(";
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    text += (i ? ", %" : "%") + std::to_string(node.inputs[i]);
  for (std::size_t i = 0; i < node.params.size(); ++i) {
    const int param = node.params[i];
    const bool derived = param >= graph.first_derived;
    text += i ? ", " : "; ";
    text += (derived ? "d" : "p") + std::to_string(derived ? param - graph.first_derived : param);
  }
  text += ")" + std::visit([](const auto& attrs) { return attr_text(attrs); }, node.attrs);
  text += " -> " + shape_text(node.shape);
  if (!node.scope.empty()) text += "  " + node.scope;
  return text;
}

}  // namespace

std::string_view op_name(Op op) {
  return kOpNames[static_cast<std::size_t>(op)];
}

Graph without_dead_nodes(Graph graph, int output) {
  const auto count =
      static_cast<std::size_t>(output) + 1;  // inputs have smaller ids than their readers
  std::vector<bool> needed(count, false);
  needed.front() = needed.back() = true;
  for (std::size_t id = count; id-- > 0;) {
    if (!needed[id]) continue;
    for (const int input : graph.nodes[id].inputs) needed[static_cast<std::size_t>(input)] = true;
  }
  Graph result{
      .nodes = {}, .first_derived = graph.first_derived, .derived = std::move(graph.derived)};
  std::vector<int> new_id(count, -1);
  for (std::size_t id = 0; id < count; ++id) {
    if (!needed[id]) continue;
    Node& node = graph.nodes[id];
    for (int& input : node.inputs) input = new_id[static_cast<std::size_t>(input)];
    new_id[id] = static_cast<int>(result.nodes.size());
    result.nodes.push_back(std::move(node));
  }
  return result;
}

std::vector<int> count_readers(const Graph& graph) {
  std::vector<int> readers(graph.nodes.size(), 0);
  for (const Node& node : graph.nodes)
    for (const int input : node.inputs) ++readers[static_cast<std::size_t>(input)];
  ++readers.back();
  return readers;
}

std::string to_string(const Graph& graph) {
  std::string text;
  for (std::size_t id = 0; id < graph.nodes.size(); ++id) text += node_text(graph, id) + "\n";
  return text;
}

}  // namespace tv::graph

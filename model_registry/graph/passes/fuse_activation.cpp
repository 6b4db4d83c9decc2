#include "model_registry/graph/passes/passes.hpp"
#include "model_registry/graph/passes/rewrite.hpp"

namespace tv::graph {
namespace {

// What layers can do on their way out; hardsigmoid is not among it.
Activation activation_of(Op op) {
  switch (op) {
    case Op::kRelu:
      return Activation::kRelu;
    case Op::kRelu6:
      return Activation::kRelu6;
    case Op::kSigmoid:
      return Activation::kSigmoid;
    case Op::kSilu:
      return Activation::kSilu;
    case Op::kHardswish:
      return Activation::kHardswish;
    case Op::kGelu:
      return Activation::kGelu;
    default:
      return Activation::kNone;
  }
}

// A linear layer has either an activation or a residual; int8 operators know relu alone.
bool takes_activation(const Node& node, Activation activation) {
  switch (node.op) {
    case Op::kConv2d:
      return true;
    case Op::kLinear:
      return node.inputs.size() == 1 || node.params.size() == 1;
    case Op::kQConv2d:
    case Op::kQAdd:
      return activation == Activation::kRelu;
    default:
      return false;
  }
}

// Of a node that takes one.
Activation& activation_slot(Node& node) {
  if (auto* const convolution = std::get_if<Conv2dAttrs>(&node.attrs))
    return convolution->activation;
  return std::get<FusedAttrs>(node.attrs).activation;
}

}  // namespace

// The layer stays where it is and keeps its residual; readers of the activation read it instead.
Graph fuse_activation(Graph graph) {
  Rewriter rewriter(std::move(graph));
  for (std::size_t id = 0; id < rewriter.graph.nodes.size(); ++id) {
    const Node& node = rewriter.visit(id);
    const Activation activation = activation_of(node.op);
    if (activation == Activation::kNone) continue;
    const auto before = static_cast<std::size_t>(node.inputs[0]);
    Node& layer = rewriter.graph.nodes[before];
    if (!takes_activation(layer, activation) || rewriter.readers[before] != 1) continue;
    Activation& slot = activation_slot(layer);
    if (slot != Activation::kNone) continue;
    slot = activation;
    rewriter.replace(id, node.inputs[0]);
  }
  return rewriter.finish();
}

}  // namespace tv::graph

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

// Where a node can take up an activation, or nullptr. A linear layer has either that or a residual.
Activation* activation_slot(Node& node) {
  if (node.op == Op::kConv2d) return &std::get<Conv2dAttrs>(node.attrs).activation;
  const bool free = node.op == Op::kLinear && (node.inputs.size() == 1 || node.params.size() == 1);
  return free ? &std::get<FusedAttrs>(node.attrs).activation : nullptr;
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
    Activation* const slot = activation_slot(rewriter.graph.nodes[before]);
    if (!slot || *slot != Activation::kNone || rewriter.readers[before] != 1) continue;
    *slot = activation;
    rewriter.replace(id, node.inputs[0]);
  }
  return rewriter.finish();
}

}  // namespace tv::graph

#include "model_registry/graph/passes/passes.hpp"
#include "model_registry/graph/passes/rewrite.hpp"

namespace tv::graph {
namespace {

// What convolutions can do on their way out; hardsigmoid is not among it.
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

}  // namespace

// The convolution stays where it is and keeps its residual; readers of the activation read it
// instead.
Graph fuse_activation(Graph graph) {
  Rewriter rewriter(std::move(graph));
  for (std::size_t id = 0; id < rewriter.graph.nodes.size(); ++id) {
    const Node& node = rewriter.visit(id);
    const Activation activation = activation_of(node.op);
    if (activation == Activation::kNone) continue;
    const int conv_id = node.inputs[0];
    Node& conv = rewriter.graph.nodes[static_cast<std::size_t>(conv_id)];
    if (conv.op != Op::kConv2d || rewriter.readers[static_cast<std::size_t>(conv_id)] != 1)
      continue;
    auto& attrs = std::get<Conv2dAttrs>(conv.attrs);
    if (attrs.activation != Activation::kNone) continue;
    attrs.activation = activation;
    rewriter.replace(id, conv_id);
  }
  return rewriter.finish();
}

}  // namespace tv::graph

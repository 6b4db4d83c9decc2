#include "model_registry/graph/passes/passes.hpp"
#include "model_registry/graph/passes/rewrite.hpp"

namespace tv::graph {

// The convolution stays where it is and keeps its residual; readers of the activation read it
// instead.
Graph fuse_activation(Graph graph) {
  Rewriter rewriter(std::move(graph));
  for (std::size_t id = 0; id < rewriter.graph.nodes.size(); ++id) {
    const Node& node = rewriter.visit(id);
    if (node.op != Op::kRelu && node.op != Op::kRelu6) continue;
    const int conv_id = node.inputs[0];
    Node& conv = rewriter.graph.nodes[static_cast<std::size_t>(conv_id)];
    if (conv.op != Op::kConv2d || rewriter.readers[static_cast<std::size_t>(conv_id)] != 1)
      continue;
    auto& attrs = std::get<Conv2dAttrs>(conv.attrs);
    if (attrs.activation != Activation::kNone) continue;
    attrs.activation = node.op == Op::kRelu ? Activation::kRelu : Activation::kRelu6;
    rewriter.replace(id, conv_id);
  }
  return rewriter.finish();
}

}  // namespace tv::graph

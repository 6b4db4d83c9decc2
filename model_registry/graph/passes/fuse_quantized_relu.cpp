#include "model_registry/graph/passes/passes.hpp"
#include "model_registry/graph/passes/rewrite.hpp"

namespace tv::graph {
namespace {

// Where a node can take up an activation, or nullptr.
Activation* activation_slot(Node& node) {
  if (node.op == Op::kQConv2d) return &std::get<Conv2dAttrs>(node.attrs).activation;
  if (node.op == Op::kQAdd) return &std::get<FusedAttrs>(node.attrs).activation;
  return nullptr;
}

}  // namespace

Graph fuse_quantized_relu(Graph graph) {
  Rewriter rewriter(std::move(graph));
  for (std::size_t id = 0; id < rewriter.graph.nodes.size(); ++id) {
    const Node& node = rewriter.visit(id);
    if (node.op != Op::kRelu) continue;
    const auto before = static_cast<std::size_t>(node.inputs[0]);
    Activation* const slot = activation_slot(rewriter.graph.nodes[before]);
    if (!slot || *slot != Activation::kNone || rewriter.readers[before] != 1) continue;
    *slot = Activation::kRelu;
    rewriter.replace(id, node.inputs[0]);
  }
  return rewriter.finish();
}

}  // namespace tv::graph

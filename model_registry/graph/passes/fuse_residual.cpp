#include "model_registry/graph/passes/passes.hpp"
#include "model_registry/graph/passes/rewrite.hpp"

namespace tv::graph {

// The fused node takes the place of the addition: by then both of its inputs are there.
Graph fuse_residual(Graph graph) {
  Rewriter rewriter(std::move(graph));
  for (std::size_t id = 0; id < rewriter.graph.nodes.size(); ++id) {
    Node& sum = rewriter.visit(id);
    if (sum.op != Op::kAdd || sum.inputs[0] == sum.inputs[1]) continue;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      const Node* layer = rewriter.open_layer(sum.inputs[side]);
      const int other = sum.inputs[1 - side];
      if (!layer || layer->shape != sum.shape ||
          rewriter.graph.nodes[static_cast<std::size_t>(other)].shape != sum.shape)
        continue;
      Node fused = *layer;
      fused.inputs.push_back(other);
      sum = std::move(fused);
      break;
    }
  }
  return rewriter.finish();
}

}  // namespace tv::graph

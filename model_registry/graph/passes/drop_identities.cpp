#include "model_registry/graph/passes/passes.hpp"
#include "model_registry/graph/passes/rewrite.hpp"

namespace tv::graph {

Graph drop_identities(Graph graph) {
  Rewriter rewriter(std::move(graph));
  for (std::size_t id = 0; id < rewriter.graph.nodes.size(); ++id) {
    const Node& node = rewriter.visit(id);
    if (node.op == Op::kDropout) rewriter.replace(id, node.inputs[0]);
  }
  return rewriter.finish();
}

}  // namespace tv::graph

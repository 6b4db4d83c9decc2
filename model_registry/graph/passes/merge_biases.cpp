#include "model_registry/graph/passes/passes.hpp"
#include "model_registry/graph/passes/rewrite.hpp"

namespace tv::graph {

// A channel's bias is the same number everywhere, so either of two convolutions can add both.
Graph merge_biases(Graph graph) {
  Rewriter rewriter(std::move(graph));
  for (std::size_t id = 0; id < rewriter.graph.nodes.size(); ++id) {
    Node& sum = rewriter.visit(id);
    if (sum.op != Op::kConv2d || sum.inputs.size() != 2 || sum.params.size() != 2) continue;
    if (!rewriter.open_convolution(sum.inputs[1])) continue;
    Node& residual = rewriter.graph.nodes[static_cast<std::size_t>(sum.inputs[1])];
    if (residual.params.size() != 2) continue;
    sum.params[1] = rewriter.derive({.kind = DerivedParameter::Kind::kSummedBias,
                                     .terms = {sum.params[1], residual.params[1]}});
    residual.params.pop_back();
  }
  return rewriter.finish();
}

}  // namespace tv::graph

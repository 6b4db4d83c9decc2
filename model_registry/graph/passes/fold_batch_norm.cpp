#include "model_registry/graph/passes/passes.hpp"
#include "model_registry/graph/passes/rewrite.hpp"

namespace tv::graph {

Graph fold_batch_norm(Graph graph) {
  Rewriter rewriter(std::move(graph));
  for (std::size_t id = 0; id < rewriter.graph.nodes.size(); ++id) {
    Node& norm = rewriter.visit(id);
    if (norm.op != Op::kBatchNorm2d) continue;
    const Node* conv = rewriter.open_convolution(norm.inputs[0]);
    if (!conv || conv->params[0] >= rewriter.graph.first_derived) continue;
    DerivedParameter weight{.kind = DerivedParameter::Kind::kFoldedWeight,
                            .weight = conv->params[0],
                            .bias = conv->params.size() > 1 ? conv->params[1] : -1,
                            .gamma = norm.params[0],
                            .beta = norm.params[1],
                            .mean = norm.params[2],
                            .variance = norm.params[3],
                            .eps = std::get<NormAttrs>(norm.attrs).eps};
    DerivedParameter bias = weight;
    bias.kind = DerivedParameter::Kind::kFoldedBias;
    Node folded = *conv;
    folded.params = {rewriter.derive(weight), rewriter.derive(bias)};
    norm = std::move(folded);
  }
  return rewriter.finish();
}

}  // namespace tv::graph

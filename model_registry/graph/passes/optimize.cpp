#include <utility>

#include "model_registry/graph/passes/passes.hpp"

namespace tv::graph {

Graph optimize(Graph graph) {
  graph =
      drop_identities(std::move(graph));  // a dropout would hide a pair that the others look for
  graph = fold_batch_norm(std::move(graph));
  graph = fuse_residual(std::move(graph));
  return fuse_activation(std::move(graph));
}

}  // namespace tv::graph

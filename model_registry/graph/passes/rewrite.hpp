// What the passes share: reading a graph while rewiring it.
#pragma once

#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "model_registry/graph/graph.hpp"

namespace tv::graph {

/// Edits the nodes of a graph in order. Nodes that nobody reads any more disappear in finish().
class Rewriter {
 public:
  explicit Rewriter(Graph start)
      : graph(std::move(start)), readers(count_readers(graph)), replacement_(readers.size()) {
    std::iota(replacement_.begin(), replacement_.end(), 0);
  }

  /// Points the inputs of a node at what replaced them; call it before looking at the node.
  Node& visit(std::size_t id) {
    Node& node = graph.nodes[id];
    for (int& input : node.inputs) input = replacement_[static_cast<std::size_t>(input)];
    return node;
  }

  /// From now on the readers of `id` read `other` (smaller than `id`) instead.
  void replace(std::size_t id, int other) { replacement_[id] = other; }

  /// The convolution `id`, if this reader is its only one and nothing follows inside it: other work
  /// may move into it.
  const Node* open_convolution(int id) const {
    const Node& node = graph.nodes[static_cast<std::size_t>(id)];
    if (node.op != Op::kConv2d || node.inputs.size() != 1) return nullptr;
    if (readers[static_cast<std::size_t>(id)] != 1) return nullptr;
    return std::get<Conv2dAttrs>(node.attrs).activation == Activation::kNone ? &node : nullptr;
  }

  /// The same for nodes that can add a residual: a convolution, or a linear layer that has its bias
  /// (as the second input of one without would be taken for its bias).
  const Node* open_layer(int id) const {
    const Node& node = graph.nodes[static_cast<std::size_t>(id)];
    if (node.op != Op::kLinear) return open_convolution(id);
    if (node.inputs.size() != 1 || node.params.size() != 2) return nullptr;
    if (readers[static_cast<std::size_t>(id)] != 1) return nullptr;
    return std::get<FusedAttrs>(node.attrs).activation == Activation::kNone ? &node : nullptr;
  }

  /// The id of a parameter that is computed from others.
  int derive(const DerivedParameter& derived) {
    graph.derived.push_back(derived);
    return graph.first_derived + static_cast<int>(graph.derived.size()) - 1;
  }

  Graph finish() { return without_dead_nodes(std::move(graph), replacement_.back()); }

  Graph graph;
  std::vector<int> readers;  ///< of the graph as it was given

 private:
  std::vector<int> replacement_;
};

}  // namespace tv::graph

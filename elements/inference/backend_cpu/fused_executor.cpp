#include <variant>

#include "elements/inference/backend_cpu/executor.hpp"
#include "elements/inference/backend_cpu/fused_conv.hpp"
#include "elements/inference/backend_cpu/fused_linear.hpp"
#include "model_registry/graph/passes/passes.hpp"

namespace tv::inference {
namespace {

using at::Tensor;
using graph::Op;

/// What a node keeps from run to run.
using Layer = std::variant<std::vector<Tensor>,  // its parameters, for plain operators
                           FusedConv, FusedLinear>;

Layer prepare(const graph::Node& node, const Shape& input, std::vector<Tensor> params) {
  if (node.op == Op::kConv2d) return prepare_conv(node, input, params);
  if (node.op == Op::kLinear && worth_fusing(input)) return prepare_linear(node, input, params);
  return params;
}

struct Prepared {
  std::vector<Layer> layers;
  std::vector<std::vector<Tensor>> fixed_params;  // of the nodes that run once
};

// One node after the other: a folded weight is gone when it is reordered, before the next is made.
Result<Prepared> prepare_nodes(const graph::Graph& graph, const Parameters& parameters,
                               const CancelCheck& cancelled) {
  Prepared prepared{std::vector<Layer>(graph.nodes.size()),
                    std::vector<std::vector<Tensor>>(graph.nodes.size())};
  const std::vector<bool> fixed = fixed_nodes(graph);
  for (std::size_t id = 1; id < graph.nodes.size(); ++id) {
    TV_RETURN_IF_ERROR(check_cancelled(cancelled, "preparing a network"));
    const graph::Node& node = graph.nodes[id];
    std::vector<Tensor> params = node_parameters(graph, node, parameters);
    if (fixed[id]) {
      prepared.fixed_params[id] = std::move(params);
    } else {
      const graph::Node& input = graph.nodes[static_cast<std::size_t>(node.inputs[0])];
      prepared.layers[id] = prepare(node, input.shape, std::move(params));
    }
  }
  return prepared;
}

class FusedExecutor final : public GraphExecutor {
 public:
  /// `graph`: optimised.
  FusedExecutor(graph::Graph graph, Prepared prepared)
      : graph_(std::move(graph)),
        prepared_(std::move(prepared)),
        values_(graph_, prepared_.fixed_params) {}

  Tensor run(const Tensor& input) override {
    values_.begin(input.contiguous(at::MemoryFormat::ChannelsLast));
    for (std::size_t id = 1; id < graph_.nodes.size(); ++id) {
      if (values_.is_fixed(id)) continue;
      values_.set(id, run_node(id));
      values_.drop_dead(id);
    }
    return values_.take_output().contiguous();
  }

 private:
  Tensor run_node(std::size_t id) const {
    const graph::Node& node = graph_.nodes[id];
    const Layer& layer = prepared_.layers[id];
    if (const auto* conv = std::get_if<FusedConv>(&layer)) return run_conv(id, *conv);
    const std::vector<Tensor> inputs = values_.inputs(node);
    if (const auto* linear = std::get_if<FusedLinear>(&layer))
      return inference::run(*linear, inputs);
    // The kernel has no factors; moved into the queries they would cost digits, being up to 100.
    if (node.op == Op::kAttention && inputs.size() <= 4) return fused_attention(node, inputs);
    return run_plain(node, inputs, std::get<0>(layer));
  }

  Tensor run_conv(std::size_t id, const FusedConv& conv) const {
    const graph::Node& node = graph_.nodes[id];
    const Tensor& x = values_.get(node.inputs[0]);
    if (node.inputs.size() == 1) return inference::run(conv, x);
    const bool may_overwrite = node.inputs[0] != node.inputs[1] && values_.last_use(graph_, id, 1);
    return inference::run(conv, x, values_.get(node.inputs[1]), may_overwrite);
  }

  graph::Graph graph_;
  Prepared prepared_;
  Values values_;
};

}  // namespace

Result<std::unique_ptr<GraphExecutor>> make_fused_executor(graph::Graph graph,
                                                           const Parameters& parameters,
                                                           const CancelCheck& cancelled) {
  graph = graph::optimize(std::move(graph));
  TV_ASSIGN_OR_RETURN(Prepared prepared, prepare_nodes(graph, parameters, cancelled));
  return std::unique_ptr<GraphExecutor>(
      std::make_unique<FusedExecutor>(std::move(graph), std::move(prepared)));
}

}  // namespace tv::inference

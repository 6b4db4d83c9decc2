// Executors turn one graph into calls of LibTorch. Call inside guarded().
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "elements/inference/backend_torch/parameters.hpp"
#include "model_registry/graph/graph.hpp"

namespace tv::inference {

/// One graph (one input shape) ready to run. One thread at a time.
class GraphExecutor {
 public:
  virtual ~GraphExecutor() = default;
  /// input: float32, contiguous, of the graph's input shape; it is not written to. Returns
  /// contiguous logits.
  virtual at::Tensor run(const at::Tensor& input) = 0;
};

/// Plain operators in float32, one by one, contiguous: the oracle. Shares the parameters.
std::unique_ptr<GraphExecutor> make_reference_executor(graph::Graph graph,
                                                       const Parameters& parameters);

/// One node by plain operators that keep the memory format of their input. `params` as Node::params
/// lists them.
at::Tensor run_plain(const graph::Node& node, std::span<const at::Tensor> inputs,
                     std::span<const at::Tensor> params);

/// An activation by its plain operator.
at::Tensor activate(const at::Tensor& x, graph::Activation activation);

/// The bias as LibTorch's fused attention takes it for queries `q` [..., heads, L, D]: [N, heads,
/// L, keys], in the memory of `bias` unless strides cannot repeat it. The rows of `bias` may be
/// longer than `keys`, and are as long in a copy; what is beyond does not count.
at::Tensor attention_bias(const at::Tensor& bias, const at::Tensor& q, std::int64_t keys);

/// softmax(factor * q k^T + bias) v of a kAttention node without factors of its own, by LibTorch's
/// fused kernel. The bias may have longer rows: see attention_bias().
at::Tensor fused_attention(const graph::Node& node, std::span<const at::Tensor> inputs);

/// Parameters of one node in the order of Node::params; derived ones are computed and new.
std::vector<at::Tensor> node_parameters(const graph::Graph& graph, const graph::Node& node,
                                        const Parameters& parameters);

/// The same for every node: resolved[node].
std::vector<std::vector<at::Tensor>> resolve_parameters(const graph::Graph& graph,
                                                        const Parameters& parameters);

/// Nodes that depend on parameters and constants alone.
std::vector<bool> fixed_nodes(const graph::Graph& graph);

/// The results of a run, each dropped after its last reader. What depends on parameters and
/// constants alone is computed once, at construction, and stays.
class Values {
 public:
  /// `params` as resolve_parameters() returns them; those of fixed nodes are read, and only they.
  /// `place` is where and in which type a fixed result is kept that the run reads: identity if
  /// empty.
  Values(const graph::Graph& graph, const std::vector<std::vector<at::Tensor>>& params,
         const std::function<at::Tensor(const at::Tensor&)>& place = {});
  void begin(const at::Tensor& input);
  /// Known since construction: not to be run.
  bool is_fixed(std::size_t node) const { return fixed_[node]; }
  void set(std::size_t node, at::Tensor value) { values_[node] = std::move(value); }
  const at::Tensor& get(int node) const { return values_[static_cast<std::size_t>(node)]; }
  /// True when `node` is the last reader of its input `which`, and that is neither the graph's
  /// input nor fixed: it may be written to.
  bool last_use(const graph::Graph& graph, std::size_t node, std::size_t which) const;
  std::vector<at::Tensor> inputs(const graph::Node& node) const;
  void drop_dead(std::size_t node);
  at::Tensor take_output();

 private:
  void compute_fixed(const graph::Graph& graph, const std::vector<std::vector<at::Tensor>>& params);

  std::vector<at::Tensor> values_;
  std::vector<bool> fixed_;
  std::vector<std::vector<int>> dead_after_;  // node -> results that nobody reads later
  std::vector<std::size_t> last_reader_;
};

}  // namespace tv::inference

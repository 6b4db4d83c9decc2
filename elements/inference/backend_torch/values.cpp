#include <algorithm>

#include "elements/inference/backend_torch/executor.hpp"

namespace tv::inference {

std::vector<bool> fixed_nodes(const graph::Graph& graph) {
  std::vector<bool> fixed(graph.nodes.size());
  for (std::size_t id = 1; id < graph.nodes.size(); ++id) {
    const std::vector<int>& inputs = graph.nodes[id].inputs;
    fixed[id] = std::all_of(inputs.begin(), inputs.end(),
                            [&](int input) { return fixed[static_cast<std::size_t>(input)]; });
  }
  return fixed;
}

Values::Values(const graph::Graph& graph, const std::vector<std::vector<at::Tensor>>& params,
               const std::function<at::Tensor(const at::Tensor&)>& place)
    : values_(graph.nodes.size()),
      fixed_(fixed_nodes(graph)),
      dead_after_(graph.nodes.size()),
      last_reader_(graph.nodes.size()) {
  for (std::size_t id = 0; id < graph.nodes.size(); ++id)
    for (const int input : graph.nodes[id].inputs)
      last_reader_[static_cast<std::size_t>(input)] = id;
  compute_fixed(graph, params);
  if (place)
    for (at::Tensor& value : values_)
      if (value.defined()) value = place(value);
  for (std::size_t id = 0; id + 1 < graph.nodes.size(); ++id)
    if (!fixed_[id]) dead_after_[last_reader_[id]].push_back(static_cast<int>(id));
}

void Values::compute_fixed(const graph::Graph& graph,
                           const std::vector<std::vector<at::Tensor>>& params) {
  std::vector<bool> read_later(graph.nodes.size());  // by a node that runs for every input
  for (std::size_t id = 1; id < graph.nodes.size(); ++id) {
    const graph::Node& node = graph.nodes[id];
    if (fixed_[id]) {
      values_[id] = run_plain(node, inputs(node), params[id]);
    } else {
      for (const int input : node.inputs) read_later[static_cast<std::size_t>(input)] = true;
    }
  }
  for (std::size_t id = 0; id + 1 < graph.nodes.size(); ++id)
    if (!read_later[id]) values_[id].reset();
}

void Values::begin(const at::Tensor& input) {
  values_.front() = input;
}

bool Values::last_use(const graph::Graph& graph, std::size_t node, std::size_t which) const {
  const auto input = static_cast<std::size_t>(graph.nodes[node].inputs[which]);
  return input != 0 && !fixed_[input] && last_reader_[input] == node;
}

std::vector<at::Tensor> Values::inputs(const graph::Node& node) const {
  std::vector<at::Tensor> tensors;
  tensors.reserve(node.inputs.size());
  for (const int input : node.inputs) tensors.push_back(get(input));
  return tensors;
}

void Values::drop_dead(std::size_t node) {
  for (const int id : dead_after_[node]) values_[static_cast<std::size_t>(id)].reset();
}

at::Tensor Values::take_output() {
  at::Tensor output = values_.back();
  for (std::size_t id = 0; id < values_.size(); ++id)
    if (!fixed_[id]) values_[id].reset();
  return output;
}

}  // namespace tv::inference

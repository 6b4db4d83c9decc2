#include "elements/inference/backend_torch/executor.hpp"

namespace tv::inference {
namespace {

class ReferenceExecutor final : public GraphExecutor {
 public:
  ReferenceExecutor(graph::Graph graph, const Parameters& parameters)
      : graph_(std::move(graph)),
        params_(resolve_parameters(graph_, parameters)),
        values_(graph_, params_) {}

  at::Tensor run(const at::Tensor& input) override {
    values_.begin(input);
    for (std::size_t id = 1; id < graph_.nodes.size(); ++id) {
      if (values_.is_fixed(id)) continue;
      const graph::Node& node = graph_.nodes[id];
      values_.set(id, run_plain(node, values_.inputs(node), params_[id]));
      values_.drop_dead(id);
    }
    return values_.take_output().contiguous();
  }

 private:
  graph::Graph graph_;
  std::vector<std::vector<at::Tensor>> params_;
  Values values_;
};

}  // namespace

std::unique_ptr<GraphExecutor> make_reference_executor(graph::Graph graph,
                                                       const Parameters& parameters) {
  return std::make_unique<ReferenceExecutor>(std::move(graph), parameters);
}

}  // namespace tv::inference

#include "elements/inference/backend_cpu/model.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/from_blob.h>

#include <cstring>
#include <functional>
#include <list>
#include <numeric>
#include <set>

#include "elements/inference/backend_cpu/executor.hpp"
#include "elements/inference/backend_cpu/quantize.hpp"
#include "elements/inference/backend_torch/guarded.hpp"
#include "elements/inference/backend_torch/random_init.hpp"
#include "model_registry/graph/passes/passes.hpp"

namespace tv::inference {
namespace {

// Input shapes that stay prepared. Each holds a copy of the weights in its own layout.
constexpr std::size_t kPreparedShapes = 4;

// Everything that holds tensors: freed inside guarded() alone, or not at all.
struct State {
  Parameters parameters;
  struct Prepared {
    Shape shape;
    std::unique_ptr<GraphExecutor> executor;
  };
  std::list<Prepared> prepared;  // most recently used first
  // Shapes that ran. Another one may be the first to need an operator, as padding is needed for
  // some sizes only.
  std::set<Shape> known;
};

class CpuModel final : public LoadedModel {
 public:
  CpuModel(const LoadRequest& request, std::unique_ptr<State> state)
      : network_(request.network),
        kind_(request.executor),
        passes_(request.passes),
        state_(std::move(state)) {}

  ~CpuModel() override {
    const Status freed = guarded("closing a model", [&]() -> Status {
      state_.reset();
      return {};
    });
    if (!freed) static_cast<void>(state_.release());  // LibTorch is going away: leave it the memory
  }

  Status prepare(const Shape& shape, const CancelCheck& cancelled) override {
    return guarded("preparing " + network_->builder(), [&]() -> Status {
      TV_RETURN_IF_ERROR(executor_for(shape, cancelled));
      arm_exit_gate();
      return {};
    });
  }

  Result<std::vector<float>> run(std::span<const float> input, const Shape& shape) override {
    return guarded("running " + network_->builder(), [&]() -> Result<std::vector<float>> {
      TV_RETURN_IF_ERROR(check_input(input, shape));
      TV_ASSIGN_OR_RETURN(GraphExecutor* const executor, executor_for(shape, {}));
      // from_blob wants a mutable pointer; executors do not write to their input.
      const at::Tensor x = at::from_blob(const_cast<float*>(input.data()), shape, at::kFloat);
      const at::Tensor logits = executor->run(x);
      const float* const data = logits.const_data_ptr<float>();
      if (state_->known.insert(shape).second) arm_exit_gate();
      return std::vector<float>(data, data + logits.numel());
    });
  }

  Result<std::vector<std::pair<std::string, TensorView>>> state_dict() override {
    return guarded("reading the parameters of " + network_->builder(),
                   [&]() -> Result<std::vector<std::pair<std::string, TensorView>>> {
                     return parameter_views(*network_, state_->parameters);
                   });
  }

 private:
  Status check_input(std::span<const float> input, const Shape& shape) const {
    const std::int64_t wanted =
        std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
    if (shape.size() == 4 && static_cast<std::int64_t>(input.size()) == wanted) return {};
    return Error{Code::kInvalidArgument,
                 network_->builder() + ": input of " + std::to_string(input.size()) +
                     " numbers for shape " + shape_text(shape),
                 "expected [N, 3, H, W] and as many numbers"};
  }

  Result<GraphExecutor*> executor_for(const Shape& shape, const CancelCheck& cancelled) {
    auto& prepared = state_->prepared;
    for (auto entry = prepared.begin(); entry != prepared.end(); ++entry) {
      if (entry->shape != shape) continue;
      prepared.splice(prepared.begin(), prepared, entry);
      return prepared.front().executor.get();
    }
    TV_ASSIGN_OR_RETURN(graph::Graph graph, network_->trace(shape));
    if (kind_ == Executor::kReference && passes_) graph = passes_(std::move(graph));
    TV_ASSIGN_OR_RETURN(auto executor, make_executor(std::move(graph), cancelled));
    prepared.push_front({shape, std::move(executor)});
    if (prepared.size() > kPreparedShapes) prepared.pop_back();
    return prepared.front().executor.get();
  }

  Result<std::unique_ptr<GraphExecutor>> make_executor(graph::Graph graph,
                                                       const CancelCheck& cancelled) const {
    if (network_->int8()) {
      if (kind_ == Executor::kFused) graph = graph::optimize(std::move(graph));
      return make_quantized_executor(std::move(graph), state_->parameters, network_->backend(),
                                     cancelled);
    }
    if (kind_ == Executor::kReference)
      return make_reference_executor(std::move(graph), state_->parameters);
    return make_fused_executor(std::move(graph), state_->parameters, cancelled);
  }

  std::shared_ptr<const graph::Network> network_;
  Executor kind_;
  graph::Graph (*passes_)(graph::Graph);
  std::unique_ptr<State> state_;
};

Result<Parameters> random_int8_parameters(const graph::Network& network, std::uint64_t seed,
                                          const CancelCheck& cancelled) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  TV_ASSIGN_OR_RETURN(const Parameters floats,
                      random_parameters(*network.source(), generator, cancelled));
  return network.source()->form() == graph::Form::kQuantizationAware
             ? converted_parameters(network, floats, cancelled)
             : calibrated_parameters(network, floats, generator, cancelled);
}

Result<Parameters> parameters_of(const LoadRequest& request) {
  const graph::Network& network = *request.network;
  if (!request.tensors) {
    if (network.int8()) return random_int8_parameters(network, request.seed, request.cancelled);
    return random_parameters(network, at::detail::createCPUGenerator(request.seed),
                             request.cancelled);
  }
  const graph::Network& file = graph::bound_network(*request.tensors, network);
  if (&file == &network)
    return bound_parameters(network, *request.tensors, request.without_values, request.cancelled);
  TV_ASSIGN_OR_RETURN(
      const Parameters floats,
      bound_parameters(file, *request.tensors, request.without_values, request.cancelled));
  return converted_parameters(network, floats, request.cancelled);
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> load_cpu_model(const LoadRequest& request) {
  using Loaded = std::unique_ptr<LoadedModel>;
  return guarded("loading " + request.network->builder(), [&]() -> Result<Loaded> {
    auto state = std::make_unique<State>();
    TV_ASSIGN_OR_RETURN(state->parameters, parameters_of(request));
    arm_exit_gate();
    return Loaded(std::make_unique<CpuModel>(request, std::move(state)));
  });
}

}  // namespace tv::inference

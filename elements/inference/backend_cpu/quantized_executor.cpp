// int8 networks by LibTorch's quantised operators. Packing and the operators that have a scale live
// in the dispatcher alone, without C++ headers.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/native/quantized/PackedParams.h>
#include <ATen/ops/quantize_per_tensor.h>

#include <functional>
#include <numeric>

#include "elements/inference/backend_cpu/executor.hpp"
#include "elements/inference/backend_cpu/openmp_team.hpp"
#include "elements/inference/backend_cpu/quantized_engine.hpp"
#include "model_registry/graph/passes/passes.hpp"

namespace tv::inference {
namespace {

using at::Tensor;
using graph::Activation;
using graph::Op;
using Packed2d = c10::intrusive_ptr<ConvPackedParamsBase<2>>;
using PackedLinear = c10::intrusive_ptr<LinearPackedParamsBase>;
using Integers = c10::List<std::int64_t>;

using PrepackConvFn = Packed2d(Tensor, std::optional<Tensor>, Integers, Integers, Integers,
                               std::int64_t);
using PrepackLinearFn = PackedLinear(Tensor, std::optional<Tensor>);
using BinaryFn = Tensor(Tensor, Tensor, double, std::int64_t);
using HardswishFn = Tensor(const Tensor&, double, std::int64_t);

template <typename F>
c10::TypedOperatorHandle<F> find_operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<F>();
}

struct Operators {
  c10::TypedOperatorHandle<PrepackConvFn> prepack_conv =
      find_operator<PrepackConvFn>("quantized::conv2d_prepack");
  c10::TypedOperatorHandle<PrepackLinearFn> prepack_linear =
      find_operator<PrepackLinearFn>("quantized::linear_prepack");
  c10::TypedOperatorHandle<BinaryFn> add = find_operator<BinaryFn>("quantized::add");
  c10::TypedOperatorHandle<BinaryFn> add_relu = find_operator<BinaryFn>("quantized::add_relu");
  c10::TypedOperatorHandle<BinaryFn> multiply = find_operator<BinaryFn>("quantized::mul");
  // Boxed: the unboxed call does not find the kernel by the tensors in a c10::List.
  c10::OperatorHandle cat = c10::Dispatcher::singleton().findSchemaOrThrow("quantized::cat", "");
  c10::TypedOperatorHandle<HardswishFn> hardswish =
      find_operator<HardswishFn>("quantized::hardswish");
};

const Operators& operators() {
  static const auto* const kOperators = new Operators;  // outlives every static object
  return *kOperators;
}

// What a node of an int8 operator needs, read once.
struct Prepared {
  double scale = 1;
  std::int64_t zero_point = 0;
  Packed2d conv;
  PackedLinear linear;
};

Integers list(const std::array<int, 2>& pair) {
  return Integers({pair[0], pair[1]});
}

bool has_qparams(Op op) {
  switch (op) {
    case Op::kQuantize:
    case Op::kQConv2d:
    case Op::kQLinear:
    case Op::kQAdd:
    case Op::kQMultiply:
    case Op::kQConcat:
    case Op::kQHardswish:
      return true;
    default:
      return false;
  }
}

Prepared prepare(const graph::Node& node, const std::vector<Tensor>& params) {
  Prepared prepared;
  prepared.zero_point = params.back().item<std::int64_t>();
  prepared.scale = params[params.size() - 2].item<float>();
  if (node.op == Op::kQConv2d) {
    const auto& attrs = std::get<graph::Conv2dAttrs>(node.attrs);
    prepared.conv =
        operators().prepack_conv.call(params[0], params[1], list(attrs.stride), list(attrs.padding),
                                      list(attrs.dilation), attrs.groups);
  }
  if (node.op == Op::kQLinear)
    prepared.linear = operators().prepack_linear.call(params[0], params[1]);
  return prepared;
}

Tensor conv2d(const graph::Node& node, const Prepared& p, const Tensor& x) {
  const bool relu = std::get<graph::Conv2dAttrs>(node.attrs).activation == Activation::kRelu;
  return relu ? p.conv->apply_relu(x, p.scale, p.zero_point)
              : p.conv->apply(x, p.scale, p.zero_point);
}

Tensor add(const graph::Node& node, const Prepared& p, const std::vector<Tensor>& inputs) {
  const bool relu = std::get<graph::FusedAttrs>(node.attrs).activation == Activation::kRelu;
  const auto& add_operator = relu ? operators().add_relu : operators().add;
  return add_operator.call(inputs[0], inputs[1], p.scale, p.zero_point);
}

Tensor cat(const graph::Node& node, const Prepared& p, const std::vector<Tensor>& inputs) {
  const std::int64_t axis = std::get<graph::AxesAttrs>(node.attrs).axes.front();
  torch::jit::Stack stack = {c10::List<Tensor>(inputs), axis, p.scale, p.zero_point};
  operators().cat.callBoxed(stack);
  return stack.front().toTensor();
}

// LibTorch's mean of quantised values fails where all that disappears is of size 1; then it is the
// identity.
Tensor mean(const graph::Node& node, const std::vector<Tensor>& inputs) {
  const std::int64_t count = inputs[0].numel();
  const std::int64_t left =
      std::accumulate(node.shape.begin(), node.shape.end(), std::int64_t{1}, std::multiplies<>());
  return count == left ? inputs[0].reshape(node.shape) : run_plain(node, inputs, {});
}

Tensor run_quantized(const graph::Node& node, const Prepared& p,
                     const std::vector<Tensor>& inputs) {
  switch (node.op) {
    case Op::kQuantize:
      return at::quantize_per_tensor(inputs[0], p.scale, p.zero_point, at::kQUInt8);
    case Op::kQConv2d:
      return conv2d(node, p, inputs[0]);
    case Op::kQLinear:
      return p.linear->apply(inputs[0], p.scale, p.zero_point);
    case Op::kQAdd:
      return add(node, p, inputs);
    case Op::kQMultiply:
      return operators().multiply.call(inputs[0], inputs[1], p.scale, p.zero_point);
    case Op::kQConcat:
      return cat(node, p, inputs);
    case Op::kQHardswish:
      return operators().hardswish.call(inputs[0], p.scale, p.zero_point);
    default:
      TORCH_CHECK(false, "no int8 operator for ", graph::op_name(node.op));
  }
}

/// The nodes that have a scale; what is packed of `params` is cleared.
Result<std::vector<std::optional<Prepared>>> prepare_nodes(const graph::Graph& graph,
                                                           at::QEngine engine,
                                                           std::vector<std::vector<Tensor>>& params,
                                                           const CancelCheck& cancelled) {
  const EngineLease lease(engine);
  std::vector<std::optional<Prepared>> prepared(graph.nodes.size());
  for (std::size_t id = 0; id < graph.nodes.size(); ++id) {
    TV_RETURN_IF_ERROR(check_cancelled(cancelled, "preparing a network"));
    if (!has_qparams(graph.nodes[id].op)) continue;
    prepared[id] = prepare(graph.nodes[id], params[id]);
    params[id].clear();
  }
  return prepared;
}

class QuantizedExecutor final : public GraphExecutor {
 public:
  QuantizedExecutor(graph::Graph graph, at::QEngine engine, std::vector<std::vector<Tensor>> params,
                    std::vector<std::optional<Prepared>> prepared)
      : graph_(std::move(graph)),
        engine_(engine),
        params_(std::move(params)),
        prepared_(std::move(prepared)),
        values_(graph_, params_) {}

  Tensor run(const Tensor& input) override {
    const EngineLease lease(engine_);
    // QNNPACK has threads of its own, which would share their cores with a team that spins: on two
    // cores MobileNetV3 then takes nine times as long.
    const WithoutOpenMpTeam alone(engine_ == at::QEngine::QNNPACK);
    values_.begin(input.contiguous(at::MemoryFormat::ChannelsLast));
    for (std::size_t id = 1; id < graph_.nodes.size(); ++id) {
      if (values_.is_fixed(id)) continue;
      const std::vector<Tensor> inputs = values_.inputs(graph_.nodes[id]);
      values_.set(id, run_node(id, inputs));
      values_.drop_dead(id);
    }
    return values_.take_output().contiguous();
  }

 private:
  Tensor run_node(std::size_t id, const std::vector<Tensor>& inputs) const {
    const graph::Node& node = graph_.nodes[id];
    if (prepared_[id]) return run_quantized(node, *prepared_[id], inputs);
    return node.op == Op::kMean ? mean(node, inputs) : run_plain(node, inputs, params_[id]);
  }

  graph::Graph graph_;
  at::QEngine engine_;
  std::vector<std::vector<Tensor>> params_;
  std::vector<std::optional<Prepared>> prepared_;
  Values values_;
};

}  // namespace

Result<std::unique_ptr<GraphExecutor>> make_quantized_executor(graph::Graph graph,
                                                               const Parameters& parameters,
                                                               graph::QuantizedBackend backend,
                                                               const CancelCheck& cancelled) {
  const at::QEngine engine = engine_for(backend);
  std::vector<std::vector<Tensor>> params = resolve_parameters(graph, parameters);
  TV_ASSIGN_OR_RETURN(auto prepared, prepare_nodes(graph, engine, params, cancelled));
  return std::unique_ptr<GraphExecutor>(std::make_unique<QuantizedExecutor>(
      std::move(graph), engine, std::move(params), std::move(prepared)));
}

}  // namespace tv::inference

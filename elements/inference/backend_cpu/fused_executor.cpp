// oneDNN's fused convolutions. They live in the dispatcher alone, without C++ headers; note that
// padding comes before stride here, the other way round than in at::conv2d.
#include <ATen/core/dispatch/Dispatcher.h>

#include "elements/inference/backend_cpu/executor.hpp"
#include "model_registry/graph/passes/passes.hpp"

namespace tv::inference {
namespace {

using at::IntArrayRef;
using at::Tensor;
using graph::Activation;
using graph::Op;
using OptionalText = std::optional<std::string_view>;
using Scalars = c10::List<std::optional<at::Scalar>>;

using ReorderFn = Tensor(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef, std::int64_t,
                         c10::OptionalArrayRef<std::int64_t>);
using ConvFn = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, IntArrayRef,
                      IntArrayRef, IntArrayRef, std::int64_t, std::string_view, Scalars,
                      OptionalText);
using ConvAddFn = Tensor(const Tensor&, const Tensor&, const Tensor&, const std::optional<Tensor>&,
                         IntArrayRef, IntArrayRef, IntArrayRef, std::int64_t, std::string_view,
                         std::optional<at::Scalar>, OptionalText, Scalars, OptionalText);
using ConvAddInPlaceFn = Tensor&(Tensor&, const Tensor&, const Tensor&,
                                 const std::optional<Tensor>&, IntArrayRef, IntArrayRef,
                                 IntArrayRef, std::int64_t, std::string_view,
                                 std::optional<at::Scalar>, OptionalText, Scalars, OptionalText);

template <typename F>
c10::TypedOperatorHandle<F> find_operator(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<F>();
}

struct Operators {
  c10::TypedOperatorHandle<ReorderFn> reorder =
      find_operator<ReorderFn>("mkldnn::_reorder_convolution_weight", "");
  c10::TypedOperatorHandle<ConvFn> conv =
      find_operator<ConvFn>("mkldnn::_convolution_pointwise", "");
  c10::TypedOperatorHandle<ConvAddFn> conv_add =
      find_operator<ConvAddFn>("mkldnn::_convolution_pointwise", "binary");
  c10::TypedOperatorHandle<ConvAddInPlaceFn> conv_add_in_place =
      find_operator<ConvAddInPlaceFn>("mkldnn::_convolution_pointwise_", "binary");
};

const Operators& operators() {
  static const auto* const kOperators = new Operators;  // outlives every static object
  return *kOperators;
}

struct FusedConv {
  Tensor weight;  // in oneDNN's own layout for this shape
  std::optional<Tensor> bias;
  std::array<std::int64_t, 2> padding, stride, dilation;
  std::int64_t groups = 1;
  Activation activation = Activation::kNone;
};

// What oneDNN calls an activation.
struct Post {
  std::string_view name;
  Scalars scalars;
  OptionalText algorithm;
};

Post post_of(Activation activation) {
  const Scalars none;
  switch (activation) {
    case Activation::kNone:
      return {"none", none, std::nullopt};
    case Activation::kRelu:
      return {"relu", none, std::nullopt};
    case Activation::kRelu6:
      return {"hardtanh", Scalars({at::Scalar(0.0), at::Scalar(6.0)}), std::nullopt};
    case Activation::kSigmoid:
      return {"sigmoid", none, std::nullopt};
    case Activation::kSilu:
      return {"swish", none, std::nullopt};
    case Activation::kHardswish:
      return {"hardswish", none, std::nullopt};
    case Activation::kGelu:
      return {"gelu", none, "none"};
  }
  return {"none", none, std::nullopt};
}

FusedConv prepare(const graph::Node& node, const Shape& input, const std::vector<Tensor>& params) {
  const auto& attrs = std::get<graph::Conv2dAttrs>(node.attrs);
  FusedConv conv;
  conv.padding = {attrs.padding[0], attrs.padding[1]};
  conv.stride = {attrs.stride[0], attrs.stride[1]};
  conv.dilation = {attrs.dilation[0], attrs.dilation[1]};
  conv.groups = attrs.groups;
  conv.activation = attrs.activation;
  conv.weight = operators().reorder.call(params[0], conv.padding, conv.stride, conv.dilation,
                                         conv.groups, IntArrayRef(input));
  if (params.size() > 1) conv.bias = params[1];
  return conv;
}

Tensor run_conv(const FusedConv& c, const Tensor& x, Activation activation) {
  const Post post = post_of(activation);
  return operators().conv.call(x, c.weight, c.bias, c.padding, c.stride, c.dilation, c.groups,
                               post.name, post.scalars, post.algorithm);
}

// oneDNN adds a residual inside the convolution for one group, with no other activation than relu.
Tensor run_conv_add(const FusedConv& c, const Tensor& x, Tensor residual, bool may_overwrite) {
  if (c.groups != 1 || (c.activation != Activation::kRelu && c.activation != Activation::kNone))
    return activate(run_conv(c, x, Activation::kNone).add_(residual), c.activation);
  const OptionalText unary =
      c.activation == Activation::kRelu ? OptionalText("relu") : std::nullopt;
  const at::Scalar alpha(1.0);
  if (may_overwrite)
    return operators().conv_add_in_place.call(residual, x, c.weight, c.bias, c.padding, c.stride,
                                              c.dilation, c.groups, "add", alpha, unary, Scalars(),
                                              std::nullopt);
  return operators().conv_add.call(x, residual, c.weight, c.bias, c.padding, c.stride, c.dilation,
                                   c.groups, "add", alpha, unary, Scalars(), std::nullopt);
}

struct PreparedNodes {
  std::vector<std::vector<Tensor>> params;  // of all other nodes
  std::vector<std::optional<FusedConv>> convs;
};

// One node after the other: a folded weight is gone when it is reordered, before the next is made.
PreparedNodes prepare_nodes(const graph::Graph& graph, const Parameters& parameters) {
  PreparedNodes prepared{std::vector<std::vector<Tensor>>(graph.nodes.size()),
                         std::vector<std::optional<FusedConv>>(graph.nodes.size())};
  const std::vector<bool> fixed = fixed_nodes(graph);
  for (std::size_t id = 0; id < graph.nodes.size(); ++id) {
    const graph::Node& node = graph.nodes[id];
    std::vector<Tensor> params = node_parameters(graph, node, parameters);
    if (node.op == Op::kConv2d && !fixed[id]) {
      const graph::Node& input = graph.nodes[static_cast<std::size_t>(node.inputs[0])];
      prepared.convs[id] = prepare(node, input.shape, params);
    } else {
      prepared.params[id] = std::move(params);
    }
  }
  return prepared;
}

class FusedExecutor final : public GraphExecutor {
 public:
  FusedExecutor(graph::Graph graph, const Parameters& parameters)
      : graph_(graph::optimize(std::move(graph))),
        nodes_(prepare_nodes(graph_, parameters)),
        values_(graph_, nodes_.params) {}

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
    const std::optional<FusedConv>& conv = nodes_.convs[id];
    if (!conv) return run_plain(node, values_.inputs(node), nodes_.params[id]);
    const Tensor& x = values_.get(node.inputs[0]);
    if (node.inputs.size() == 1) return run_conv(*conv, x, conv->activation);
    const bool may_overwrite = node.inputs[0] != node.inputs[1] && values_.last_use(graph_, id, 1);
    return run_conv_add(*conv, x, values_.get(node.inputs[1]), may_overwrite);
  }

  graph::Graph graph_;
  PreparedNodes nodes_;
  Values values_;
};

}  // namespace

std::unique_ptr<GraphExecutor> make_fused_executor(graph::Graph graph,
                                                   const Parameters& parameters) {
  return std::make_unique<FusedExecutor>(std::move(graph), parameters);
}

}  // namespace tv::inference

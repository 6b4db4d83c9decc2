#include "elements/inference/backend_cuda/device_executor.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>

#include "model_registry/graph/passes/passes.hpp"

namespace tv::inference {
namespace {

using at::Tensor;
using graph::Op;

std::array<std::int64_t, 2> wide(const std::array<int, 2>& pair) {
  return {pair[0], pair[1]};
}

/// Whole numbers (indices) keep their type.
Tensor placed(const Tensor& tensor, const DevicePlace& place) {
  return tensor.is_floating_point() ? tensor.to(place.device, place.type) : tensor.to(place.device);
}

bool reads_input(const graph::Node& node) {
  return node.inputs.size() == 1 && node.inputs[0] == 0;
}

bool pads_weight(const graph::Node& node) {
  return node.op == Op::kConv2d && reads_input(node) &&
         std::get<graph::Conv2dAttrs>(node.attrs).groups == 1;
}

DeviceConv conv_of(const graph::Node& node, const std::vector<Tensor>& params,
                   const DevicePlace& place) {
  const auto& attrs = std::get<graph::Conv2dAttrs>(node.attrs);
  Tensor weight = params[0];
  if (const std::int64_t missing = place.input_channels - weight.size(1);
      pads_weight(node) && missing > 0) {
    std::vector<std::int64_t> sizes = weight.sizes().vec();
    sizes[1] = missing;
    weight = at::cat({weight, at::zeros(sizes, weight.options())}, 1);
  }
  DeviceConv conv{
      .weight = weight.to(place.device, place.type).contiguous(at::MemoryFormat::ChannelsLast),
      .bias = {},
      .narrow_bias = {},
      .stride = wide(attrs.stride),
      .padding = wide(attrs.padding),
      .dilation = wide(attrs.dilation),
      .groups = attrs.groups};
  if (params.size() > 1) {
    conv.bias = params[1].to(place.device, at::kFloat).contiguous();
    conv.narrow_bias = params[1].to(place.device, place.type).contiguous();
  }
  return conv;
}

/// gamma, beta, mean, variance -> scale and shift.
Affine norm_of(const graph::Node& node, const std::vector<Tensor>& params,
               const DevicePlace& place) {
  const double eps = std::get<graph::NormAttrs>(node.attrs).eps;
  const Tensor scale = params[0].to(at::kDouble).div(params[3].to(at::kDouble).add(eps).sqrt());
  const Tensor shift = params[1].to(at::kDouble).sub(params[2].to(at::kDouble).mul(scale));
  return {.scale = scale.to(place.device, at::kFloat).contiguous(),
          .shift = shift.to(place.device, at::kFloat).contiguous()};
}

DeviceLayers::Layer layer_of(const graph::Node& node, std::vector<Tensor> params,
                             const DevicePlace& place) {
  if (!place.plain && node.op == Op::kConv2d) return conv_of(node, params, place);
  if (!place.plain && node.op == Op::kBatchNorm2d) return norm_of(node, params, place);
  for (Tensor& param : params) param = placed(param, place);
  return params;
}

class DeviceExecutor final : public GraphExecutor {
 public:
  DeviceExecutor(graph::Graph graph, std::shared_ptr<const DeviceLayers> layers,
                 const Parameters& parameters, const DevicePlace& place, const LayerOps& ops)
      : graph_(std::move(graph)),
        layers_(std::move(layers)),
        place_(place),
        ops_(ops),
        values_(graph_, fixed_parameters(graph_, parameters),
                [&](const Tensor& value) { return placed(value, place); }) {
    TORCH_CHECK(layers_->size() == graph_.nodes.size(), "graphs of two batch sizes differ");
    if (!place_.plain) align_biases();
  }

  Tensor run(const Tensor& input) override {
    values_.begin(input);
    for (std::size_t id = 1; id < graph_.nodes.size(); ++id) {
      if (values_.is_fixed(id)) continue;
      values_.set(id, run_node(id));
      values_.drop_dead(id);
    }
    return values_.take_output().to(at::kFloat).contiguous();
  }

 private:
  static bool is_fused_attention(const graph::Node& node) {
    return node.op == Op::kAttention && node.inputs.size() <= 4;
  }

  /// Of attention, where nobody else reads them.
  void align_biases() {
    const std::vector<int> readers = graph::count_readers(graph_);
    for (const graph::Node& node : graph_.nodes) {
      if (!is_fused_attention(node) || node.inputs.size() < 4) continue;
      const auto bias = static_cast<std::size_t>(node.inputs[3]);
      if (values_.is_fixed(bias) && readers[bias] == 1)
        values_.set(bias, aligned_rows(values_.get(node.inputs[3])));
    }
  }

  /// What is computed once is computed in the computer's memory, in float32.
  static std::vector<std::vector<Tensor>> fixed_parameters(const graph::Graph& graph,
                                                           const Parameters& parameters) {
    const std::vector<bool> fixed = fixed_nodes(graph);
    std::vector<std::vector<Tensor>> resolved(graph.nodes.size());
    for (std::size_t id = 1; id < graph.nodes.size(); ++id)
      if (fixed[id]) resolved[id] = node_parameters(graph, graph.nodes[id], parameters);
    return resolved;
  }

  std::vector<Tensor> inputs_of(const graph::Node& node) const {
    std::vector<Tensor> inputs = values_.inputs(node);
    constexpr std::int64_t kColors = 3;
    if (place_.input_channels > kColors && (place_.plain || !pads_weight(node)))
      for (std::size_t i = 0; i < inputs.size(); ++i)
        if (node.inputs[i] == 0) inputs[i] = inputs[i].narrow(1, 0, kColors);
    return inputs;
  }

  Tensor run_node(std::size_t id) const {
    const graph::Node& node = graph_.nodes[id];
    const DeviceLayers::Layer& layer = (*layers_)[id];
    const std::vector<Tensor> inputs = inputs_of(node);
    if (const auto* conv = std::get_if<DeviceConv>(&layer)) return run_conv(node, inputs, *conv);
    if (const auto* norm = std::get_if<Affine>(&layer)) {
      const Tensor x = inputs[0].contiguous(at::MemoryFormat::ChannelsLast);
      Tensor y = at::empty_like(x);
      ops_.affine(x, *norm, y);
      return y;
    }
    const auto& params = std::get<0>(layer);
    if (place_.plain) return run_plain(node, inputs, params);
    if (node.op == Op::kLinear) return run_linear(node, inputs, params);
    if (node.op == Op::kMaxPool2d)
      if (Tensor y = max_pool(node, inputs[0]); y.defined()) return y;
    if (is_fused_attention(node)) return fused_attention(node, inputs);
    return run_plain(node, inputs, params);
  }

  Tensor run_conv(const graph::Node& node, const std::vector<Tensor>& inputs,
                  const DeviceConv& conv) const {
    const graph::Activation activation = std::get<graph::Conv2dAttrs>(node.attrs).activation;
    const Tensor x = inputs[0].contiguous(at::MemoryFormat::ChannelsLast);
    std::optional<Tensor> residual;
    if (inputs.size() > 1) residual = inputs[1].contiguous(at::MemoryFormat::ChannelsLast);
    if (activation == graph::Activation::kRelu && conv.bias.defined())
      if (Tensor y = ops_.conv_relu(conv, x, residual); y.defined()) return y;
    Tensor y = at::convolution(x, conv.weight, std::nullopt, conv.stride, conv.padding,
                               conv.dilation, /*transposed=*/false, {0, 0}, conv.groups)
                   .contiguous(at::MemoryFormat::ChannelsLast);
    if (conv.bias.defined() || residual || activation != graph::Activation::kNone) {
      Affine after{.residual = residual, .activation = activation};
      if (conv.bias.defined()) after.shift = conv.bias;
      ops_.affine(y, after, y);
    }
    return y;
  }

  /// Undefined where LibTorch is to do it.
  Tensor max_pool(const graph::Node& node, const Tensor& input) const {
    const auto& attrs = std::get<graph::PoolAttrs>(node.attrs);
    const Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
    Tensor y = at::empty(node.shape, x.options(), at::MemoryFormat::ChannelsLast);
    const auto narrow = [](std::int64_t size) { return static_cast<std::int32_t>(size); };
    const PoolLaunch launch{.in = x.const_data_ptr(),
                            .out = y.mutable_data_ptr(),
                            .elements = y.numel(),
                            .channels = narrow(x.size(1)),
                            .height = narrow(x.size(2)),
                            .width = narrow(x.size(3)),
                            .out_height = narrow(y.size(2)),
                            .out_width = narrow(y.size(3)),
                            .kernel = {attrs.kernel[0], attrs.kernel[1]},
                            .stride = {attrs.stride[0], attrs.stride[1]},
                            .padding = {attrs.padding[0], attrs.padding[1]},
                            .dilation = {attrs.dilation[0], attrs.dilation[1]}};
    return ops_.max_pool(launch, x.scalar_type()) ? y : Tensor();
  }

  /// The bias is in the product's own last step; the rest is one pass.
  Tensor run_linear(const graph::Node& node, const std::vector<Tensor>& inputs,
                    const std::vector<Tensor>& params) const {
    const graph::Activation activation = std::get<graph::FusedAttrs>(node.attrs).activation;
    const bool has_residual = params.size() > 1 && inputs.size() > 1;
    if (!has_residual && activation == graph::Activation::kNone)
      return run_plain(node, inputs, params);
    Tensor y = at::linear(inputs[0], params[0], params.size() > 1 ? params[1] : inputs[1]);
    Affine after{.activation = activation};
    if (has_residual) after.residual = inputs[1].contiguous();
    // [N, H, W, C] is as dense as [N * H * W, C]: the channels are the last dimension.
    Tensor rows = y.contiguous().view({-1, y.size(-1)});
    if (after.residual) after.residual = after.residual->view({-1, y.size(-1)});
    ops_.affine(rows, after, rows);
    return rows.view(y.sizes());
  }

  const graph::Graph graph_;
  const std::shared_ptr<const DeviceLayers> layers_;
  const DevicePlace place_;
  const LayerOps& ops_;
  Values values_;
};

}  // namespace

Tensor aligned_rows(const Tensor& bias) {
  constexpr std::int64_t kAlignment = 8;
  const std::int64_t missing = (kAlignment - bias.size(-1) % kAlignment) % kAlignment;
  return at::constant_pad_nd(bias, {0, missing}).contiguous();
}

Result<std::shared_ptr<const DeviceLayers>> DeviceLayers::make(const graph::Graph& graph,
                                                               const Parameters& parameters,
                                                               const DevicePlace& place,
                                                               const CancelCheck& cancelled) {
  auto made = std::make_shared<DeviceLayers>();
  made->layers_.resize(graph.nodes.size());
  const std::vector<bool> fixed = fixed_nodes(graph);
  for (std::size_t id = 1; id < graph.nodes.size(); ++id) {
    TV_RETURN_IF_ERROR(check_cancelled(cancelled, "preparing the network"));
    if (fixed[id]) continue;
    const graph::Node& node = graph.nodes[id];
    made->layers_[id] = layer_of(node, node_parameters(graph, node, parameters), place);
  }
  return std::shared_ptr<const DeviceLayers>(std::move(made));
}

graph::Graph device_graph(graph::Graph graph, const DevicePlace& place) {
  return place.plain ? std::move(graph) : graph::merge_biases(graph::optimize(std::move(graph)));
}

std::unique_ptr<GraphExecutor> make_device_executor(graph::Graph graph,
                                                    std::shared_ptr<const DeviceLayers> layers,
                                                    const Parameters& parameters,
                                                    const DevicePlace& place, const LayerOps& ops) {
  return std::make_unique<DeviceExecutor>(std::move(graph), std::move(layers), parameters, place,
                                          ops);
}

}  // namespace tv::inference

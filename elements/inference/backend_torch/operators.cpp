// Each operator of a graph by LibTorch's plain ones.
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/hardsigmoid.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/roll.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/slice.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "elements/inference/backend_torch/executor.hpp"

namespace tv::inference {
namespace {

using graph::Op;

std::array<std::int64_t, 2> wide(const std::array<int, 2>& pair) {
  return {pair[0], pair[1]};
}

std::optional<at::Tensor> optional_at(std::span<const at::Tensor> params, std::size_t index) {
  return index < params.size() ? std::optional(params[index]) : std::nullopt;
}

at::Tensor conv2d(const graph::Node& node, std::span<const at::Tensor> inputs,
                  std::span<const at::Tensor> params) {
  const auto& attrs = std::get<graph::Conv2dAttrs>(node.attrs);
  at::Tensor y = at::conv2d(inputs[0], params[0], optional_at(params, 1), wide(attrs.stride),
                            wide(attrs.padding), wide(attrs.dilation), attrs.groups);
  if (inputs.size() > 1) y = y.add(inputs[1]);
  return activate(y, attrs.activation);
}

at::Tensor batch_norm2d(const graph::Node& node, const at::Tensor& x,
                        std::span<const at::Tensor> params) {
  const auto& attrs = std::get<graph::NormAttrs>(node.attrs);
  constexpr double kMomentum = 0;  // training only
  return at::batch_norm(x, params[0], params[1], params[2], params[3], /*training=*/false,
                        kMomentum, attrs.eps, /*cudnn_enabled=*/false);
}

at::Tensor max_pool2d(const graph::Node& node, const at::Tensor& x) {
  const auto& attrs = std::get<graph::PoolAttrs>(node.attrs);
  return at::max_pool2d(x, wide(attrs.kernel), wide(attrs.stride), wide(attrs.padding),
                        wide(attrs.dilation), attrs.ceil_mode);
}

at::Tensor avg_pool2d(const graph::Node& node, const at::Tensor& x) {
  const auto& attrs = std::get<graph::PoolAttrs>(node.attrs);
  return at::avg_pool2d(x, wide(attrs.kernel), wide(attrs.stride), wide(attrs.padding),
                        attrs.ceil_mode, /*count_include_pad=*/true);
}

// A layer with two parameters has its bias among them, and a second input is its residual.
at::Tensor linear(const graph::Node& node, std::span<const at::Tensor> inputs,
                  std::span<const at::Tensor> params) {
  const bool has_bias = params.size() > 1;
  at::Tensor y = at::linear(inputs[0], params[0], optional_at(has_bias ? params : inputs, 1));
  if (has_bias && inputs.size() > 1) y = y.add(inputs[1]);
  return activate(y, std::get<graph::FusedAttrs>(node.attrs).activation);
}

at::Tensor layer_norm(const graph::Node& node, const at::Tensor& x,
                      std::span<const at::Tensor> params) {
  return at::layer_norm(x, params[0].sizes(), params[0], params[1],
                        std::get<graph::NormAttrs>(node.attrs).eps);
}

at::Tensor constant(const graph::Node& node) {
  const auto& values = *std::get<graph::ConstantAttrs>(node.attrs).values;
  return at::tensor(at::ArrayRef<float>(values)).view(node.shape);
}

const std::vector<int>& axes_of(const graph::Node& node) {
  return std::get<graph::AxesAttrs>(node.attrs).axes;
}

std::vector<std::int64_t> wide(const std::vector<int>& axes) {
  return {axes.begin(), axes.end()};
}

at::Tensor slice(const graph::Node& node, const at::Tensor& x) {
  const auto& attrs = std::get<graph::SliceAttrs>(node.attrs);
  const std::int64_t count = node.shape[static_cast<std::size_t>(attrs.axis)];
  return at::slice(x, attrs.axis, attrs.start, attrs.start + (count - 1) * attrs.step + 1,
                   attrs.step);
}

// torch lists amounts from the last dimension on.
at::Tensor pad(const graph::Node& node, const at::Tensor& x) {
  const auto& attrs = std::get<graph::PadAttrs>(node.attrs);
  std::vector<std::int64_t> amounts;
  for (std::size_t i = attrs.before.size(); i-- > 0;) {
    amounts.push_back(attrs.before[i]);
    amounts.push_back(attrs.after[i]);
  }
  return at::constant_pad_nd(x, amounts);
}

at::Tensor roll(const graph::Node& node, const at::Tensor& x) {
  std::vector<std::int64_t> shifts, axes;  // LibTorch copies the tensor for each, zeros too
  const auto& all = std::get<graph::RollAttrs>(node.attrs).shifts;
  for (std::size_t axis = 0; axis < all.size(); ++axis) {
    if (all[axis] == 0) continue;
    shifts.push_back(all[axis]);
    axes.push_back(static_cast<std::int64_t>(axis));
  }
  return shifts.empty() ? x : at::roll(x, shifts, axes);
}

// torch.nn.functional.normalize; in float32, for float16 has no number as small as the bound.
at::Tensor normalize(const at::Tensor& x) {
  constexpr double kSmallest = 1e-12;
  const at::Tensor wide_x = x.to(at::kFloat);
  const at::Tensor length = at::linalg_vector_norm(wide_x, 2, {-1}, /*keepdim=*/true);
  return wide_x.div(length.clamp_min(kSmallest)).to(x.scalar_type());
}

at::Tensor attention(const graph::Node& node, std::span<const at::Tensor> inputs) {
  const double factor = std::get<graph::ScalarAttrs>(node.attrs).value;
  const at::Tensor q = factor == 1 ? inputs[0] : inputs[0].mul(factor);
  at::Tensor products = q.matmul(inputs[1].transpose(-2, -1));
  if (inputs.size() > 4) products = products.mul(inputs[4]);
  if (inputs.size() > 3) products = products.add(inputs[3]);
  return at::softmax(products, -1).matmul(inputs[2]);
}

// [..., heads, L, D] -> [N, heads, L, D]: LibTorch's fused kernel takes no other.
at::Tensor four_dimensions(const at::Tensor& x) {
  return x.dim() == 4 ? x : x.flatten(0, x.dim() - 4);
}

}  // namespace

at::Tensor attention_bias(const at::Tensor& bias, const at::Tensor& q, std::int64_t keys) {
  std::vector<std::int64_t> shape = q.sizes().vec();
  shape.back() = std::max(keys, bias.size(-1));
  return four_dimensions(bias.expand(shape)).narrow(-1, 0, keys);
}

at::Tensor fused_attention(const graph::Node& node, std::span<const at::Tensor> inputs) {
  const at::Tensor &q = inputs[0], &v = inputs[2];
  std::optional<at::Tensor> bias;
  if (inputs.size() > 3) bias = attention_bias(inputs[3], q, inputs[1].size(-2));
  const double factor = std::get<graph::ScalarAttrs>(node.attrs).value;
  return at::scaled_dot_product_attention(four_dimensions(q), four_dimensions(inputs[1]),
                                          four_dimensions(v), bias, /*dropout_p=*/0,
                                          /*is_causal=*/false, factor)
      .view(v.sizes());
}

at::Tensor activate(const at::Tensor& x, graph::Activation activation) {
  switch (activation) {
    case graph::Activation::kNone:
      return x;
    case graph::Activation::kRelu:
      return at::relu(x);
    case graph::Activation::kRelu6:
      return at::hardtanh(x, 0, 6);
    case graph::Activation::kSigmoid:
      return at::sigmoid(x);
    case graph::Activation::kSilu:
      return at::silu(x);
    case graph::Activation::kHardswish:
      return at::hardswish(x);
    case graph::Activation::kGelu:
      return at::gelu(x);
  }
  return x;
}

at::Tensor run_plain(const graph::Node& node, std::span<const at::Tensor> inputs,
                     std::span<const at::Tensor> params) {
  switch (node.op) {
    case Op::kInput:
      break;  // set before the run
    case Op::kConv2d:
      return conv2d(node, inputs, params);
    case Op::kBatchNorm2d:
      return batch_norm2d(node, inputs[0], params);
    case Op::kRelu:
      return at::relu(inputs[0]);
    case Op::kRelu6:
      return at::hardtanh(inputs[0], 0, 6);
    case Op::kSigmoid:
      return at::sigmoid(inputs[0]);
    case Op::kSilu:
      return at::silu(inputs[0]);
    case Op::kHardswish:
      return at::hardswish(inputs[0]);
    case Op::kHardsigmoid:
      return at::hardsigmoid(inputs[0]);
    case Op::kGelu:
      return at::gelu(inputs[0]);
    case Op::kTanh:
      return at::tanh(inputs[0]);
    case Op::kMaxPool2d:
      return max_pool2d(node, inputs[0]);
    case Op::kAvgPool2d:
      return avg_pool2d(node, inputs[0]);
    case Op::kAdaptiveAvgPool2d:
      return at::adaptive_avg_pool2d(inputs[0],
                                     wide(std::get<graph::OutputSizeAttrs>(node.attrs).size));
    case Op::kFlatten:
      return inputs[0].flatten(1);
    case Op::kLinear:
      return linear(node, inputs, params);
    case Op::kLayerNorm:
      return layer_norm(node, inputs[0], params);
    case Op::kAdd:
      return inputs[0].add(inputs[1]);
    case Op::kMultiply:
      return inputs[0].mul(inputs[1]);
    case Op::kConcat:
      return at::cat(at::TensorList(inputs.data(), inputs.size()), axes_of(node).front());
    case Op::kDropout:
      return inputs[0];
    case Op::kParameter:
      return params[0];
    case Op::kConstant:
      return constant(node);
    case Op::kReshape:
      return inputs[0].reshape(node.shape);
    case Op::kPermute:
      return inputs[0].permute(wide(axes_of(node)));
    case Op::kSlice:
      return slice(node, inputs[0]);
    case Op::kExpand:
      return inputs[0].expand(node.shape);
    case Op::kPad:
      return pad(node, inputs[0]);
    case Op::kRoll:
      return roll(node, inputs[0]);
    case Op::kMean:
      return inputs[0].mean(wide(axes_of(node)));
    case Op::kIndexRows:
      return at::index_select(inputs[0], 0, params[0].view(-1));
    case Op::kNormalize:
      return normalize(inputs[0]);
    case Op::kClampMax:
      return inputs[0].clamp_max(std::get<graph::ScalarAttrs>(node.attrs).value);
    case Op::kExp:
      return inputs[0].exp();
    case Op::kAttention:
      return attention(node, inputs);
    case Op::kDequantize:
      return inputs[0].dequantize();
    case Op::kQuantize:
    case Op::kQConv2d:
    case Op::kQLinear:
    case Op::kQAdd:
    case Op::kQMultiply:
    case Op::kQConcat:
    case Op::kQHardswish:
      break;  // the quantised executor's
  }
  TORCH_CHECK(false, "no operator for ", graph::op_name(node.op));
}

std::vector<at::Tensor> node_parameters(const graph::Graph& graph, const graph::Node& node,
                                        const Parameters& parameters) {
  std::vector<at::Tensor> resolved;
  for (const int param : node.params) {
    resolved.push_back(param < graph.first_derived ? parameters[static_cast<std::size_t>(param)]
                                                   : derived_parameter(graph, param, parameters));
  }
  return resolved;
}

std::vector<std::vector<at::Tensor>> resolve_parameters(const graph::Graph& graph,
                                                        const Parameters& parameters) {
  std::vector<std::vector<at::Tensor>> resolved;
  for (const graph::Node& node : graph.nodes)
    resolved.push_back(node_parameters(graph, node, parameters));
  return resolved;
}

}  // namespace tv::inference

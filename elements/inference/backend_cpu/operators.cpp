// Each operator of a graph by LibTorch's plain ones.
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>

#include "elements/inference/backend_cpu/executor.hpp"

namespace tv::inference {
namespace {

using graph::Op;

std::array<std::int64_t, 2> wide(const std::array<int, 2>& pair) {
  return {pair[0], pair[1]};
}

at::Tensor activate(const at::Tensor& x, graph::Activation activation) {
  switch (activation) {
    case graph::Activation::kNone:
      return x;
    case graph::Activation::kRelu:
      return at::relu(x);
    case graph::Activation::kRelu6:
      return at::hardtanh(x, 0, 6);
  }
  return x;
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
  const auto& attrs = std::get<graph::BatchNormAttrs>(node.attrs);
  constexpr double kMomentum = 0;  // training only
  return at::batch_norm(x, params[0], params[1], params[2], params[3], /*training=*/false,
                        kMomentum, attrs.eps, /*cudnn_enabled=*/false);
}

at::Tensor max_pool2d(const graph::Node& node, const at::Tensor& x) {
  const auto& attrs = std::get<graph::PoolAttrs>(node.attrs);
  return at::max_pool2d(x, wide(attrs.kernel), wide(attrs.stride), wide(attrs.padding),
                        wide(attrs.dilation), attrs.ceil_mode);
}

}  // namespace

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
    case Op::kMaxPool2d:
      return max_pool2d(node, inputs[0]);
    case Op::kAdaptiveAvgPool2d:
      return at::adaptive_avg_pool2d(inputs[0],
                                     wide(std::get<graph::OutputSizeAttrs>(node.attrs).size));
    case Op::kFlatten:
      return inputs[0].flatten(1);
    case Op::kLinear:
      return at::linear(inputs[0], params[0], optional_at(params, 1));
    case Op::kAdd:
      return inputs[0].add(inputs[1]);
    case Op::kConcat:
      return at::cat(at::TensorList(inputs.data(), inputs.size()), 1);
    case Op::kDropout:
      return inputs[0];
  }
  TORCH_CHECK(false, "no operator for ", graph::op_name(node.op));
}

std::vector<std::vector<at::Tensor>> resolve_parameters(const graph::Graph& graph,
                                                        const Parameters& parameters) {
  std::vector<std::vector<at::Tensor>> resolved(graph.nodes.size());
  for (std::size_t id = 0; id < graph.nodes.size(); ++id) {
    for (const int param : graph.nodes[id].params) {
      resolved[id].push_back(
          param < graph.first_derived
              ? parameters[static_cast<std::size_t>(param)]
              : derived_parameter(
                    graph.derived[static_cast<std::size_t>(param - graph.first_derived)],
                    parameters));
    }
  }
  return resolved;
}

}  // namespace tv::inference

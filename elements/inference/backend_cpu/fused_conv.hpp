// oneDNN's convolutions with activation and residual inside. Call inside guarded().
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <vector>

#include "model_registry/graph/graph.hpp"

namespace tv::inference {

struct FusedConv {
  at::Tensor weight;  ///< in oneDNN's own layout for this shape
  std::optional<at::Tensor> bias;
  std::array<std::int64_t, 2> padding, stride, dilation;
  std::int64_t groups = 1;
  graph::Activation activation = graph::Activation::kNone;
};

/// Reorders the weight for an input of this shape. `params` as Node::params lists them.
FusedConv prepare_conv(const graph::Node& node, const Shape& input,
                       const std::vector<at::Tensor>& params);

/// x in channels last -> the same.
at::Tensor run(const FusedConv& conv, const at::Tensor& x);
/// `may_overwrite`: the residual's memory may become the result's.
at::Tensor run(const FusedConv& conv, const at::Tensor& x, at::Tensor residual, bool may_overwrite);

}  // namespace tv::inference

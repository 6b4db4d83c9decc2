// oneDNN's linear layers with an activation or a residual inside. Call inside guarded().
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <span>
#include <vector>

#include "model_registry/graph/graph.hpp"

namespace tv::inference {

struct FusedLinear {
  at::Tensor weight;  ///< in oneDNN's own layout for this number of rows
  std::optional<at::Tensor> bias;
  graph::Activation activation = graph::Activation::kNone;
};

/// Whether a reordered weight pays: it does not for few rows, where reading the weight is all the
/// work.
bool worth_fusing(const Shape& input);

/// Reorders the weight for an input of this shape. `params` as Node::params lists them.
FusedLinear prepare_linear(const graph::Node& node, const Shape& input,
                           const std::vector<at::Tensor>& params);

/// `inputs` as Node::inputs lists them.
at::Tensor run(const FusedLinear& linear, std::span<const at::Tensor> inputs);

}  // namespace tv::inference

// torch.nn.MultiheadAttention, batch first, where a sequence attends to itself.
#pragma once

#include "model_registry/models/nn/layers.hpp"

namespace tv::nn {

/// [N, L, channels] -> the same.
class MultiheadAttention final : public Module {
 public:
  /// `heads` divides `channels`.
  MultiheadAttention(Build& build, int channels, int heads);
  Value forward(Value x) const override;

 private:
  int heads_;
  int in_proj_weight_, in_proj_bias_;  // q, k and v, one after another
  Ref<Linear> out_proj_;
};

/// Takes the output of a layer that yields queries, keys and values side by side apart.
struct Heads {
  Value q, k, v;  ///< [..., heads, L, D]
};
/// qkv [..., L, 3 * heads * D]
Heads split_heads(const Value& qkv, int heads);
/// [..., heads, L, D] -> [..., L, heads * D]
Value join_heads(const Value& x);

}  // namespace tv::nn

#include "model_registry/models/nn/multihead_attention.hpp"

#include <cmath>
#include <numeric>
#include <vector>

namespace tv::nn {

MultiheadAttention::MultiheadAttention(Build& build, int channels, int heads)
    : heads_(heads),
      in_proj_weight_(add_tensor("in_proj_weight", build.parameter({3 * channels, channels}))),
      in_proj_bias_(add_tensor("in_proj_bias", build.parameter({3 * channels}))) {
  // out_proj draws first: _reset_parameters() comes last in Python's constructor.
  out_proj_ = add("out_proj", std::make_unique<Linear>(build, channels, channels));
  build.xavier_uniform(in_proj_weight_);
  build.constant(in_proj_bias_, 0);
  build.constant(out_proj_->bias(), 0);
}

Value MultiheadAttention::forward(Value x) const {
  const auto [q, k, v] = split_heads(graph::linear(x, in_proj_weight_, in_proj_bias_), heads_);
  const double factor = 1 / std::sqrt(static_cast<double>(q.shape().back()));
  return out_proj_(join_heads(graph::attention(q, k, v, factor)));
}

Heads split_heads(const Value& qkv, int heads) {
  const int leading = static_cast<int>(qkv.shape().size()) - 2;
  Shape apart(qkv.shape().begin(), qkv.shape().end() - 1);  // [..., L, 3, heads, D]
  apart.insert(apart.end(), {3, heads, qkv.shape().back() / (3 * heads)});
  std::vector<int> order(static_cast<std::size_t>(leading));  // [3, ..., heads, L, D]
  std::iota(order.begin(), order.end(), 0);
  order.insert(order.begin(), leading + 1);
  order.insert(order.end(), {leading + 2, leading, leading + 3});
  const Value three = permute(reshape(qkv, std::move(apart)), order);
  return {select(three, 0, 0), select(three, 0, 1), select(three, 0, 2)};
}

Value join_heads(const Value& x) {
  const int leading = static_cast<int>(x.shape().size()) - 3;
  std::vector<int> order(static_cast<std::size_t>(leading));
  std::iota(order.begin(), order.end(), 0);
  order.insert(order.end(), {leading + 1, leading, leading + 2});
  const Value swapped = permute(x, order);  // [..., L, heads, D]
  Shape joined(swapped.shape().begin(), swapped.shape().end() - 2);
  joined.push_back(-1);
  return reshape(swapped, std::move(joined));
}

}  // namespace tv::nn

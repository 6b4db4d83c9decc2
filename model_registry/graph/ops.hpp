// The operators of a forward, as free functions: each checks its input, infers the shape of the
// result and records one node in the name of the module whose forward is running. A failure is
// remembered by the Trace. Parameters are ids from Build::parameter(); kNoParameter stands for an
// absent bias.
#pragma once

#include <array>
#include <vector>

#include "model_registry/graph/module.hpp"

namespace tv::graph {

inline constexpr int kNoParameter = -1;

/// x [N, in, H, W], weight [out, in / groups, kh, kw], bias [out] -> [N, out, H', W'].
Value conv2d(const Value& x, int weight, int bias, const Conv2dAttrs& attrs);

/// x [N, C, H, W], four parameters [C]; running statistics, as in eval().
Value batch_norm2d(const Value& x, int weight, int bias, int running_mean, int running_var,
                   const BatchNormAttrs& attrs);

Value relu(const Value& x);
/// min(max(x, 0), 6)
Value relu6(const Value& x);

/// x [N, C, H, W]; padding counts as -infinity. With ceil_mode a window may begin inside and end
/// outside the padded image, but never begin outside.
Value max_pool2d(const Value& x, const PoolAttrs& attrs);

/// x [N, C, H, W] -> [N, C, size[0], size[1]].
Value adaptive_avg_pool2d(const Value& x, const OutputSizeAttrs& attrs);

/// x [N, ...] -> [N, product of the rest]
Value flatten(const Value& x);

/// x [..., in], weight [out, in], bias [out] -> [..., out].
Value linear(const Value& x, int weight, int bias);

/// Equal shapes; no broadcasting.
Value add(const Value& a, const Value& b);
inline Value operator+(const Value& a, const Value& b) {
  return add(a, b);
}

/// Along dimension 1; all other dimensions equal; at least one value.
Value cat(const std::vector<Value>& values);

/// The identity: networks are traced for inference.
Value dropout(const Value& x);

}  // namespace tv::graph

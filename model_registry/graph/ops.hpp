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
                   const NormAttrs& attrs);

Value relu(const Value& x);
/// min(max(x, 0), 6)
Value relu6(const Value& x);
Value sigmoid(const Value& x);
/// x * sigmoid(x)
Value silu(const Value& x);
/// x * relu6(x + 3) / 6
Value hardswish(const Value& x);
/// relu6(x + 3) / 6
Value hardsigmoid(const Value& x);
/// x * Phi(x), by the error function.
Value gelu(const Value& x);
Value tanh(const Value& x);

/// x [N, C, H, W]; padding counts as -infinity. With ceil_mode a window may begin inside and end
/// outside the padded image, but never begin outside.
Value max_pool2d(const Value& x, const PoolAttrs& attrs);

/// x [N, C, H, W]; padding counts as zeros (count_include_pad). Dilation must be 1.
Value avg_pool2d(const Value& x, const PoolAttrs& attrs);

/// x [N, C, H, W] -> [N, C, size[0], size[1]].
Value adaptive_avg_pool2d(const Value& x, const OutputSizeAttrs& attrs);

/// x [N, ...] -> [N, product of the rest]
Value flatten(const Value& x);

/// x [..., in], weight [out, in], bias [out] -> [..., out].
Value linear(const Value& x, int weight, int bias);
/// The same with a bias that the forward computed, [out].
Value linear(const Value& x, int weight, const Value& bias);

/// x [..., C], weight and bias [C]: mean and variance over the last dimension.
Value layer_norm(const Value& x, int weight, int bias, const NormAttrs& attrs);

/// Broadcasts as torch does: sizes are equal or 1, counted from the last dimension.
Value add(const Value& a, const Value& b);
Value multiply(const Value& a, const Value& b);
inline Value operator+(const Value& a, const Value& b) {
  return add(a, b);
}
inline Value operator*(const Value& a, const Value& b) {
  return multiply(a, b);
}

/// At least one value; all dimensions but `axis` equal. A negative axis counts from the end, here
/// and below.
Value cat(const std::vector<Value>& values, int axis = 1);

/// The identity: networks are traced for inference.
Value dropout(const Value& x);

// ---- values without pixels: executors compute once what depends on these alone. `like` is any
// value of the same forward. ----

/// The tensor of a parameter or buffer (float32).
Value parameter(const Value& like, int id);
/// Numbers that the forward computed, row-major; as many as `shape` holds.
Value constant(const Value& like, Shape shape, std::vector<float> values);
/// x * factor, in float32.
Value scale(const Value& x, double factor);

// ---- shapes ----

/// Row-major; one size may be -1: what remains.
Value reshape(const Value& x, Shape shape);
/// order[i] is the axis of x that becomes axis i.
Value permute(const Value& x, const std::vector<int>& order);
/// x[start:stop:step] of one axis, 0 <= start < stop <= size, step >= 1.
Value slice(const Value& x, int axis, std::int64_t start, std::int64_t stop, std::int64_t step = 1);
/// x[index] of one axis, which disappears.
Value select(const Value& x, int axis, std::int64_t index);
/// Repeats dimensions of size 1; as many dimensions as x.
Value expand(const Value& x, Shape shape);
/// Zeros around; one amount an axis, each >= 0.
Value pad(const Value& x, const PadAttrs& attrs);
/// torch.roll: one shift an axis.
Value roll(const Value& x, const RollAttrs& attrs);
/// Mean over some axes, which disappear.
Value mean(const Value& x, std::vector<int> axes);
/// table [T, ...], index: an int64 parameter of K numbers -> [K, ...]. Indices must lie in 0..T-1:
/// executors fail otherwise.
Value index_rows(const Value& table, int index);

// ---- attention ----

/// torch.nn.functional.normalize over the last dimension.
Value normalize(const Value& x);
/// min(x, bound)
Value clamp_max(const Value& x, double bound);
Value exp(const Value& x);
/// softmax(factor * q k^T + bias) v. q, k [..., L, D], v [..., L, E] -> [..., L, E]; bias
/// broadcasts to [..., L, L].
Value attention(const Value& q, const Value& k, const Value& v, double factor);
Value attention(const Value& q, const Value& k, const Value& v, double factor, const Value& bias);
/// The same of normalize(q) and normalize(k), with the products times `factors`, which broadcast to
/// [..., L, L] as the bias does (Swin V2, arXiv 2111.09883).
Value cosine_attention(const Value& q, const Value& k, const Value& v, const Value& factors,
                       const Value& bias);

}  // namespace tv::graph

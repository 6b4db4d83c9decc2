// The operators of int8 networks. A quantised value has a scale and a zero point of its own, which
// the file gives: they are parameters of one element, float32 and int64. max_pool2d, avg_pool2d,
// adaptive_avg_pool2d, mean, relu, hardsigmoid, flatten, reshape, permute and slice of ops.hpp work
// on quantised values as they are.
#pragma once

#include <vector>

#include "model_registry/graph/module.hpp"

namespace tv::graph {

/// float32 -> quint8, any shape.
Value quantize(const Value& x, const QParams& result);
/// quint8 -> float32, any shape.
Value dequantize(const Value& x);

/// As conv2d(), with a weight of qint8 (one scale, or one for each output channel) and a bias of
/// float32.
Value q_conv2d(const Value& x, int weight, int bias, const QParams& result,
               const Conv2dAttrs& attrs);
/// As linear(), with a weight of qint8 and a bias of float32.
Value q_linear(const Value& x, int weight, int bias, const QParams& result);

/// The operators of torch.ao.nn.quantized.QFunctional. Shapes as in ops.hpp.
Value q_add(const Value& a, const Value& b, const QParams& result);
Value q_multiply(const Value& a, const Value& b, const QParams& result);
Value q_cat(const std::vector<Value>& values, int axis, const QParams& result);

Value q_hardswish(const Value& x, const QParams& result);

}  // namespace tv::graph

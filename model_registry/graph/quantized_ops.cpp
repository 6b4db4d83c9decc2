#include "model_registry/graph/quantized_ops.hpp"

#include <utility>

#include "model_registry/graph/layer_shapes.hpp"

namespace tv::graph {
namespace {

Value map(const Value& x, Op op, const QParams& result) {
  const int params[] = {result.scale, result.zero_point};
  return x.trace().record(op, std::span(&x, 1), params, {}, x.shape());
}

Value layer(const Value& x, Op op, int weight, int bias, const QParams& result, Attrs attrs,
            Shape shape) {
  if (shape.empty()) return x;
  const int params[] = {weight, bias, result.scale, result.zero_point};
  return x.trace().record(op, std::span(&x, 1), params, std::move(attrs), std::move(shape));
}

Value combine(const Value& a, const Value& b, Op op, const QParams& result, Attrs attrs) {
  Shape shape = broadcast_shape(a, b, op);
  if (shape.empty()) return a;
  const Value inputs[] = {a, b};
  const int params[] = {result.scale, result.zero_point};
  return a.trace().record(op, inputs, params, std::move(attrs), std::move(shape));
}

}  // namespace

Value quantize(const Value& x, const QParams& result) {
  return map(x, Op::kQuantize, result);
}

Value dequantize(const Value& x) {
  return x.trace().record(Op::kDequantize, std::span(&x, 1), {}, {}, x.shape());
}

Value q_conv2d(const Value& x, int weight, int bias, const QParams& result,
               const Conv2dAttrs& attrs) {
  return layer(x, Op::kQConv2d, weight, bias, result, attrs, conv2d_shape(x, weight, attrs));
}

Value q_linear(const Value& x, int weight, int bias, const QParams& result) {
  return layer(x, Op::kQLinear, weight, bias, result, {}, linear_shape(x, weight));
}

Value q_add(const Value& a, const Value& b, const QParams& result) {
  return combine(a, b, Op::kQAdd, result, FusedAttrs{});
}

Value q_multiply(const Value& a, const Value& b, const QParams& result) {
  return combine(a, b, Op::kQMultiply, result, {});
}

Value q_cat(const std::vector<Value>& values, int axis, const QParams& result) {
  Shape shape = cat_shape(values, axis, Op::kQConcat);
  if (shape.empty()) return values.front();
  if (axis < 0) axis += static_cast<int>(shape.size());
  const int params[] = {result.scale, result.zero_point};
  return values.front().trace().record(Op::kQConcat, values, params, AxesAttrs{{axis}},
                                       std::move(shape));
}

Value q_hardswish(const Value& x, const QParams& result) {
  return map(x, Op::kQHardswish, result);
}

}  // namespace tv::graph

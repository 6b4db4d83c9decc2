// Operators that treat every number alike.
#include <algorithm>
#include <string>

#include "model_registry/graph/layer_shapes.hpp"
#include "model_registry/graph/ops.hpp"

namespace tv::graph {
namespace {

Value map(const Value& x, Op op, Attrs attrs = {}) {
  return x.trace().record(op, std::span(&x, 1), {}, std::move(attrs), x.shape());
}

Value broadcast(const Value& a, const Value& b, Op op) {
  Shape out = broadcast_shape(a, b, op);
  if (out.empty()) return a;
  const Value inputs[] = {a, b};
  return a.trace().record(op, inputs, {}, {}, std::move(out));
}

}  // namespace

Shape broadcast_shape(const Value& a, const Value& b, Op op) {
  Trace& trace = a.trace();
  if (trace.failed()) return {};
  Shape out = a.shape();
  const Shape& other = b.shape();
  if (other.size() > out.size()) out.insert(out.begin(), other.size() - out.size(), 1);
  const std::size_t skipped = out.size() - other.size();
  for (std::size_t i = 0; i < other.size(); ++i) {
    std::int64_t& size = out[skipped + i];
    if (size != other[i] && size != 1 && other[i] != 1) {
      trace.fail(a, op,
                 "combines " + shape_text(a.shape()) + " and " + shape_text(other) +
                     ", expected sizes that are equal or 1");
      return {};
    }
    if (size == 1) size = other[i];
  }
  return out;
}

Value relu(const Value& x) {
  return map(x, Op::kRelu);
}

Value relu6(const Value& x) {
  return map(x, Op::kRelu6);
}

Value sigmoid(const Value& x) {
  return map(x, Op::kSigmoid);
}

Value silu(const Value& x) {
  return map(x, Op::kSilu);
}

Value hardswish(const Value& x) {
  return map(x, Op::kHardswish);
}

Value hardsigmoid(const Value& x) {
  return map(x, Op::kHardsigmoid);
}

Value gelu(const Value& x) {
  return map(x, Op::kGelu);
}

Value tanh(const Value& x) {
  return map(x, Op::kTanh);
}

Value normalize(const Value& x) {
  return map(x, Op::kNormalize);
}

Value clamp_max(const Value& x, double bound) {
  return map(x, Op::kClampMax, ScalarAttrs{bound});
}

Value exp(const Value& x) {
  return map(x, Op::kExp);
}

Value add(const Value& a, const Value& b) {
  return broadcast(a, b, Op::kAdd);
}

Value multiply(const Value& a, const Value& b) {
  return broadcast(a, b, Op::kMultiply);
}

Value scale(const Value& x, double factor) {
  return x * constant(x, {1}, {static_cast<float>(factor)});
}

}  // namespace tv::graph

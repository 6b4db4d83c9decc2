// Operators that move, join and make numbers, and attention, which joins three.
#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <string>

#include "model_registry/graph/layer_shapes.hpp"
#include "model_registry/graph/ops.hpp"

namespace tv::graph {
namespace {

Value record(const Value& x, Op op, Attrs attrs, Shape shape) {
  return x.trace().record(op, std::span(&x, 1), {}, std::move(attrs), std::move(shape));
}

std::int64_t count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

bool is_axis(int axis, const Shape& shape) {
  return axis >= 0 && static_cast<std::size_t>(axis) < shape.size();
}

int from_start(int axis, const Shape& shape) {
  return axis < 0 ? axis + static_cast<int>(shape.size()) : axis;
}

Value fail(const Value& x, Op op, const std::string& wanted) {
  return x.trace().fail(x, op, "expects " + wanted + ", found " + shape_text(x.shape()));
}

// q, k [..., L, D], v [..., L, E]
bool fit_together(const Shape& q, const Shape& k, const Shape& v) {
  if (q.size() < 2 || q != k || v.size() != q.size()) return false;
  return std::equal(q.begin(), q.end() - 1, v.begin());
}

Value attention_of(std::span<const Value> inputs, double factor) {
  const Value& q = inputs[0];
  const Value& v = inputs[2];
  Trace& trace = q.trace();
  if (trace.failed()) return q;
  if (!fit_together(q.shape(), inputs[1].shape(), v.shape()))
    return fail(q, Op::kAttention,
                "q, k [..., L, D] and v [..., L, E] (k is " + shape_text(inputs[1].shape()) +
                    ", v is " + shape_text(v.shape()) + ")");
  return trace.record(Op::kAttention, inputs, {}, ScalarAttrs{factor}, v.shape());
}

// `y`, if `x` broadcasts to q k^T: it cannot have more dimensions, and each fits.
Value with_broadcast(const std::string& what, const Value& x, const Value& q, const Value& y) {
  Shape products = q.shape();
  products.back() = products[products.size() - 2];
  const Shape& in = x.shape();
  bool fits = in.size() <= products.size();
  for (std::size_t i = 0; fits && i < in.size(); ++i) {
    const auto side = in[in.size() - 1 - i];
    fits = side == products[products.size() - 1 - i] || side == 1;
  }
  return fits ? y : fail(x, Op::kAttention, what + " that broadcasts to " + shape_text(products));
}

}  // namespace

Shape cat_shape(const std::vector<Value>& values, int axis, Op op) {
  const Value& first = values.front();
  Trace& trace = first.trace();
  if (trace.failed()) return {};
  Shape out = first.shape();
  axis = from_start(axis, out);
  if (!is_axis(axis, out)) {
    fail(first, op, "a dimension " + std::to_string(axis));
    return {};
  }
  const auto at = static_cast<std::size_t>(axis);
  out[at] = 0;
  for (const Value& value : values) {
    Shape rest = value.shape();
    if (rest.size() == out.size()) {
      out[at] += rest[at];
      rest[at] = out[at];
    }
    if (rest != out) {
      trace.fail(value, op,
                 "joins " + shape_text(first.shape()) + " and " + shape_text(value.shape()) +
                     ", expected equal but for dimension " + std::to_string(axis));
      return {};
    }
  }
  return out;
}

Value cat(const std::vector<Value>& values, int axis) {
  Shape out = cat_shape(values, axis, Op::kConcat);
  if (out.empty()) return values.front();
  axis = from_start(axis, out);
  return values.front().trace().record(Op::kConcat, values, {}, AxesAttrs{{axis}}, std::move(out));
}

Value parameter(const Value& like, int id) {
  Trace& trace = like.trace();
  if (trace.failed()) return like;
  return trace.record(Op::kParameter, {}, std::span(&id, 1), {}, trace.parameter_shape(id));
}

Value constant(const Value& like, Shape shape, std::vector<float> values) {
  Trace& trace = like.trace();
  if (trace.failed()) return like;
  if (count(shape) != static_cast<std::int64_t>(values.size()))
    return trace.fail(like, Op::kConstant,
                      "has " + std::to_string(values.size()) + " numbers for " + shape_text(shape));
  return trace.record(Op::kConstant, {}, {},
                      ConstantAttrs{std::make_shared<const std::vector<float>>(std::move(values))},
                      std::move(shape));
}

Value reshape(const Value& x, Shape shape) {
  if (x.trace().failed()) return x;
  const std::int64_t total = count(x.shape());
  const auto open = std::find(shape.begin(), shape.end(), -1);
  if (open != shape.end()) {
    *open = 1;
    const std::int64_t rest = count(shape);
    *open = rest > 0 ? total / rest : 0;
  }
  if (count(shape) != total)
    return fail(x, Op::kReshape, "as many numbers as " + shape_text(shape) + " holds");
  return record(x, Op::kReshape, {}, std::move(shape));
}

Value permute(const Value& x, const std::vector<int>& order) {
  if (x.trace().failed()) return x;
  Shape out;
  for (const int axis : order)
    if (is_axis(axis, x.shape())) out.push_back(x.shape()[static_cast<std::size_t>(axis)]);
  std::vector<int> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  const bool repeated = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  if (repeated || out.size() != order.size() || out.size() != x.shape().size())
    return fail(x, Op::kPermute, std::to_string(order.size()) + " dimensions, each named once");
  return record(x, Op::kPermute, AxesAttrs{order}, std::move(out));
}

Value slice(const Value& x, int axis, std::int64_t start, std::int64_t stop, std::int64_t step) {
  if (x.trace().failed()) return x;
  Shape out = x.shape();
  axis = from_start(axis, out);
  if (!is_axis(axis, out) || start < 0 || start >= stop || step < 1 ||
      stop > out[static_cast<std::size_t>(axis)])
    return fail(x, Op::kSlice,
                "to hold " + std::to_string(start) + ".." + std::to_string(stop - 1) +
                    " in dimension " + std::to_string(axis));
  out[static_cast<std::size_t>(axis)] = (stop - start + step - 1) / step;
  return record(x, Op::kSlice, SliceAttrs{axis, start, step}, std::move(out));
}

Value select(const Value& x, int axis, std::int64_t index) {
  axis = from_start(axis, x.shape());
  const Value one = slice(x, axis, index, index + 1);
  if (x.trace().failed()) return x;
  Shape out = one.shape();
  out.erase(out.begin() + axis);
  return reshape(one, std::move(out));
}

Value expand(const Value& x, Shape shape) {
  if (x.trace().failed()) return x;
  const Shape& in = x.shape();
  bool fits = in.size() == shape.size();
  for (std::size_t i = 0; fits && i < in.size(); ++i) fits = in[i] == shape[i] || in[i] == 1;
  if (!fits) return fail(x, Op::kExpand, "sizes of 1 or those of " + shape_text(shape));
  return record(x, Op::kExpand, {}, std::move(shape));
}

Value pad(const Value& x, const PadAttrs& attrs) {
  if (x.trace().failed()) return x;
  Shape out = x.shape();
  if (attrs.before.size() != out.size() || attrs.after.size() != out.size())
    return fail(x, Op::kPad, "one amount an axis");
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (attrs.before[i] < 0 || attrs.after[i] < 0) return fail(x, Op::kPad, "amounts >= 0");
    out[i] += attrs.before[i] + attrs.after[i];
  }
  return record(x, Op::kPad, attrs, std::move(out));
}

Value roll(const Value& x, const RollAttrs& attrs) {
  if (x.trace().failed()) return x;
  if (attrs.shifts.size() != x.shape().size()) return fail(x, Op::kRoll, "one shift an axis");
  return record(x, Op::kRoll, attrs, x.shape());
}

Value mean(const Value& x, std::vector<int> axes) {
  if (x.trace().failed()) return x;
  for (int& axis : axes) axis = from_start(axis, x.shape());
  Shape out;
  for (std::size_t i = 0; i < x.shape().size(); ++i)
    if (std::find(axes.begin(), axes.end(), static_cast<int>(i)) == axes.end())
      out.push_back(x.shape()[i]);
  if (out.size() + axes.size() != x.shape().size())
    return fail(x, Op::kMean, "the dimensions named, each once");
  return record(x, Op::kMean, AxesAttrs{std::move(axes)}, std::move(out));
}

Value index_rows(const Value& table, int index) {
  Trace& trace = table.trace();
  if (trace.failed()) return table;
  Shape out = table.shape();
  if (out.empty()) return fail(table, Op::kIndexRows, "[T, ...]");
  out[0] = count(trace.parameter_shape(index));
  return trace.record(Op::kIndexRows, std::span(&table, 1), std::span(&index, 1), {},
                      std::move(out));
}

Value attention(const Value& q, const Value& k, const Value& v, double factor) {
  const Value inputs[] = {q, k, v};
  return attention_of(inputs, factor);
}

Value attention(const Value& q, const Value& k, const Value& v, double factor, const Value& bias) {
  const Value inputs[] = {q, k, v, bias};
  const Value y = attention_of(inputs, factor);
  return q.trace().failed() ? q : with_broadcast("a bias", bias, q, y);
}

Value cosine_attention(const Value& q, const Value& k, const Value& v, const Value& factors,
                       const Value& bias) {
  const Value inputs[] = {normalize(q), normalize(k), v, bias, factors};
  const Value y = attention_of(inputs, 1);
  if (q.trace().failed()) return q;
  return with_broadcast("factors", factors, q, with_broadcast("a bias", bias, q, y));
}

}  // namespace tv::graph

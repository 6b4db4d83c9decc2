#include "model_registry/graph/ops.hpp"

#include <cstddef>
#include <functional>
#include <numeric>
#include <string>

namespace tv::graph {
namespace {

Value record(const Value& x, Op op, std::initializer_list<int> params, Attrs attrs, Shape shape) {
  return x.trace().record(op, std::span(&x, 1), params, attrs, std::move(shape));
}

std::string size_text(std::int64_t height, std::int64_t width) {
  return std::to_string(height) + "x" + std::to_string(width);
}

// "" when x is an image with the wanted number of channels, else the complaint.
std::string channel_problem(const Value& x, std::int64_t channels) {
  const Shape& in = x.shape();
  if (in.size() == 4 && in[1] == channels) return "";
  return "expects [N, " + std::to_string(channels) + ", H, W], found " + shape_text(in);
}

// Smallest input on which one window lies wholly inside the padded image.
std::int64_t window_need(std::int64_t kernel, int padding, int dilation) {
  return dilation * (kernel - 1) + 1 - 2 * padding;
}

std::string too_small(const Shape& in, std::int64_t need_h, std::int64_t need_w) {
  return "needs an input of at least " + size_text(need_h, need_w) + ", found " +
         size_text(in[2], in[3]);
}

std::int64_t divide_down(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

// torch's pooling_output_shape: with ceil_mode the last window must still begin inside the image or
// its left padding.
std::int64_t pooled_size(std::int64_t in, const PoolAttrs& a, std::size_t axis) {
  const std::int64_t slack = in - window_need(a.kernel[axis], a.padding[axis], a.dilation[axis]);
  std::int64_t out =
      divide_down(slack + (a.ceil_mode ? a.stride[axis] - 1 : 0), a.stride[axis]) + 1;
  if (a.ceil_mode && (out - 1) * a.stride[axis] >= in + a.padding[axis]) --out;
  return out;
}

std::int64_t pool_need(const PoolAttrs& a, std::size_t axis) {
  const std::int64_t need = window_need(a.kernel[axis], a.padding[axis], a.dilation[axis]);
  return std::max<std::int64_t>(1, a.ceil_mode ? need - (a.stride[axis] - 1) : need);
}

}  // namespace

Value conv2d(const Value& x, int weight, int bias, const Conv2dAttrs& attrs) {
  Trace& trace = x.trace();
  if (trace.failed()) return x;
  const Shape& w = trace.parameter_shape(weight);
  if (w.size() != 4) return trace.fail(x, Op::kConv2d, "has no weight [out, in, h, w]");
  const Shape& in = x.shape();
  if (const auto problem = channel_problem(x, w[1] * attrs.groups); !problem.empty())
    return trace.fail(x, Op::kConv2d, problem);
  const std::int64_t need_h = window_need(w[2], attrs.padding[0], attrs.dilation[0]);
  const std::int64_t need_w = window_need(w[3], attrs.padding[1], attrs.dilation[1]);
  if (in[2] < need_h || in[3] < need_w)
    return trace.fail(x, Op::kConv2d, too_small(in, need_h, need_w));
  Shape out = {in[0], w[0], (in[2] - need_h) / attrs.stride[0] + 1,
               (in[3] - need_w) / attrs.stride[1] + 1};
  if (bias == kNoParameter) return record(x, Op::kConv2d, {weight}, attrs, std::move(out));
  return record(x, Op::kConv2d, {weight, bias}, attrs, std::move(out));
}

Value batch_norm2d(const Value& x, int weight, int bias, int running_mean, int running_var,
                   const BatchNormAttrs& attrs) {
  Trace& trace = x.trace();
  if (trace.failed()) return x;
  const Shape& w = trace.parameter_shape(weight);
  if (const auto problem = channel_problem(x, w.empty() ? -1 : w[0]); !problem.empty())
    return trace.fail(x, Op::kBatchNorm2d, problem);
  return record(x, Op::kBatchNorm2d, {weight, bias, running_mean, running_var}, attrs, x.shape());
}

Value relu(const Value& x) {
  return record(x, Op::kRelu, {}, {}, x.shape());
}

Value relu6(const Value& x) {
  return record(x, Op::kRelu6, {}, {}, x.shape());
}

Value max_pool2d(const Value& x, const PoolAttrs& attrs) {
  Trace& trace = x.trace();
  if (trace.failed()) return x;
  const Shape& in = x.shape();
  if (in.size() != 4)
    return trace.fail(x, Op::kMaxPool2d, "expects [N, C, H, W], found " + shape_text(in));
  const std::int64_t height = pooled_size(in[2], attrs, 0);
  const std::int64_t width = pooled_size(in[3], attrs, 1);
  if (height < 1 || width < 1)
    return trace.fail(x, Op::kMaxPool2d, too_small(in, pool_need(attrs, 0), pool_need(attrs, 1)));
  return record(x, Op::kMaxPool2d, {}, attrs, {in[0], in[1], height, width});
}

Value adaptive_avg_pool2d(const Value& x, const OutputSizeAttrs& attrs) {
  Trace& trace = x.trace();
  if (trace.failed()) return x;
  const Shape& in = x.shape();
  if (in.size() != 4)
    return trace.fail(x, Op::kAdaptiveAvgPool2d, "expects [N, C, H, W], found " + shape_text(in));
  return record(x, Op::kAdaptiveAvgPool2d, {}, attrs, {in[0], in[1], attrs.size[0], attrs.size[1]});
}

Value flatten(const Value& x) {
  const Shape& in = x.shape();
  const std::int64_t rest =
      std::accumulate(in.begin() + 1, in.end(), std::int64_t{1}, std::multiplies<>());
  return record(x, Op::kFlatten, {}, {}, {in[0], rest});
}

Value linear(const Value& x, int weight, int bias) {
  Trace& trace = x.trace();
  if (trace.failed()) return x;
  const Shape& w = trace.parameter_shape(weight);
  if (w.size() != 2) return trace.fail(x, Op::kLinear, "has no weight [out, in]");
  Shape out = x.shape();
  if (out.back() != w[1])
    return trace.fail(x, Op::kLinear,
                      "expects [..., " + std::to_string(w[1]) + "], found " + shape_text(out));
  out.back() = w[0];
  if (bias == kNoParameter) return record(x, Op::kLinear, {weight}, {}, std::move(out));
  return record(x, Op::kLinear, {weight, bias}, {}, std::move(out));
}

Value add(const Value& a, const Value& b) {
  Trace& trace = a.trace();
  if (trace.failed()) return a;
  if (a.shape() != b.shape())
    return trace.fail(a, Op::kAdd,
                      "adds " + shape_text(a.shape()) + " and " + shape_text(b.shape()) +
                          ", expected equal shapes");
  const Value inputs[] = {a, b};
  return trace.record(Op::kAdd, inputs, {}, {}, a.shape());
}

Value cat(const std::vector<Value>& values) {
  Trace& trace = values.front().trace();
  if (trace.failed()) return values.front();
  Shape out = values.front().shape();
  out[1] = 0;
  for (const Value& value : values) {
    Shape rest = value.shape();
    if (rest.size() == out.size()) {
      out[1] += rest[1];
      rest[1] = out[1];
    }
    if (rest != out)
      return trace.fail(value, Op::kConcat,
                        "joins " + shape_text(values.front().shape()) + " and " +
                            shape_text(value.shape()) + ", expected equal but for dimension 1");
  }
  return trace.record(Op::kConcat, values, {}, {}, std::move(out));
}

Value dropout(const Value& x) {
  return record(x, Op::kDropout, {}, {}, x.shape());
}

}  // namespace tv::graph

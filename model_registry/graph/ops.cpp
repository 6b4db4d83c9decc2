// Operators on images and features: layers.
#include "model_registry/graph/ops.hpp"

#include "model_registry/graph/layer_shapes.hpp"

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

Value pool(const Value& x, Op op, const PoolAttrs& attrs) {
  Trace& trace = x.trace();
  if (trace.failed()) return x;
  const Shape& in = x.shape();
  if (in.size() != 4) return trace.fail(x, op, "expects [N, C, H, W], found " + shape_text(in));
  const std::int64_t height = pooled_size(in[2], attrs, 0);
  const std::int64_t width = pooled_size(in[3], attrs, 1);
  if (height < 1 || width < 1)
    return trace.fail(x, op, too_small(in, pool_need(attrs, 0), pool_need(attrs, 1)));
  return record(x, op, {}, attrs, {in[0], in[1], height, width});
}

Shape complain(const Value& x, Op op, std::string_view problem) {
  x.trace().fail(x, op, problem);
  return {};
}

}  // namespace

Shape linear_shape(const Value& x, int weight) {
  Trace& trace = x.trace();
  if (trace.failed()) return {};
  const Shape& w = trace.parameter_shape(weight);
  Shape out = x.shape();
  if (w.size() != 2) return complain(x, Op::kLinear, "has no weight [out, in]");
  if (out.empty() || out.back() != w[1])
    return complain(x, Op::kLinear,
                    "expects [..., " + std::to_string(w[1]) + "], found " + shape_text(out));
  out.back() = w[0];
  return out;
}

Shape conv2d_shape(const Value& x, int weight, const Conv2dAttrs& attrs) {
  Trace& trace = x.trace();
  if (trace.failed()) return {};
  const Shape& w = trace.parameter_shape(weight);
  if (w.size() != 4) return complain(x, Op::kConv2d, "has no weight [out, in, h, w]");
  const Shape& in = x.shape();
  if (const auto problem = channel_problem(x, w[1] * attrs.groups); !problem.empty())
    return complain(x, Op::kConv2d, problem);
  const std::int64_t need_h = window_need(w[2], attrs.padding[0], attrs.dilation[0]);
  const std::int64_t need_w = window_need(w[3], attrs.padding[1], attrs.dilation[1]);
  if (in[2] < need_h || in[3] < need_w)
    return complain(x, Op::kConv2d, too_small(in, need_h, need_w));
  return {in[0], w[0], (in[2] - need_h) / attrs.stride[0] + 1,
          (in[3] - need_w) / attrs.stride[1] + 1};
}

Value conv2d(const Value& x, int weight, int bias, const Conv2dAttrs& attrs) {
  Shape out = conv2d_shape(x, weight, attrs);
  if (out.empty()) return x;
  if (bias == kNoParameter) return record(x, Op::kConv2d, {weight}, attrs, std::move(out));
  return record(x, Op::kConv2d, {weight, bias}, attrs, std::move(out));
}

Value batch_norm2d(const Value& x, int weight, int bias, int running_mean, int running_var,
                   const NormAttrs& attrs) {
  Trace& trace = x.trace();
  if (trace.failed()) return x;
  const Shape& w = trace.parameter_shape(weight);
  if (const auto problem = channel_problem(x, w.empty() ? -1 : w[0]); !problem.empty())
    return trace.fail(x, Op::kBatchNorm2d, problem);
  return record(x, Op::kBatchNorm2d, {weight, bias, running_mean, running_var}, attrs, x.shape());
}

Value max_pool2d(const Value& x, const PoolAttrs& attrs) {
  return pool(x, Op::kMaxPool2d, attrs);
}

Value avg_pool2d(const Value& x, const PoolAttrs& attrs) {
  return pool(x, Op::kAvgPool2d, attrs);
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
  Shape out = linear_shape(x, weight);
  if (out.empty()) return x;
  if (bias == kNoParameter) return record(x, Op::kLinear, {weight}, FusedAttrs{}, std::move(out));
  return record(x, Op::kLinear, {weight, bias}, FusedAttrs{}, std::move(out));
}

Value linear(const Value& x, int weight, const Value& bias) {
  Shape out = linear_shape(x, weight);
  if (out.empty()) return x;
  if (bias.shape() != Shape{out.back()})
    return x.trace().fail(
        x, Op::kLinear,
        "expects a bias of " + shape_text({out.back()}) + ", found " + shape_text(bias.shape()));
  const Value inputs[] = {x, bias};
  return x.trace().record(Op::kLinear, inputs, std::span(&weight, 1), FusedAttrs{}, std::move(out));
}

Value layer_norm(const Value& x, int weight, int bias, const NormAttrs& attrs) {
  Trace& trace = x.trace();
  if (trace.failed()) return x;
  const Shape& w = trace.parameter_shape(weight);
  if (w.size() != 1 || x.shape().empty() || x.shape().back() != w[0])
    return trace.fail(x, Op::kLayerNorm,
                      "expects [..., " + std::to_string(w.empty() ? -1 : w[0]) + "], found " +
                          shape_text(x.shape()));
  return record(x, Op::kLayerNorm, {weight, bias}, attrs, x.shape());
}

Value dropout(const Value& x) {
  return record(x, Op::kDropout, {}, {}, x.shape());
}

}  // namespace tv::graph

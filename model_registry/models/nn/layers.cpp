#include "model_registry/models/nn/layers.hpp"

#include <cmath>
#include <utility>

#include "model_registry/models/nn/quantized.hpp"

namespace tv::nn {
namespace {

// Conv2d.reset_parameters and Linear.reset_parameters: the weight first, then the bias from the
// weight's fan.
void default_init(Build& build, int weight, int bias) {
  build.kaiming_uniform(weight, std::sqrt(5.0));
  if (bias == graph::kNoParameter) return;
  const auto fan_in = static_cast<double>(graph::fan_of(build.shape(weight), Build::Fan::kIn));
  const double bound = 1 / std::sqrt(fan_in);
  build.uniform(bias, -bound, bound);
}

// In int8 a weight is no parameter of Python's module either: nothing trains it.
int layer_weight(Build& build, Shape shape) {
  return build.int8() ? build.parameter(std::move(shape), DType::kQInt8, true)
                      : build.parameter(std::move(shape));
}

int layer_bias(Build& build, int channels) {
  return build.parameter({channels}, DType::kFloat32, build.int8());
}

}  // namespace

void QuantizableLayer::add_fake_quantize(Build& build) {
  if (!build.quantization_aware()) return;
  add("weight_fake_quant", std::make_unique<FakeQuantize>(build));
  add("activation_post_process", std::make_unique<FakeQuantize>(build));
}

Conv2d::Conv2d(Build& build, int in, int out, int kernel, const Conv2dOptions& options)
    : Conv2d(build, in, out, {kernel, kernel}, {options.padding, options.padding}, options) {}

Conv2d::Conv2d(Build& build, int in, int out, std::array<int, 2> kernel, std::array<int, 2> padding,
               const Conv2dOptions& options) {
  attrs_.stride = {options.stride, options.stride};
  attrs_.padding = padding;
  attrs_.dilation = {options.dilation, options.dilation};
  attrs_.groups = options.groups;
  weight_ =
      add_tensor("weight", layer_weight(build, {out, in / options.groups, kernel[0], kernel[1]}));
  // The batch norm that follows is folded into the bias of an int8 convolution.
  if (options.bias || build.int8()) bias_ = add_tensor("bias", layer_bias(build, out));
  if (build.int8()) result_ = add_qparams(build);
  if (build.quantization_aware() && !options.bias)
    add("bn", std::make_unique<BatchNorm2d>(build, out, BatchNorm2d::InConvolution()));
  add_fake_quantize(build);
  default_init(build, weight_, bias_);
}

Value Conv2d::forward(Value x) const {
  if (result_) return graph::q_conv2d(x, weight_, bias_, *result_, attrs_);
  return graph::conv2d(x, weight_, bias_, attrs_);
}

BatchNorm2d::BatchNorm2d(Build& build, int channels, double eps)
    : attrs_{eps}, folded_(build.int8() || build.quantization_aware()) {
  build.batch_norm_eps(eps);
  if (!folded_) declare(build, channels);
}

BatchNorm2d::BatchNorm2d(Build& build, int channels, InConvolution) : folded_(true) {
  declare(build, channels);
}

void BatchNorm2d::declare(Build& build, int channels) {
  set_version(2);  // the first had no num_batches_tracked
  weight_ = add_tensor("weight", build.parameter({channels}));
  bias_ = add_tensor("bias", build.parameter({channels}));
  running_mean_ = add_tensor("running_mean", build.parameter({channels}, DType::kFloat32, true));
  running_var_ = add_tensor("running_var", build.parameter({channels}, DType::kFloat32, true));
  // Counts training steps; nothing here reads it, files older than PyTorch 0.4.1 lack it.
  const int batches =
      add_tensor("num_batches_tracked", build.parameter({}, DType::kInt64, true, true));
  build.constant(weight_, 1);
  build.constant(bias_, 0);
  build.constant(running_mean_, 0);
  build.constant(running_var_, 1);
  build.constant(batches, 0);
}

Value BatchNorm2d::forward(Value x) const {
  if (folded_) return x;
  return graph::batch_norm2d(x, weight_, bias_, running_mean_, running_var_, attrs_);
}

Linear::Linear(Build& build, int in, int out, bool bias) {
  if (build.int8()) result_ = add_qparams(build);
  weight_ = add_tensor("weight", layer_weight(build, {out, in}));
  if (bias || build.int8()) bias_ = add_tensor("bias", layer_bias(build, out));
  add_fake_quantize(build);
  default_init(build, weight_, bias_);
}

Value Linear::forward(Value x) const {
  if (result_) return graph::q_linear(x, weight_, bias_, *result_);
  return graph::linear(x, weight_, bias_);
}

LayerNorm::LayerNorm(Build& build, int channels, double eps)
    : attrs_{eps},
      weight_(add_tensor("weight", build.parameter({channels}))),
      bias_(add_tensor("bias", build.parameter({channels}))) {
  build.constant(weight_, 1);
  build.constant(bias_, 0);
}

Value LayerNorm::forward(Value x) const {
  return graph::layer_norm(x, weight_, bias_, attrs_);
}

Hardswish::Hardswish(Build& build) {
  if (build.int8()) result_ = add_qparams(build);
  if (build.quantization_aware())
    add("activation_post_process", std::make_unique<FakeQuantize>(build));
}

Value Hardswish::forward(Value x) const {
  return result_ ? graph::q_hardswish(x, *result_) : graph::hardswish(x);
}

Hardsigmoid::Hardsigmoid(Build& build) {
  if (build.quantization_aware())
    add("activation_post_process", std::make_unique<FixedFakeQuantize>(build));
}

AvgPool2d::AvgPool2d(const AvgPool2dOptions& options) {
  attrs_.kernel = {options.kernel, options.kernel};
  attrs_.stride = {options.stride, options.stride};
  attrs_.padding = {options.padding, options.padding};
}

MaxPool2d::MaxPool2d(const MaxPool2dOptions& options) {
  attrs_.kernel = {options.kernel, options.kernel};
  attrs_.stride = {options.stride, options.stride};
  attrs_.padding = {options.padding, options.padding};
  attrs_.ceil_mode = options.ceil_mode;
}

}  // namespace tv::nn

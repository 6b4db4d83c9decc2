#include "elements/inference/backend_torch/parameters.hpp"

#include <ATen/ops/_empty_affine_quantized.h>
#include <ATen/ops/_empty_per_channel_affine_quantized.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>

#include "model_registry/registry/weights.hpp"

namespace tv::inference {
namespace {

c10::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return at::kFloat;
    case DType::kFloat64:
      return at::kDouble;
    case DType::kFloat16:
      return at::kHalf;
    case DType::kBFloat16:
      return at::kBFloat16;
    case DType::kInt64:
      return at::kLong;
    case DType::kInt32:
      return at::kInt;
    case DType::kInt16:
      return at::kShort;
    case DType::kInt8:
      return at::kChar;
    case DType::kUInt8:
      return at::kByte;
    case DType::kBool:
      return at::kBool;
    case DType::kQInt8:
      return at::kQInt8;
    case DType::kQUInt8:
      return at::kQUInt8;
    case DType::kQInt32:
      return at::kQInt32;
  }
  return at::kFloat;
}

// A NaN or an infinity has all bits of its exponent set.
bool all_finite(const at::Tensor& tensor) {
  if (tensor.scalar_type() != at::kFloat) return true;
  constexpr std::uint32_t kExponent = 0x7f800000;
  const float* const data = tensor.const_data_ptr<float>();
  return std::none_of(data, data + tensor.numel(), [](float value) {
    return (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent;
  });
}

bool any_negative(const at::Tensor& tensor) {
  const float* const data = tensor.const_data_ptr<float>();
  return std::any_of(data, data + tensor.numel(), [](float value) { return value < 0; });
}

Error bad_values(const graph::Network& network, const std::string& name, std::string_view what) {
  return {Code::kBadCheckpoint, network.builder() + ": tensor " + name + " " + std::string(what),
          "the file is damaged or its training diverged"};
}

at::Tensor empty_quantized(const TensorView& view) {
  const Quantization& q = *view.quantization;
  const auto options = at::TensorOptions().dtype(scalar_type(view.dtype));
  if (q.axis < 0)
    return at::_empty_affine_quantized(view.sizes, options, q.scales.front(),
                                       q.zero_points.front());
  return at::_empty_per_channel_affine_quantized(view.sizes, at::tensor(q.scales),
                                                 at::tensor(q.zero_points), q.axis, options);
}

at::Tensor tensor_of(const TensorView& view) {
  at::Tensor tensor =
      view.quantization ? empty_quantized(view) : at::empty(view.sizes, scalar_type(view.dtype));
  if (tensor.numel() == 0) return tensor;
  if (view.is_contiguous()) {
    std::memcpy(tensor.mutable_data_ptr(), view.data, tensor.nbytes());
  } else {
    std::memcpy(tensor.mutable_data_ptr(), contiguous_bytes(view).data(), tensor.nbytes());
  }
  return tensor;
}

// "" for what the int8 operators can compute with, else what is wrong: they check little
// themselves.
std::string_view int8_problem(const graph::Parameter& declared, const at::Tensor& tensor) {
  constexpr std::int64_t kLargest = 255;  // of quint8
  if (declared.dtype == DType::kQInt8 && tensor.qscheme() == at::kPerChannelAffine &&
      tensor.q_per_channel_axis() != 0)
    return "has scales for another dimension than the output channels";
  if (declared.name.ends_with("scale") && !(tensor.item<float>() > 0)) return "is not positive";
  if (declared.name.ends_with("zero_point")) {
    const auto value = tensor.item<std::int64_t>();
    if (value < 0 || value > kLargest) return "is outside 0..255";
  }
  return "";
}

std::int64_t elements(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

// An observer that has seen nothing holds infinities; quantize.cpp judges what it reads.
bool is_range(const graph::Network& network, const graph::Parameter& declared) {
  return network.form() == graph::Form::kQuantizationAware &&
         (declared.name.ends_with(".min_val") || declared.name.ends_with(".max_val"));
}

// "" for what can be computed with.
std::string_view value_problem(const graph::Network& network, const graph::Parameter& declared,
                               std::string_view without_values, const at::Tensor& tensor) {
  if (lacks_values(declared.name, without_values)) return "";
  if (!is_range(network, declared) && !all_finite(tensor)) return "holds a NaN or an infinity";
  if (declared.name.ends_with("running_var") && any_negative(tensor))
    return "holds a negative variance";
  return network.int8() ? int8_problem(declared, tensor) : "";
}

// What an absent optional parameter starts with.
double initial_value(const graph::Network& network, std::size_t index) {
  double value = 0;
  for (const graph::InitStep& step : network.init())
    if (step.parameter == static_cast<int>(index)) value = step.a;
  return value;
}

Quantization quantization_of(const at::Tensor& tensor) {
  if (tensor.qscheme() == at::kPerTensorAffine)
    return {.scales = {tensor.q_scale()}, .zero_points = {tensor.q_zero_point()}};
  const at::Tensor scales = tensor.q_per_channel_scales().to(at::kDouble).contiguous();
  const at::Tensor zeros = tensor.q_per_channel_zero_points().to(at::kLong).contiguous();
  const auto* const scale = scales.const_data_ptr<double>();
  const auto* const zero = zeros.const_data_ptr<std::int64_t>();
  return {.scales = {scale, scale + scales.numel()},
          .zero_points = {zero, zero + zeros.numel()},
          .axis = tensor.q_per_channel_axis()};
}

std::vector<double> doubles_of(const at::Tensor& tensor) {
  const float* const data = tensor.const_data_ptr<float>();
  return {data, data + tensor.numel()};
}

const at::Tensor& parameter_at(const Parameters& parameters, int id) {
  return parameters[static_cast<std::size_t>(id)];
}

const graph::DerivedParameter& derived_rule(const graph::Graph& graph, int id) {
  return graph.derived[static_cast<std::size_t>(id - graph.first_derived)];
}

// What a folded batch norm multiplies each channel by.
std::vector<double> scales_of(const graph::DerivedParameter& rule, const Parameters& parameters) {
  std::vector<double> scales = doubles_of(parameter_at(parameters, rule.gamma));
  const auto variance = doubles_of(parameter_at(parameters, rule.variance));
  for (std::size_t c = 0; c < scales.size(); ++c) scales[c] /= std::sqrt(variance[c] + rule.eps);
  return scales;
}

at::Tensor folded_weight(const graph::DerivedParameter& rule, const Parameters& parameters) {
  const std::vector<double> scales = scales_of(rule, parameters);
  const at::Tensor& weight = parameter_at(parameters, rule.weight);
  at::Tensor folded = at::empty(weight.sizes(), at::kFloat);
  const float* in = weight.const_data_ptr<float>();
  float* out = folded.mutable_data_ptr<float>();
  const auto per_channel = static_cast<std::size_t>(weight.numel()) / scales.size();
  for (const double scale : scales)
    for (std::size_t i = 0; i < per_channel; ++i) *out++ = static_cast<float>(*in++ * scale);
  return folded;
}

std::vector<double> folded_bias(const graph::DerivedParameter& rule, const Parameters& parameters) {
  const std::vector<double> scales = scales_of(rule, parameters);
  const auto beta = doubles_of(parameter_at(parameters, rule.beta));
  const auto mean = doubles_of(parameter_at(parameters, rule.mean));
  std::vector<double> bias(mean.size());
  if (rule.bias >= 0) bias = doubles_of(parameter_at(parameters, rule.bias));
  for (std::size_t c = 0; c < mean.size(); ++c) bias[c] = beta[c] + (bias[c] - mean[c]) * scales[c];
  return bias;
}

// A bias of its own or a derived one, not yet rounded.
std::vector<double> bias_numbers(const graph::Graph& graph, int id, const Parameters& parameters) {
  if (id < graph.first_derived) return doubles_of(parameter_at(parameters, id));
  const graph::DerivedParameter& rule = derived_rule(graph, id);
  if (rule.kind == graph::DerivedParameter::Kind::kFoldedBias) return folded_bias(rule, parameters);
  std::vector<double> sum = bias_numbers(graph, rule.terms[0], parameters);
  const std::vector<double> other = bias_numbers(graph, rule.terms[1], parameters);
  std::transform(sum.begin(), sum.end(), other.begin(), sum.begin(), std::plus<>());
  return sum;
}

}  // namespace

at::Tensor empty_parameter(const Shape& shape, DType dtype) {
  return at::empty(shape, scalar_type(dtype));
}

Result<Parameters> bound_parameters(const graph::Network& network,
                                    const graph::BoundTensors& tensors,
                                    std::string_view without_values, const CancelCheck& cancelled) {
  Parameters parameters;
  parameters.reserve(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    TV_RETURN_IF_ERROR(check_cancelled(cancelled, "loading " + network.builder()));
    const graph::Parameter& declared = network.parameters()[i];
    if (!tensors[i].data && declared.optional) {
      parameters.push_back(empty_parameter(declared.shape, declared.dtype));
      parameters.back().fill_(initial_value(network, i));
      continue;
    }
    if (declared.dtype == DType::kQInt8 && !tensors[i].quantization)
      return bad_values(network, declared.name, "is int8 without a scale");
    at::Tensor tensor = tensor_of(tensors[i]).to(scalar_type(declared.dtype));
    if (tensor.numel() != elements(declared.shape))
      return bad_values(network, declared.name, "was bound to another network");
    tensor = tensor.view(declared.shape);
    if (const std::string_view problem = value_problem(network, declared, without_values, tensor);
        !problem.empty())
      return bad_values(network, declared.name, problem);
    parameters.push_back(std::move(tensor));
  }
  return parameters;
}

at::Tensor derived_parameter(const graph::Graph& graph, int id, const Parameters& parameters) {
  const graph::DerivedParameter& rule = derived_rule(graph, id);
  if (rule.kind == graph::DerivedParameter::Kind::kFoldedWeight)
    return folded_weight(rule, parameters);
  const std::vector<double> numbers = bias_numbers(graph, id, parameters);
  at::Tensor bias = at::empty({static_cast<std::int64_t>(numbers.size())}, at::kFloat);
  std::transform(numbers.begin(), numbers.end(), bias.mutable_data_ptr<float>(),
                 [](double number) { return static_cast<float>(number); });
  return bias;
}

std::vector<std::pair<std::string, TensorView>> parameter_views(const graph::Network& network,
                                                                const Parameters& parameters) {
  std::vector<std::pair<std::string, TensorView>> views;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const graph::Parameter& declared = network.parameters()[i];
    const auto* const source = static_cast<const std::byte*>(parameters[i].const_data_ptr());
    auto bytes = std::make_shared<std::vector<std::byte>>(source, source + parameters[i].nbytes());
    TensorView view;
    view.dtype = declared.dtype;
    view.sizes = declared.shape;
    view.strides = parameters[i].strides().vec();
    if (parameters[i].is_quantized()) view.quantization = quantization_of(parameters[i]);
    view.data = bytes->data();
    view.storage = std::move(bytes);
    views.emplace_back(declared.name, std::move(view));
  }
  return views;
}

}  // namespace tv::inference

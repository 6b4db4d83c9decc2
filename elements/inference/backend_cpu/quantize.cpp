// The arithmetic is torch.ao.quantization's to the bit: float32 tensors, in its order of
// operations.
#include "elements/inference/backend_cpu/quantize.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/fused_moving_avg_obs_fake_quant.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/quantize_per_channel.h>
#include <ATen/ops/quantize_per_tensor.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros_like.h>

#include <limits>
#include <map>

#include "elements/inference/backend_cpu/executor.hpp"
#include "model_registry/graph/passes/passes.hpp"

namespace tv::inference {
namespace {

using at::Tensor;
using graph::Op;

struct Range {
  std::int64_t low, high;
};
constexpr Range kCalibrated = {0, 127};  // of activations; fbgemm's additions need the spare bit
constexpr Range kTrained = {0, 255};
constexpr Range kWeights = {-128, 127};
constexpr std::string_view kQuantizing = "quantising a network";
constexpr std::int64_t kCalibrationSide = 299;                     // pixels
constexpr double kAveraging = 0.01;                                // of a moving observer
constexpr float kEpsilon = std::numeric_limits<float>::epsilon();  // the smallest scale

struct Observed {
  Tensor min, max;  // float32, [] or one a channel
};

/// Parameters by name.
class Named {
 public:
  Named(const graph::Network& network, const Parameters& parameters) : parameters_(parameters) {
    for (std::size_t i = 0; i < parameters.size(); ++i)
      index_.emplace(network.parameters()[i].name, i);
  }
  const Tensor* find(const std::string& name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &parameters_[found->second];
  }
  const Tensor& at(const std::string& name) const {
    const Tensor* const tensor = find(name);
    TORCH_CHECK(tensor, "the float network has no ", name);
    return *tensor;
  }

 private:
  const Parameters& parameters_;
  std::map<std::string_view, std::size_t> index_;
};

struct Layer {
  Tensor weight, bias;
};

// The batch norm behind a convolution, as fuse_model() of torchvision's quantizable models names
// it: "conv1" -> "bn1", "conv" -> "bn", and in a Sequential the next one.
std::string norm_of(const std::string& convolution) {
  const std::size_t start = convolution.rfind('.') + 1;
  const std::string parent = convolution.substr(0, start), last = convolution.substr(start);
  if (last.find_first_not_of("0123456789") == std::string::npos)
    return parent + std::to_string(std::stoi(last) + 1);
  return last.starts_with("conv") ? parent + "bn" + last.substr(4) : "";
}

// torch.nn.utils.fusion.fuse_conv_bn_weights
Layer folded(const Named& floats, const std::string& name, double eps) {
  Layer layer{.weight = floats.at(name + ".weight"), .bias = {}};
  if (const Tensor* const bias = floats.find(name + ".bias")) layer.bias = *bias;
  std::string norm = name + ".bn";  // of the quantisation-aware form
  if (!floats.find(norm + ".running_var")) norm = norm_of(name);
  if (layer.weight.dim() != 4 || !floats.find(norm + ".running_var")) return layer;

  const Tensor& mean = floats.at(norm + ".running_mean");
  const Tensor& gamma = floats.at(norm + ".weight");
  const Tensor bias = layer.bias.defined() ? layer.bias : at::zeros_like(mean);
  const Tensor factor = at::rsqrt(floats.at(norm + ".running_var") + eps);
  layer.weight = layer.weight * (gamma * factor).reshape({-1, 1, 1, 1});
  layer.bias = (bias - mean) * factor * gamma + floats.at(norm + ".bias");
  return layer;
}

std::string owner_of(const std::string& parameter) {
  return parameter.substr(0, parameter.rfind('.'));
}

std::map<std::string, Layer> folded_layers(const graph::Network& network, const Named& floats) {
  std::map<std::string, Layer> layers;
  for (const graph::Parameter& parameter : network.parameters()) {
    if (parameter.dtype != DType::kQInt8) continue;
    const std::string owner = owner_of(parameter.name);
    layers.emplace(owner, folded(floats, owner, network.batch_norm_eps()));
  }
  return layers;
}

// ---- observers ----

struct Scales {
  Tensor scale;       // float32
  Tensor zero_point;  // int64, as many
};

// UniformQuantizationObserverBase._calculate_qparams, per_tensor_affine
Scales affine(const Observed& seen, Range range, double eps) {
  const Tensor low = at::minimum(seen.min, at::zeros_like(seen.min));
  const Tensor high = at::maximum(seen.max, at::zeros_like(seen.max));
  Scales scales;
  scales.scale = (high - low).div(static_cast<double>(range.high - range.low)).clamp_min(eps);
  scales.zero_point =
      (range.low - (low / scales.scale).round().to(at::kInt)).clamp(range.low, range.high);
  return scales;
}

// The same, per_tensor_symmetric and per_channel_symmetric
Scales symmetric(const Observed& seen, double eps) {
  const Tensor low = at::minimum(seen.min, at::zeros_like(seen.min));
  const Tensor high = at::maximum(seen.max, at::zeros_like(seen.max));
  constexpr double kHalf = static_cast<double>(kWeights.high - kWeights.low) / 2;
  Scales scales;
  scales.scale = at::maximum(low.neg(), high).div(kHalf).clamp_min(eps);
  scales.zero_point = at::zeros_like(scales.scale, at::kLong);
  return scales;
}

Observed look(const Tensor& x) {
  const auto [min, max] = at::aminmax(x);
  return {min, max};
}

Tensor quantize_by_tensor(const Tensor& weight, const Observed& seen, double eps) {
  const Scales scales = symmetric(seen, eps);
  return at::quantize_per_tensor(weight, scales.scale.item<float>(), 0, at::kQInt8);
}

Tensor quantize_by_channel(const Tensor& weight) {
  const auto [min, max] = at::aminmax(weight.flatten(1), 1);
  const Scales scales = symmetric({min, max}, kEpsilon);
  return at::quantize_per_channel(weight, scales.scale.to(at::kDouble), scales.zero_point, 0,
                                  at::kQInt8);
}

// ---- calibration ----

/// The int8 graph in float, with an observer behind every node that has a scale.
class Calibration {
 public:
  Calibration(const graph::Network& network, const std::map<std::string, Layer>& layers,
              Parameters& result, const CancelCheck& cancelled)
      : network_(network), layers_(layers), result_(result), cancelled_(cancelled) {}

  Status run(const graph::Graph& graph, const Tensor& pixels) {
    std::vector<Tensor> values = {pixels};
    for (std::size_t id = 1; id < graph.nodes.size(); ++id) {
      TV_RETURN_IF_ERROR(check_cancelled(cancelled_, kQuantizing));
      const graph::Node& node = graph.nodes[id];
      std::vector<Tensor> inputs;
      for (const int input : node.inputs) inputs.push_back(values[static_cast<std::size_t>(input)]);
      values.push_back(compute(node, inputs));
      if (!node.params.empty()) observe(node, values.back());
    }
    return {};
  }

 private:
  const Layer& layer(const graph::Node& node) const {
    const auto& weight = network_.parameters()[static_cast<std::size_t>(node.params[0])];
    return layers_.at(owner_of(weight.name));
  }

  static Tensor activated(const Tensor& x, graph::Activation activation) {
    return activation == graph::Activation::kRelu ? at::relu(x) : x;
  }

  Tensor conv2d(const graph::Node& node, const Tensor& x) const {
    const auto& attrs = std::get<graph::Conv2dAttrs>(node.attrs);
    const std::array<std::int64_t, 2> stride = {attrs.stride[0], attrs.stride[1]};
    const std::array<std::int64_t, 2> padding = {attrs.padding[0], attrs.padding[1]};
    const std::array<std::int64_t, 2> dilation = {attrs.dilation[0], attrs.dilation[1]};
    const Layer& l = layer(node);
    return activated(at::conv2d(x, l.weight, l.bias, stride, padding, dilation, attrs.groups),
                     attrs.activation);
  }

  Tensor compute(const graph::Node& node, const std::vector<Tensor>& inputs) const {
    switch (node.op) {
      case Op::kQuantize:
      case Op::kDequantize:
        return inputs[0];
      case Op::kQConv2d:
        return conv2d(node, inputs[0]);
      case Op::kQLinear:
        return at::linear(inputs[0], layer(node).weight, layer(node).bias);
      case Op::kQAdd:
        return activated(inputs[0].add(inputs[1]),
                         std::get<graph::FusedAttrs>(node.attrs).activation);
      case Op::kQMultiply:
        return inputs[0].mul(inputs[1]);
      case Op::kQConcat:
        return at::cat(inputs, std::get<graph::AxesAttrs>(node.attrs).axes.front());
      case Op::kQHardswish:
        return at::hardswish(inputs[0]);
      default:
        return run_plain(node, inputs, {});
    }
  }

  void observe(const graph::Node& node, const Tensor& x) {
    const Scales scales = affine(look(x), kCalibrated, kEpsilon);
    const std::size_t count = node.params.size();
    result_[static_cast<std::size_t>(node.params[count - 2])].fill_(scales.scale);
    result_[static_cast<std::size_t>(node.params[count - 1])].fill_(scales.zero_point);
  }

  const graph::Network& network_;
  const std::map<std::string, Layer>& layers_;
  Parameters& result_;
  const CancelCheck& cancelled_;
};

// Scale 1 and zero point 0: what stays where nothing was observed (heads that inference does not
// run, additions that a block does not make).
Parameters blank(const graph::Network& network) {
  Parameters parameters;
  for (const graph::Parameter& declared : network.parameters()) {
    const DType dtype = declared.dtype == DType::kQInt8 ? DType::kFloat32 : declared.dtype;
    parameters.push_back(empty_parameter(declared.shape, dtype));
    parameters.back().fill_(declared.name.ends_with("zero_point") ? 0 : 1);
  }
  return parameters;
}

template <typename Quantize>
Status set_layers(const graph::Network& network, const std::map<std::string, Layer>& layers,
                  Parameters& result, const CancelCheck& cancelled, Quantize quantize) {
  for (std::size_t i = 0; i < result.size(); ++i) {
    TV_RETURN_IF_ERROR(check_cancelled(cancelled, kQuantizing));
    const graph::Parameter& declared = network.parameters()[i];
    const std::string owner = owner_of(declared.name);
    if (declared.dtype == DType::kQInt8) result[i] = quantize(owner, layers.at(owner).weight);
    if (declared.name.ends_with(".bias")) result[i] = layers.at(owner).bias.clone();
  }
  return {};
}

// ---- quantisation-aware training ----

/// What training observed of "<name>".
class TrainedObserver {
 public:
  TrainedObserver(const Named& floats, const std::string& name)
      : floats_(floats), name_(name), inner_(name + ".activation_post_process.") {}

  double eps() const { return floats_.at(inner_ + "eps").item<float>(); }
  Observed seen() const {
    return {floats_.at(inner_ + "min_val").clone(), floats_.at(inner_ + "max_val").clone()};
  }

  // FusedMovingAvgObsFakeQuantize.forward, for what it does to the range.
  Observed seen_with(const Tensor& weight) const {
    Observed range = seen();
    Tensor scale = floats_.at(name_ + ".scale").clone();
    Tensor zero_point = floats_.at(name_ + ".zero_point").to(at::kInt);
    at::fused_moving_avg_obs_fake_quant(weight, floats_.at(name_ + ".observer_enabled"),
                                        floats_.at(name_ + ".fake_quant_enabled"), range.min,
                                        range.max, scale, zero_point, kAveraging, kWeights.low,
                                        kWeights.high, -1, false, true);
    return range;
  }

 private:
  const Named& floats_;
  std::string name_, inner_;
};

enum class Sight { kNothing, kRange, kNonsense };

Sight sight_of(const Observed& seen) {
  const float min = seen.min.item<float>(), max = seen.max.item<float>();
  if (std::isinf(min) && min > 0 && std::isinf(max) && max < 0) return Sight::kNothing;
  return std::isfinite(min) && std::isfinite(max) && min <= max ? Sight::kRange : Sight::kNonsense;
}

Error no_range(const graph::Network& network, const std::string& name) {
  return {Code::kBadCheckpoint,
          network.builder() + ": tensors " + name + ".min_val and max_val are no range",
          "the file is damaged or its training diverged"};
}

}  // namespace

Result<Parameters> calibrated_parameters(const graph::Network& network, const Parameters& floats,
                                         at::Generator generator, const CancelCheck& cancelled) {
  TV_ASSIGN_OR_RETURN(graph::Graph graph,
                      network.trace({1, 3, kCalibrationSide, kCalibrationSide}));
  const Tensor pixels =
      at::empty({1, 3, kCalibrationSide, kCalibrationSide}, at::kFloat).uniform_(0, 1, generator);
  const auto layers = folded_layers(network, Named(*network.source(), floats));
  Parameters result = blank(network);
  TV_RETURN_IF_ERROR(Calibration(network, layers, result, cancelled)
                         .run(graph::optimize(std::move(graph)), pixels));
  const bool by_channel = network.backend() == graph::QuantizedBackend::kFbgemm;
  const auto quantize = [&](const std::string&, const Tensor& weight) {
    return by_channel ? quantize_by_channel(weight)
                      : quantize_by_tensor(weight, look(weight), kEpsilon);
  };
  TV_RETURN_IF_ERROR(set_layers(network, layers, result, cancelled, quantize));
  return result;
}

Result<Parameters> converted_parameters(const graph::Network& network, const Parameters& floats,
                                        const CancelCheck& cancelled) {
  const Named named(*network.source(), floats);
  const auto layers = folded_layers(network, named);
  Parameters result = blank(network);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::string& name = network.parameters()[i].name;
    const bool scale = name.ends_with(".scale");
    if (!scale && !name.ends_with(".zero_point")) continue;
    const std::string observer = owner_of(name) + ".activation_post_process";
    const TrainedObserver trained(named, observer);
    const Sight sight = sight_of(trained.seen());
    if (sight == Sight::kNonsense) return no_range(network, observer + ".activation_post_process");
    if (sight == Sight::kNothing) continue;
    const Scales scales = affine(trained.seen(), kTrained, trained.eps());
    result[i].fill_(scale ? scales.scale : scales.zero_point);
  }
  for (const auto& [name, layer] : layers) {
    TV_RETURN_IF_ERROR(check_cancelled(cancelled, kQuantizing));
    const std::string observer = name + ".weight_fake_quant";
    if (sight_of(TrainedObserver(named, observer).seen_with(layer.weight)) != Sight::kRange)
      return no_range(network, observer + ".activation_post_process");
  }
  const auto quantize = [&](const std::string& name, const Tensor& weight) {
    const TrainedObserver trained(named, name + ".weight_fake_quant");
    return quantize_by_tensor(weight, trained.seen_with(weight), trained.eps());
  };
  TV_RETURN_IF_ERROR(set_layers(network, layers, result, cancelled, quantize));
  return result;
}

}  // namespace tv::inference

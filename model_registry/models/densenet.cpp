// DenseNet-BC (Huang et al. 2016, Densely Connected Convolutional Networks, arXiv 1608.06993).
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::models {
namespace {

using graph::adaptive_avg_pool2d;
using graph::cat;
using graph::flatten;
using graph::relu;
using namespace nn;

struct Variant {
  std::string_view builder;
  int growth_rate;            // channels that a layer adds
  std::array<int, 4> layers;  // of each dense block
  int stem_channels;
};

// Table 1 of the paper; 161 is the authors' wider network of their repository.
// clang-format off
constexpr Variant kVariants[] = {
    {"densenet121", 32, {6, 12, 24, 16}, 64},
    {"densenet161", 48, {6, 12, 36, 24}, 96},
    {"densenet169", 32, {6, 12, 32, 32}, 64},
    {"densenet201", 32, {6, 12, 48, 32}, 64},
};
// clang-format on

constexpr int kMinSize = 29;
constexpr int kBottleneck = 4;  // a layer's 1x1 convolution has so many times the growth rate

std::unique_ptr<Conv2d> conv(Build& build, int in, int out, int kernel, int stride = 1) {
  return std::make_unique<Conv2d>(
      build, in, out, kernel,
      Conv2dOptions{.stride = stride, .padding = (kernel - 1) / 2, .bias = false});
}

std::unique_ptr<BatchNorm2d> norm(Build& build, int channels) {
  return std::make_unique<BatchNorm2d>(build, channels);
}

class DenseLayer final : public Module {
 public:
  DenseLayer(Build& build, int in, int growth_rate) {
    const int width = kBottleneck * growth_rate;
    norm1_ = add("norm1", norm(build, in));
    conv1_ = add("conv1", conv(build, in, width, 1));
    norm2_ = add("norm2", norm(build, width));
    conv2_ = add("conv2", conv(build, width, growth_rate, 3));
  }

  using Module::forward;
  /// All features so far, [N, *, H, W] -> [N, growth_rate, H, W].
  Value forward(const std::vector<Value>& features) const {
    const Value bottleneck = conv1_(relu(norm1_(cat(features))));
    return conv2_(relu(norm2_(bottleneck)));
  }

 private:
  Ref<BatchNorm2d> norm1_, norm2_;
  Ref<Conv2d> conv1_, conv2_;
};

class DenseBlock final : public Module {
 public:
  DenseBlock(Build& build, int in, int layers, int growth_rate) {
    set_version(2);
    for (int i = 0; i < layers; ++i)
      layers_.push_back(
          add("denselayer" + std::to_string(i + 1),
              std::make_unique<DenseLayer>(build, in + i * growth_rate, growth_rate)));
  }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, in + layers * growth_rate, H, W]
    std::vector<Value> features = {x};
    for (const auto& layer : layers_) features.push_back(layer(features));
    return cat(features);
  }

 private:
  std::vector<Ref<DenseLayer>> layers_;
};

std::unique_ptr<Sequential> transition(Build& build, int in, int out) {
  auto layers = std::make_unique<Sequential>();
  layers->append("norm", norm(build, in));
  layers->append("relu", std::make_unique<ReLU>());
  layers->append("conv", conv(build, in, out, 1));
  layers->append("pool", std::make_unique<AvgPool2d>(AvgPool2dOptions{.kernel = 2, .stride = 2}));
  return layers;
}

class DenseNet final : public Module {
 public:
  DenseNet(Build& build, const Variant& variant, int num_classes) {
    int channels = variant.stem_channels;
    auto features = std::make_unique<Sequential>();
    features->append("conv0", conv(build, 3, channels, 7, 2));
    features->append("norm0", norm(build, channels));
    features->append("relu0", std::make_unique<ReLU>());
    features->append("pool0", std::make_unique<MaxPool2d>(
                                  MaxPool2dOptions{.kernel = 3, .stride = 2, .padding = 1}));
    for (std::size_t i = 0; i < variant.layers.size(); ++i) {
      const std::string number = std::to_string(i + 1);
      features->append(
          "denseblock" + number,
          std::make_unique<DenseBlock>(build, channels, variant.layers[i], variant.growth_rate));
      channels += variant.layers[i] * variant.growth_rate;
      if (i + 1 == variant.layers.size()) break;
      features->append("transition" + number, transition(build, channels, channels / 2));
      channels /= 2;
    }
    features->append("norm5", norm(build, channels));
    features_ = add("features", std::move(features));
    classifier_ = add("classifier", std::make_unique<Linear>(build, channels, num_classes));
    initialise(build);
  }

  Value forward(Value x) const override {                           // [N, 3, H, W]
    x = relu(features_(x));                                         // [N, channels, H/32, W/32]
    return classifier_(flatten(adaptive_avg_pool2d(x, {{1, 1}})));  // [N, classes]
  }

 private:
  void initialise(Build& build) {
    for_each([&](Module& module) {
      if (const auto* conv = dynamic_cast<Conv2d*>(&module)) {
        build.kaiming_normal(conv->weight(), Build::Fan::kIn);
      } else if (const auto* linear = dynamic_cast<Linear*>(&module)) {
        build.constant(linear->bias(), 0);
      }
    });
  }

  Ref<Sequential> features_;
  Ref<Linear> classifier_;
};

// The tensors of a layer that the published files call "norm.1.weight" for "norm1.weight".
constexpr std::string_view kOldModules[] = {"norm.1.", "norm.2.", "conv.1.", "conv.2."};
constexpr std::string_view kOldTensors[] = {"weight", "bias", "running_mean", "running_var"};

std::string current_name(std::string_view old_name) {
  constexpr std::string_view kLayer = ".denselayer";
  const auto layer = old_name.rfind(kLayer);
  if (layer == std::string_view::npos) return {};
  const auto number = layer + kLayer.size();
  const auto dot = old_name.find_first_not_of("0123456789", number);
  if (dot == std::string_view::npos || dot == number || old_name[dot] != '.') return {};
  const std::string_view inside = old_name.substr(dot + 1);
  for (const std::string_view module : kOldModules) {
    if (!inside.starts_with(module)) continue;
    const std::string_view tensor = inside.substr(module.size());
    if (std::ranges::find(kOldTensors, tensor) == std::end(kOldTensors)) return {};
    return std::string(old_name.substr(0, dot + 1)) + std::string(module.substr(0, 4)) +
           std::string(inside.substr(5));
  }
  return {};
}

}  // namespace

std::vector<ModelRow> densenet_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back({variant.builder,
                    kMinSize,
                    [&variant](Build& build, const ModelConfig& config) {
                      build.old_names(current_name);
                      return std::make_unique<DenseNet>(build, variant, config.num_classes);
                    },
                    {{Option::kDropRate}}});
  }
  return rows;
}

}  // namespace tv::models

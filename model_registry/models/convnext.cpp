// ConvNeXt (Liu et al. 2022, arXiv 2201.03545).
#include <array>
#include <memory>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/layer_norm2d.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/permute.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::models {
namespace {

using namespace nn;

struct Variant {
  std::string_view builder;
  std::array<int, 4> channels;  ///< C, of the four stages
  std::array<int, 4> blocks;    ///< B
};

// Section 3 of the paper.
// clang-format off
constexpr Variant kVariants[] = {
    {"convnext_tiny",  { 96, 192,  384,  768}, {3, 3,  9, 3}},
    {"convnext_small", { 96, 192,  384,  768}, {3, 3, 27, 3}},
    {"convnext_base",  {128, 256,  512, 1024}, {3, 3, 27, 3}},
    {"convnext_large", {192, 384,  768, 1536}, {3, 3, 27, 3}},
};
// clang-format on

constexpr double kEps = 1e-6;         // of every layer norm
constexpr double kLayerScale = 1e-6;  // at first
constexpr int kPatch = 4;             // pixels, side of what the stem sees at once
constexpr int kMinSize = 32;

/// x + layer_scale * (depthwise 7x7, then two layers at each pixel).
class CNBlock final : public Module {
 public:
  CNBlock(Build& build, int channels) {
    auto block = std::make_unique<Sequential>();
    block->emplace<Conv2d>(build, channels, channels, 7,
                           Conv2dOptions{.padding = 3, .groups = channels});
    block->emplace<Permute>(std::vector<int>{0, 2, 3, 1});
    block->emplace<LayerNorm>(build, channels, kEps);
    block->emplace<Linear>(build, channels, 4 * channels);
    block->emplace<GELU>();
    block->emplace<Linear>(build, 4 * channels, channels);
    block->emplace<Permute>(std::vector<int>{0, 3, 1, 2});
    block_ = add("block", std::move(block));
    layer_scale_ = add_tensor("layer_scale", build.parameter({channels, 1, 1}));
    build.constant(layer_scale_, kLayerScale);
    add("stochastic_depth", std::make_unique<Identity>());
  }

  Value forward(Value x) const override {  // [N, channels, H, W] -> the same
    return graph::parameter(x, layer_scale_) * block_(x) + x;
  }

 private:
  Ref<Sequential> block_;
  int layer_scale_;
};

/// Halves the image.
std::unique_ptr<Sequential> make_downsampling(Build& build, int in, int out) {
  auto layers = std::make_unique<Sequential>();
  layers->emplace<LayerNorm2d>(build, in, kEps);
  layers->emplace<Conv2d>(build, in, out, 2, Conv2dOptions{.stride = 2});
  return layers;
}

class ConvNeXt final : public Module {
 public:
  ConvNeXt(Build& build, const Variant& variant, int num_classes) {
    auto features = std::make_unique<Sequential>();
    auto stem = std::make_unique<Sequential>();
    stem->emplace<Conv2d>(build, 3, variant.channels[0], kPatch, Conv2dOptions{.stride = kPatch});
    stem->emplace<LayerNorm2d>(build, variant.channels[0], kEps);
    features->append(std::move(stem));
    for (std::size_t i = 0; i < variant.channels.size(); ++i) {
      if (i > 0)
        features->append(make_downsampling(build, variant.channels[i - 1], variant.channels[i]));
      auto stage = std::make_unique<Sequential>();
      for (int b = 0; b < variant.blocks[i]; ++b)
        stage->emplace<CNBlock>(build, variant.channels[i]);
      features->append(std::move(stage));
    }
    features_ = add("features", std::move(features));
    avgpool_ = add("avgpool", std::make_unique<AdaptiveAvgPool2d>(1));

    auto classifier = std::make_unique<Sequential>();
    classifier->emplace<LayerNorm2d>(build, variant.channels.back(), kEps);
    classifier->emplace<Flatten>();
    classifier->emplace<Linear>(build, variant.channels.back(), num_classes);
    classifier_ = add("classifier", std::move(classifier));
    initialise(build);
  }

  Value forward(Value x) const override {        // [N, 3, H, W]
    return classifier_(avgpool_(features_(x)));  // [N, channels, H/32, W/32] -> [N, classes]
  }

 private:
  void initialise(Build& build) {
    constexpr double kStd = 0.02;
    for_each([&](Module& module) {
      if (const auto* conv = dynamic_cast<Conv2d*>(&module)) {
        build.trunc_normal(conv->weight(), 0, kStd);
        build.constant(conv->bias(), 0);
      } else if (const auto* linear = dynamic_cast<Linear*>(&module)) {
        build.trunc_normal(linear->weight(), 0, kStd);
        build.constant(linear->bias(), 0);
      }
    });
  }

  Ref<Sequential> features_, classifier_;
  Ref<AdaptiveAvgPool2d> avgpool_;
};

}  // namespace

std::vector<ModelRow> convnext_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back({variant.builder,
                    kMinSize,
                    [&variant](Build& build, const ModelConfig& config) {
                      return std::make_unique<ConvNeXt>(build, variant, config.num_classes);
                    },
                    {{Option::kStochasticDepthProb}}});
  }
  return rows;
}

}  // namespace tv::models

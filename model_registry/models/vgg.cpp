// VGG (Simonyan and Zisserman 2014, arXiv 1409.1556), with and without batch normalisation.
#include <memory>
#include <span>
#include <string_view>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/initialise.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::models {
namespace {

using graph::flatten;
using namespace nn;

constexpr int kPool = 0;  // stands for a 2x2 pooling among channel counts

// Table 1 of the paper, columns A, B, D and E: channels of the 3x3 convolutions.
// clang-format off
constexpr int kA[] = {64, kPool, 128, kPool, 256, 256, kPool,
                      512, 512, kPool, 512, 512, kPool};
constexpr int kB[] = {64, 64, kPool, 128, 128, kPool, 256, 256, kPool,
                      512, 512, kPool, 512, 512, kPool};
constexpr int kD[] = {64, 64, kPool, 128, 128, kPool, 256, 256, 256, kPool,
                      512, 512, 512, kPool, 512, 512, 512, kPool};
constexpr int kE[] = {64, 64, kPool, 128, 128, kPool, 256, 256, 256, 256, kPool,
                      512, 512, 512, 512, kPool, 512, 512, 512, 512, kPool};
struct Variant {
  std::string_view builder;
  std::span<const int> layers;
  bool batch_norm;
};
constexpr Variant kVariants[] = {
    {"vgg11", kA, false}, {"vgg11_bn", kA, true},
    {"vgg13", kB, false}, {"vgg13_bn", kB, true},
    {"vgg16", kD, false}, {"vgg16_bn", kD, true},
    {"vgg19", kE, false}, {"vgg19_bn", kE, true},
};
// clang-format on

constexpr int kMinSize = 32;
constexpr int kPooled = 7;     // pixels a side of what the classifier sees
constexpr int kHidden = 4096;  // features of the fully connected layers

class Vgg final : public Module {
 public:
  Vgg(Build& build, const Variant& variant, const ModelConfig& config) {
    auto features = std::make_unique<Sequential>();
    int channels = 3;
    for (const int layer : variant.layers) {
      if (layer == kPool) {
        features->emplace<MaxPool2d>(MaxPool2dOptions{.kernel = 2, .stride = 2});
        continue;
      }
      features->emplace<Conv2d>(build, channels, layer, 3, Conv2dOptions{.padding = 1});
      if (variant.batch_norm) features->emplace<BatchNorm2d>(build, layer);
      features->emplace<ReLU>();
      channels = layer;
    }
    features_ = add("features", std::move(features));
    avgpool_ = add("avgpool", std::make_unique<AdaptiveAvgPool2d>(kPooled));

    auto classifier = std::make_unique<Sequential>();
    classifier->emplace<Linear>(build, channels * kPooled * kPooled, kHidden);
    classifier->emplace<ReLU>();
    classifier->emplace<Dropout>();
    classifier->emplace<Linear>(build, kHidden, kHidden);
    classifier->emplace<ReLU>();
    classifier->emplace<Dropout>();
    classifier->emplace<Linear>(build, kHidden, config.num_classes);
    classifier_ = add("classifier", std::move(classifier));
    if (config.init_weights.value_or(true)) kaiming_weights(build, *this);
  }

  Value forward(Value x) const override {  // [N, 3, H, W]
    x = avgpool_(features_(x));            // [N, 512, 7, 7]
    return classifier_(flatten(x));        // [N, classes]
  }

 private:
  Ref<Sequential> features_, classifier_;
  Ref<AdaptiveAvgPool2d> avgpool_;
};

}  // namespace

std::vector<ModelRow> vgg_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back({variant.builder,
                    kMinSize,
                    [&variant](Build& build, const ModelConfig& config) {
                      return std::make_unique<Vgg>(build, variant, config);
                    },
                    {{Option::kDropout}, {Option::kInitWeights}}});
  }
  return rows;
}

}  // namespace tv::models

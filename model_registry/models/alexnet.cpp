// AlexNet (Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks, arXiv
// 1404.5997): the network of 2012 on one column.
#include <memory>
#include <string_view>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::models {
namespace {

using graph::flatten;
using namespace nn;

struct Stage {
  int channels, kernel, stride, padding;  // of the convolution; pixels
  bool pool;                              // 3x3 with stride 2 behind the relu
};

// clang-format off
constexpr Stage kStages[] = {
    { 64, 11, 4, 2, true},
    {192,  5, 1, 2, true},
    {384,  3, 1, 1, false},
    {256,  3, 1, 1, false},
    {256,  3, 1, 1, true},
};
// clang-format on

constexpr std::string_view kBuilder = "alexnet";
constexpr int kMinSize = 63;
constexpr int kPooled = 6;     // pixels a side of what the classifier sees
constexpr int kHidden = 4096;  // features of the fully connected layers

class AlexNet final : public Module {
 public:
  AlexNet(Build& build, int num_classes) {
    auto features = std::make_unique<Sequential>();
    int channels = 3;
    for (const Stage& stage : kStages) {
      features->emplace<Conv2d>(build, channels, stage.channels, stage.kernel,
                                Conv2dOptions{.stride = stage.stride, .padding = stage.padding});
      features->emplace<ReLU>();
      if (stage.pool) features->emplace<MaxPool2d>(MaxPool2dOptions{.kernel = 3, .stride = 2});
      channels = stage.channels;
    }
    features_ = add("features", std::move(features));
    avgpool_ = add("avgpool", std::make_unique<AdaptiveAvgPool2d>(kPooled));

    auto classifier = std::make_unique<Sequential>();
    classifier->emplace<Dropout>();
    classifier->emplace<Linear>(build, channels * kPooled * kPooled, kHidden);
    classifier->emplace<ReLU>();
    classifier->emplace<Dropout>();
    classifier->emplace<Linear>(build, kHidden, kHidden);
    classifier->emplace<ReLU>();
    classifier->emplace<Linear>(build, kHidden, num_classes);
    classifier_ = add("classifier", std::move(classifier));
  }

  Value forward(Value x) const override {  // [N, 3, H, W]
    x = avgpool_(features_(x));            // [N, 256, 6, 6]
    return classifier_(flatten(x));        // [N, classes]
  }

 private:
  Ref<Sequential> features_, classifier_;
  Ref<AdaptiveAvgPool2d> avgpool_;
};

}  // namespace

std::vector<ModelRow> alexnet_models() {
  return {{kBuilder,
           kMinSize,
           [](Build& build, const ModelConfig& config) {
             return std::make_unique<AlexNet>(build, config.num_classes);
           },
           {{Option::kDropout}}}};
}

}  // namespace tv::models

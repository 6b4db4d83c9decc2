// MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381).
#include <memory>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/conv_norm_activation.hpp"
#include "model_registry/models/nn/initialise.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/quantized.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::models {
namespace {

using graph::adaptive_avg_pool2d;
using graph::flatten;
using namespace nn;

struct Stage {
  int expansion;  ///< t: hidden channels / input channels
  int channels;   ///< c: output channels
  int blocks;     ///< n
  int stride;     ///< s, of the first block
};

// Table 2 of the paper.
// clang-format off
constexpr Stage kStages[] = {
    {1,  16, 1, 1},
    {6,  24, 2, 2},
    {6,  32, 3, 2},
    {6,  64, 4, 2},
    {6,  96, 3, 1},
    {6, 160, 3, 2},
    {6, 320, 1, 1},
};
// clang-format on
constexpr int kStemChannels = 32;
constexpr int kLastChannels = 1280;
constexpr int kMinSize = 1;

/// Expand by a 1x1 convolution, filter each channel by itself, project without activation.
/// `Activation` is ReLU6, or ReLU in the quantizable network.
template <typename Activation>
class InvertedResidual final : public Module {
 public:
  InvertedResidual(Build& build, int in, int out, int stride, int expansion)
      : residual_(stride == 1 && in == out) {
    const int hidden = in * expansion;
    auto conv = std::make_unique<Sequential>();
    if (expansion != 1)
      conv->append(conv_norm_activation<Activation>(build, in, hidden, {.kernel = 1}));
    conv->append(conv_norm_activation<Activation>(build, hidden, hidden,
                                                  {.stride = stride, .groups = hidden}));
    conv->emplace<Conv2d>(build, hidden, out, 1, Conv2dOptions{.bias = false});
    conv->emplace<BatchNorm2d>(build, out);
    conv_ = add("conv", std::move(conv));
    skip_add_ = add("skip_add", std::make_unique<FloatAdd>(build));
  }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, out, H/stride, W/stride]
    return residual_ ? skip_add_(x, conv_(x)) : conv_(x);
  }

 private:
  bool residual_;
  Ref<Sequential> conv_;
  Ref<FloatAdd> skip_add_;
};

template <typename Activation>
class MobileNetV2 final : public Module {
 public:
  MobileNetV2(Build& build, int num_classes) {
    auto features = std::make_unique<Sequential>();
    features->append(conv_norm_activation<Activation>(build, 3, kStemChannels, {.stride = 2}));
    int channels = kStemChannels;
    for (const Stage& stage : kStages) {
      for (int i = 0; i < stage.blocks; ++i) {
        features->emplace<InvertedResidual<Activation>>(build, channels, stage.channels,
                                                        i == 0 ? stage.stride : 1, stage.expansion);
        channels = stage.channels;
      }
    }
    features->append(
        conv_norm_activation<Activation>(build, channels, kLastChannels, {.kernel = 1}));
    features_ = add("features", std::move(features));

    auto classifier = std::make_unique<Sequential>();
    classifier->emplace<Dropout>();
    classifier->emplace<Linear>(build, kLastChannels, num_classes);
    classifier_ = add("classifier", std::move(classifier));
    quant_ = add("quant", std::make_unique<QuantStub>(build));
    dequant_ = add("dequant", std::make_unique<DeQuantStub>(build));
    kaiming_weights(build, *this);
  }

  Value forward(Value x) const override {           // [N, 3, H, W]
    x = features_(quant_(x));                       // [N, 1280, H/32, W/32]
    x = flatten(adaptive_avg_pool2d(x, {{1, 1}}));  // [N, 1280]
    return dequant_(classifier_(x));                // [N, classes]
  }

 private:
  Ref<Sequential> features_, classifier_;
  Ref<QuantStub> quant_;
  Ref<DeQuantStub> dequant_;
};

}  // namespace

std::vector<ModelRow> mobilenetv2_models() {
  return {{"mobilenet_v2",
           kMinSize,
           [](Build& build, const ModelConfig& config) -> std::unique_ptr<Module> {
             if (config.quantizable)
               return std::make_unique<MobileNetV2<ReLU>>(build, config.num_classes);
             return std::make_unique<MobileNetV2<ReLU6>>(build, config.num_classes);
           },
           {{Option::kDropout}}}};
}

}  // namespace tv::models

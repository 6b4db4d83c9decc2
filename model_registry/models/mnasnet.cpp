// MNASNet (Tan et al. 2018, arXiv 1807.11626), the variant B1: without squeeze and excitation.
#include <memory>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/make_divisible.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::models {
namespace {

using graph::mean;
using namespace nn;

struct Stage {
  int expansion;  ///< hidden channels / input channels
  int kernel;     ///< pixels, of the depthwise convolution
  int channels;   ///< output channels at width 1
  int blocks;
  int stride;  ///< of the first block
};

struct Variant {
  std::string_view builder;
  double width;  ///< factor of all channel counts but the last
};

// clang-format off
constexpr Stage kStages[] = {
    {3, 3,  24, 3, 2},
    {3, 5,  40, 3, 2},
    {6, 5,  80, 3, 2},
    {6, 3,  96, 2, 1},
    {6, 5, 192, 4, 2},
    {6, 3, 320, 1, 1},
};

constexpr Variant kVariants[] = {
    {"mnasnet0_5",  0.5},
    {"mnasnet0_75", 0.75},
    {"mnasnet1_0",  1.0},
    {"mnasnet1_3",  1.3},
};
// clang-format on

constexpr int kStemChannels = 32;       // of the first convolution
constexpr int kSeparableChannels = 16;  // of the depthwise separable one behind it
constexpr int kLastChannels = 1280;
constexpr int kVersion = 2;  // the first did not scale the stem
constexpr int kMinSize = 1;

struct ConvNorm {
  int kernel = 1, stride = 1, groups = 1;
};

/// Convolution and batch norm as two members of `layers`: MNASNet's sequences are flat.
void append_conv_norm(Sequential& layers, Build& build, int in, int out, const ConvNorm& options) {
  layers.emplace<Conv2d>(build, in, out, options.kernel,
                         Conv2dOptions{.stride = options.stride,
                                       .padding = options.kernel / 2,
                                       .groups = options.groups,
                                       .bias = false});
  layers.emplace<BatchNorm2d>(build, out);
}

/// Expand by a 1x1 convolution, filter each channel by itself, project without activation.
class InvertedResidual final : public Module {
 public:
  InvertedResidual(Build& build, int in, int out, int stride, const Stage& stage)
      : residual_(in == out && stride == 1) {
    const int hidden = in * stage.expansion;
    auto layers = std::make_unique<Sequential>();
    append_conv_norm(*layers, build, in, hidden, {});
    layers->emplace<ReLU>();
    append_conv_norm(*layers, build, hidden, hidden,
                     {.kernel = stage.kernel, .stride = stride, .groups = hidden});
    layers->emplace<ReLU>();
    append_conv_norm(*layers, build, hidden, out, {});
    layers_ = add("layers", std::move(layers));
  }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, out, H/stride, W/stride]
    return residual_ ? layers_(x) + x : layers_(x);
  }

 private:
  bool residual_;
  Ref<Sequential> layers_;
};

std::unique_ptr<Sequential> make_stage(Build& build, int in, int out, const Stage& stage) {
  auto blocks = std::make_unique<Sequential>();
  blocks->emplace<InvertedResidual>(build, in, out, stage.stride, stage);
  for (int i = 1; i < stage.blocks; ++i)
    blocks->emplace<InvertedResidual>(build, out, out, 1, stage);
  return blocks;
}

class MNASNet final : public Module {
 public:
  MNASNet(Build& build, double width, const ModelConfig& config) {
    // Width 1 is the same in both, and torchvision saves it as the second.
    const bool fixed_stem = config.file_version == 1 && width != 1;
    set_version(fixed_stem ? 1 : kVersion);
    const auto scaled = [&](int channels) { return make_divisible(channels * width, 8); };
    const auto scaled_stem = [&](int channels) { return fixed_stem ? channels : scaled(channels); };
    auto layers = std::make_unique<Sequential>();
    const int stem = scaled_stem(kStemChannels);
    append_conv_norm(*layers, build, 3, stem, {.kernel = 3, .stride = 2});
    layers->emplace<ReLU>();
    append_conv_norm(*layers, build, stem, stem, {.kernel = 3, .groups = stem});
    layers->emplace<ReLU>();
    int channels = scaled_stem(kSeparableChannels);
    append_conv_norm(*layers, build, stem, channels, {});
    for (const Stage& stage : kStages) {
      const int out = scaled(stage.channels);
      layers->append(make_stage(build, channels, out, stage));
      channels = out;
    }
    append_conv_norm(*layers, build, channels, kLastChannels, {});
    layers->emplace<ReLU>();
    layers_ = add("layers", std::move(layers));

    auto classifier = std::make_unique<Sequential>();
    classifier->emplace<Dropout>();
    classifier->emplace<Linear>(build, kLastChannels, config.num_classes);
    classifier_ = add("classifier", std::move(classifier));
    initialise(build);
  }

  Value forward(Value x) const override {          // [N, 3, H, W]
    return classifier_(mean(layers_(x), {2, 3}));  // [N, 1280, H/32, W/32] -> [N, classes]
  }

 private:
  void initialise(Build& build) {
    constexpr double kSigmoidGain = 1;
    for_each([&](Module& module) {
      if (const auto* conv = dynamic_cast<Conv2d*>(&module)) {
        build.kaiming_normal(conv->weight(), Build::Fan::kOut);
      } else if (const auto* linear = dynamic_cast<Linear*>(&module)) {
        build.kaiming_uniform_gain(linear->weight(), kSigmoidGain, Build::Fan::kOut);
        build.constant(linear->bias(), 0);
      }
    });
  }

  Ref<Sequential> layers_, classifier_;
};

}  // namespace

std::vector<ModelRow> mnasnet_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back({variant.builder,
                    kMinSize,
                    [&variant](Build& build, const ModelConfig& config) {
                      return std::make_unique<MNASNet>(build, variant.width, config);
                    },
                    {{Option::kDropout}}});
    rows.back().file_version = kVersion;
  }
  return rows;
}

}  // namespace tv::models

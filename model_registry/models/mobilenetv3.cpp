// MobileNetV3 (Howard et al. 2019, arXiv 1905.02244).
#include <memory>
#include <span>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/conv_norm_activation.hpp"
#include "model_registry/models/nn/initialise.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/make_divisible.hpp"
#include "model_registry/models/nn/quantized.hpp"
#include "model_registry/models/nn/sequential.hpp"
#include "model_registry/models/nn/squeeze_excitation.hpp"

namespace tv::models {
namespace {

using graph::flatten;
using namespace nn;

enum class Nonlinearity { kRelu, kHardswish };
constexpr auto kRE = Nonlinearity::kRelu;
constexpr auto kHS = Nonlinearity::kHardswish;

struct Block {
  int kernel;    ///< pixels, of the depthwise convolution
  int expanded;  ///< hidden channels ("exp size")
  int channels;  ///< output channels ("#out")
  bool squeeze;  ///< squeeze and excitation ("SE")
  Nonlinearity nonlinearity;
  int stride;
};

// Tables 1 and 2 of the paper, the rows called bneck.
// clang-format off
constexpr Block kLarge[] = {
    {3,  16,  16, false, kRE, 1},
    {3,  64,  24, false, kRE, 2},
    {3,  72,  24, false, kRE, 1},
    {5,  72,  40, true,  kRE, 2},
    {5, 120,  40, true,  kRE, 1},
    {5, 120,  40, true,  kRE, 1},
    {3, 240,  80, false, kHS, 2},
    {3, 200,  80, false, kHS, 1},
    {3, 184,  80, false, kHS, 1},
    {3, 184,  80, false, kHS, 1},
    {3, 480, 112, true,  kHS, 1},
    {3, 672, 112, true,  kHS, 1},
    {5, 672, 160, true,  kHS, 2},
    {5, 960, 160, true,  kHS, 1},
    {5, 960, 160, true,  kHS, 1},
};

constexpr Block kSmall[] = {
    {3,  16,  16, true,  kRE, 2},
    {3,  72,  24, false, kRE, 2},
    {3,  88,  24, false, kRE, 1},
    {5,  96,  40, true,  kHS, 2},
    {5, 240,  40, true,  kHS, 1},
    {5, 240,  40, true,  kHS, 1},
    {5, 120,  48, true,  kHS, 1},
    {5, 144,  48, true,  kHS, 1},
    {5, 288,  96, true,  kHS, 2},
    {5, 576,  96, true,  kHS, 1},
    {5, 576,  96, true,  kHS, 1},
};

struct Variant {
  std::string_view builder;
  std::span<const Block> blocks;
  int last_channels;  ///< of the head's hidden layer
};

constexpr Variant kVariants[] = {
    {"mobilenet_v3_large", kLarge, 1280},
    {"mobilenet_v3_small", kSmall, 1024},
};
// clang-format on

constexpr int kStemChannels = 16;
constexpr double kEps = 1e-3;  // of every batch norm
constexpr int kMinSize = 1;

std::unique_ptr<Sequential> conv_norm(Build& build, int in, int out, ConvNormOptions options,
                                      Nonlinearity nonlinearity) {
  options.eps = kEps;
  return nonlinearity == Nonlinearity::kHardswish
             ? conv_norm_activation<Hardswish>(build, in, out, options)
             : conv_norm_activation<ReLU>(build, in, out, options);
}

/// Expand by a 1x1 convolution, filter each channel by itself, weigh the channels, project without
/// activation.
class InvertedResidual final : public Module {
 public:
  InvertedResidual(Build& build, int in, const Block& row)
      : residual_(row.stride == 1 && in == row.channels) {
    auto block = std::make_unique<Sequential>();
    if (row.expanded != in)
      block->append(conv_norm(build, in, row.expanded, {.kernel = 1}, row.nonlinearity));
    block->append(conv_norm(build, row.expanded, row.expanded,
                            {.kernel = row.kernel, .stride = row.stride, .groups = row.expanded},
                            row.nonlinearity));
    if (row.squeeze)
      block->emplace<SqueezeExcitation<ReLU, Hardsigmoid>>(build, row.expanded,
                                                           make_divisible(row.expanded / 4, 8));
    block->append(conv_norm_activation<NoActivation>(build, row.expanded, row.channels,
                                                     {.kernel = 1, .eps = kEps}));
    block_ = add("block", std::move(block));
    skip_add_ = add("skip_add", std::make_unique<FloatAdd>(build));
  }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, channels, H/stride, W/stride]
    return residual_ ? skip_add_(x, block_(x)) : block_(x);
  }

 private:
  bool residual_;
  Ref<Sequential> block_;
  Ref<FloatAdd> skip_add_;
};

class MobileNetV3 final : public Module {
 public:
  MobileNetV3(Build& build, const Variant& variant, int num_classes) {
    auto features = std::make_unique<Sequential>();
    features->append(conv_norm(build, 3, kStemChannels, {.stride = 2}, kHS));
    int channels = kStemChannels;
    for (const Block& row : variant.blocks) {
      features->emplace<InvertedResidual>(build, channels, row);
      channels = row.channels;
    }
    const int last = 6 * channels;
    features->append(conv_norm(build, channels, last, {.kernel = 1}, kHS));
    features_ = add("features", std::move(features));
    avgpool_ = add("avgpool", std::make_unique<AdaptiveAvgPool2d>(1));

    auto classifier = std::make_unique<Sequential>();
    classifier->emplace<Linear>(build, last, variant.last_channels);
    classifier->emplace<Hardswish>(build);
    classifier->emplace<Dropout>();
    classifier->emplace<Linear>(build, variant.last_channels, num_classes);
    classifier_ = add("classifier", std::move(classifier));
    quant_ = add("quant", std::make_unique<QuantStub>(build));
    dequant_ = add("dequant", std::make_unique<DeQuantStub>(build));
    kaiming_weights(build, *this);
  }

  Value forward(Value x) const override {         // [N, 3, H, W]
    x = flatten(avgpool_(features_(quant_(x))));  // [N, 6 * channels]
    return dequant_(classifier_(x));              // [N, classes]
  }

 private:
  Ref<Sequential> features_, classifier_;
  Ref<AdaptiveAvgPool2d> avgpool_;
  Ref<QuantStub> quant_;
  Ref<DeQuantStub> dequant_;
};

}  // namespace

std::vector<ModelRow> mobilenetv3_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back({variant.builder,
                    kMinSize,
                    [&variant](Build& build, const ModelConfig& config) {
                      return std::make_unique<MobileNetV3>(build, variant, config.num_classes);
                    },
                    {{Option::kDropout}}});
  }
  return rows;
}

}  // namespace tv::models

// EfficientNet (Tan and Le 2019, arXiv 1905.11946) and EfficientNetV2 (Tan and Le 2021,
// 2104.00298).
#include <cmath>
#include <memory>
#include <span>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/conv_norm_activation.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/make_divisible.hpp"
#include "model_registry/models/nn/sequential.hpp"
#include "model_registry/models/nn/squeeze_excitation.hpp"

namespace tv::models {
namespace {

using graph::flatten;
using namespace nn;

enum class Kind { kMBConv, kFusedMBConv };
constexpr auto kMB = Kind::kMBConv;
constexpr auto kFused = Kind::kFusedMBConv;

struct Stage {
  Kind kind;
  int expansion;  ///< hidden channels / input channels
  int kernel;     ///< pixels
  int stride;     ///< of the first block
  int channels;   ///< output channels, before the width factor
  int blocks;     ///< before the depth factor
};

// Table 1 of the first paper.
// clang-format off
constexpr Stage kB0[] = {
    {kMB, 1, 3, 1,  16, 1},
    {kMB, 6, 3, 2,  24, 2},
    {kMB, 6, 5, 2,  40, 2},
    {kMB, 6, 3, 2,  80, 3},
    {kMB, 6, 5, 1, 112, 3},
    {kMB, 6, 5, 2, 192, 4},
    {kMB, 6, 3, 1, 320, 1},
};

// Table 4 of the second paper, and its two larger sisters.
constexpr Stage kV2S[] = {
    {kFused, 1, 3, 1,  24,  2},
    {kFused, 4, 3, 2,  48,  4},
    {kFused, 4, 3, 2,  64,  4},
    {kMB,    4, 3, 2, 128,  6},
    {kMB,    6, 3, 1, 160,  9},
    {kMB,    6, 3, 2, 256, 15},
};

constexpr Stage kV2M[] = {
    {kFused, 1, 3, 1,  24,  3},
    {kFused, 4, 3, 2,  48,  5},
    {kFused, 4, 3, 2,  80,  5},
    {kMB,    4, 3, 2, 160,  7},
    {kMB,    6, 3, 1, 176, 14},
    {kMB,    6, 3, 2, 304, 18},
    {kMB,    6, 3, 1, 512,  5},
};

constexpr Stage kV2L[] = {
    {kFused, 1, 3, 1,  32,  4},
    {kFused, 4, 3, 2,  64,  7},
    {kFused, 4, 3, 2,  96,  7},
    {kMB,    4, 3, 2, 192, 10},
    {kMB,    6, 3, 1, 224, 19},
    {kMB,    6, 3, 2, 384, 25},
    {kMB,    6, 3, 1, 640,  7},
};

struct Variant {
  std::string_view builder;
  std::span<const Stage> stages;
  int stem_channels;
  double width;       ///< factor of all channel counts
  double depth;       ///< factor of the blocks of each stage
  int last_channels;  ///< before the head; 0: four times those of the last stage
  double eps;         ///< of every batch norm
  int min_size;
};

constexpr Variant kVariants[] = {
    {"efficientnet_b0",   kB0,  32, 1.0, 1.0,    0, 1e-5,  1},
    {"efficientnet_b1",   kB0,  32, 1.0, 1.1,    0, 1e-5,  1},
    {"efficientnet_b2",   kB0,  32, 1.1, 1.2,    0, 1e-5,  1},
    {"efficientnet_b3",   kB0,  32, 1.2, 1.4,    0, 1e-5,  1},
    {"efficientnet_b4",   kB0,  32, 1.4, 1.8,    0, 1e-5,  1},
    {"efficientnet_b5",   kB0,  32, 1.6, 2.2,    0, 1e-3,  1},
    {"efficientnet_b6",   kB0,  32, 1.8, 2.6,    0, 1e-3,  1},
    {"efficientnet_b7",   kB0,  32, 2.0, 3.1,    0, 1e-3,  1},
    {"efficientnet_v2_s", kV2S, 24, 1.0, 1.0, 1280, 1e-3, 33},
    {"efficientnet_v2_m", kV2M, 24, 1.0, 1.0, 1280, 1e-3, 33},
    {"efficientnet_v2_l", kV2L, 32, 1.0, 1.0, 1280, 1e-3, 33},
};
// clang-format on

int scaled(int channels, double factor) {
  return make_divisible(channels * factor, 8);
}

/// Stage::kind's layers as the child "block", with a way around them where the shape stays. Stride
/// 1 and as many input as output channels: all blocks of a stage but the first.
class Block : public Module {
 public:
  Value forward(Value x) const override {  // [N, in, H, W] -> [N, out, H/stride, W/stride]
    return residual_ ? block_(x) + x : block_(x);
  }

 protected:
  Block(int in, int out, int stride) : residual_(stride == 1 && in == out) {}
  void add_children(std::unique_ptr<Sequential> block) {
    block_ = add("block", std::move(block));
    add("stochastic_depth", std::make_unique<Identity>());
  }

 private:
  bool residual_;
  Ref<Sequential> block_;
};

/// Expand by a 1x1 convolution, filter each channel by itself, weigh the channels, project without
/// activation.
class MBConv final : public Block {
 public:
  MBConv(Build& build, int in, int out, int stride, const Stage& stage, double eps)
      : Block(in, out, stride) {
    const int hidden = scaled(in, stage.expansion);
    auto block = std::make_unique<Sequential>();
    if (hidden != in)
      block->append(conv_norm_activation<SiLU>(build, in, hidden, {.kernel = 1, .eps = eps}));
    block->append(conv_norm_activation<SiLU>(
        build, hidden, hidden,
        {.kernel = stage.kernel, .stride = stride, .groups = hidden, .eps = eps}));
    block->emplace<SqueezeExcitation<SiLU>>(build, hidden, std::max(1, in / 4));
    block->append(
        conv_norm_activation<NoActivation>(build, hidden, out, {.kernel = 1, .eps = eps}));
    add_children(std::move(block));
  }
};

/// Expand by a full convolution and project; without expansion one full convolution.
class FusedMBConv final : public Block {
 public:
  FusedMBConv(Build& build, int in, int out, int stride, const Stage& stage, double eps)
      : Block(in, out, stride) {
    const int hidden = scaled(in, stage.expansion);
    const bool expands = hidden != in;
    auto block = std::make_unique<Sequential>();
    block->append(conv_norm_activation<SiLU>(
        build, in, expands ? hidden : out, {.kernel = stage.kernel, .stride = stride, .eps = eps}));
    if (expands)
      block->append(
          conv_norm_activation<NoActivation>(build, hidden, out, {.kernel = 1, .eps = eps}));
    add_children(std::move(block));
  }
};

std::unique_ptr<Sequential> make_stage(Build& build, int& channels, const Stage& row,
                                       const Variant& variant) {
  const int out = scaled(row.channels, variant.width);
  const int blocks = static_cast<int>(std::ceil(row.blocks * variant.depth));
  auto stage = std::make_unique<Sequential>();
  for (int i = 0; i < blocks; ++i) {
    const int stride = i == 0 ? row.stride : 1;
    if (row.kind == Kind::kMBConv) {
      stage->emplace<MBConv>(build, channels, out, stride, row, variant.eps);
    } else {
      stage->emplace<FusedMBConv>(build, channels, out, stride, row, variant.eps);
    }
    channels = out;
  }
  return stage;
}

class EfficientNet final : public Module {
 public:
  EfficientNet(Build& build, const Variant& variant, int num_classes) {
    auto features = std::make_unique<Sequential>();
    int channels = scaled(variant.stem_channels, variant.width);
    features->append(
        conv_norm_activation<SiLU>(build, 3, channels, {.stride = 2, .eps = variant.eps}));
    for (const Stage& row : variant.stages)
      features->append(make_stage(build, channels, row, variant));
    const int last = variant.last_channels > 0 ? variant.last_channels : 4 * channels;
    features->append(
        conv_norm_activation<SiLU>(build, channels, last, {.kernel = 1, .eps = variant.eps}));
    features_ = add("features", std::move(features));
    avgpool_ = add("avgpool", std::make_unique<AdaptiveAvgPool2d>(1));

    auto classifier = std::make_unique<Sequential>();
    classifier->emplace<Dropout>();
    classifier->emplace<Linear>(build, last, num_classes);
    classifier_ = add("classifier", std::move(classifier));
    initialise(build, num_classes);
  }

  Value forward(Value x) const override {                 // [N, 3, H, W]
    return classifier_(flatten(avgpool_(features_(x))));  // [N, classes]
  }

 private:
  void initialise(Build& build, int num_classes) {
    const double bound = 1.0 / std::sqrt(num_classes);
    for_each([&](Module& module) {
      if (const auto* conv = dynamic_cast<Conv2d*>(&module)) {
        build.kaiming_normal(conv->weight(), Build::Fan::kOut);
        if (conv->bias() != graph::kNoParameter) build.constant(conv->bias(), 0);
      } else if (const auto* linear = dynamic_cast<Linear*>(&module)) {
        build.uniform(linear->weight(), -bound, bound);
        build.constant(linear->bias(), 0);
      }
    });
  }

  Ref<Sequential> features_, classifier_;
  Ref<AdaptiveAvgPool2d> avgpool_;
};

}  // namespace

std::vector<ModelRow> efficientnet_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back({variant.builder,
                    variant.min_size,
                    [&variant](Build& build, const ModelConfig& config) {
                      return std::make_unique<EfficientNet>(build, variant, config.num_classes);
                    },
                    {{Option::kDropout}, {Option::kStochasticDepthProb}}});
  }
  return rows;
}

}  // namespace tv::models

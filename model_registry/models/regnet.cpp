// RegNet (Radosavovic et al. 2020, arXiv 2003.13678). Widths follow a line that is rounded to
// powers of one factor; RegNetY adds squeeze and excitation to RegNetX.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

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

struct Variant {
  std::string_view builder;
  int depth;          ///< d: blocks of all stages
  int initial_width;  ///< w_0: channels where the line begins
  double slope;       ///< w_a: channels a block
  double factor;      ///< w_m: between the widths of two stages
  int group_width;    ///< channels of one group
  bool squeeze;       ///< RegNetY
};

// The paper's parameters (section 4.3) of the models of its tables 5 and 6. Facebook trained
// regnet_y_128gf later (Goyal et al. 2022, 2202.08360).
// clang-format off
constexpr Variant kVariants[] = {
    {"regnet_y_400mf", 16,  48,  27.89, 2.09,   8, true},
    {"regnet_y_800mf", 14,  56,  38.84, 2.4,   16, true},
    {"regnet_y_1_6gf", 27,  48,  20.71, 2.65,  24, true},
    {"regnet_y_3_2gf", 21,  80,  42.63, 2.66,  24, true},
    {"regnet_y_8gf",   17, 192,  76.82, 2.19,  56, true},
    {"regnet_y_16gf",  18, 200, 106.23, 2.48, 112, true},
    {"regnet_y_32gf",  20, 232, 115.89, 2.53, 232, true},
    {"regnet_y_128gf", 27, 456, 160.83, 2.52, 264, true},
    {"regnet_x_400mf", 22,  24,  24.48, 2.54,  16, false},
    {"regnet_x_800mf", 16,  56,  35.73, 2.28,  16, false},
    {"regnet_x_1_6gf", 18,  80,  34.01, 2.25,  24, false},
    {"regnet_x_3_2gf", 25,  88,  26.31, 2.25,  48, false},
    {"regnet_x_8gf",   23,  80,  49.56, 2.88, 120, false},
    {"regnet_x_16gf",  22, 216,  55.59, 2.1,  128, false},
    {"regnet_x_32gf",  23, 320,  69.86, 2.0,  168, false},
};
// clang-format on

constexpr int kStemChannels = 32;
constexpr double kSqueezeRatio = 0.25;  // of the channels in front of the block
constexpr int kMinSize = 1;

struct Stage {
  int width;
  int blocks;
};

// Channels of block `index`, a multiple of 8. torchvision computes in float32 and rounds halves to
// even: regnet_x_1_6gf's third width is such a half.
int block_width(const Variant& variant, int index) {
  constexpr float kMultiple = 8;
  const auto initial = static_cast<float>(variant.initial_width);
  const float line = static_cast<float>(index) * static_cast<float>(variant.slope) + initial;
  const float power =
      std::nearbyint(std::log(line / initial) / static_cast<float>(std::log(variant.factor)));
  const float width = initial * std::pow(static_cast<float>(variant.factor), power);
  return static_cast<int>(std::nearbyint(width / kMultiple) * kMultiple);
}

// Blocks of one width make a stage, whose width is then made a multiple of its groups.
std::vector<Stage> stages_of(const Variant& variant) {
  std::vector<Stage> stages;
  for (int i = 0; i < variant.depth; ++i) {
    const int width = block_width(variant, i);
    if (stages.empty() || stages.back().width != width) stages.push_back({width, 0});
    ++stages.back().blocks;
  }
  for (Stage& stage : stages)
    stage.width = make_divisible(stage.width, std::min(variant.group_width, stage.width));
  return stages;
}

/// 1x1, 3x3 in groups [, squeeze and excitation], 1x1 without activation.
std::unique_ptr<Sequential> bottleneck_transform(Build& build, int in, int out, int stride,
                                                 const Variant& variant) {
  const int groups = out / std::min(variant.group_width, out);
  auto layers = std::make_unique<Sequential>();
  layers->append("a", conv_norm_activation<ReLU>(build, in, out, {.kernel = 1}));
  layers->append("b",
                 conv_norm_activation<ReLU>(build, out, out, {.stride = stride, .groups = groups}));
  if (variant.squeeze) {
    const int squeezed = static_cast<int>(std::nearbyint(kSqueezeRatio * in));
    layers->append("se", std::make_unique<SqueezeExcitation<ReLU>>(build, out, squeezed));
  }
  layers->append("c", conv_norm_activation<NoActivation>(build, out, out, {.kernel = 1}));
  return layers;
}

class ResBottleneckBlock final : public Module {
 public:
  ResBottleneckBlock(Build& build, int in, int out, int stride, const Variant& variant) {
    if (in != out || stride != 1)
      proj_ = add("proj", conv_norm_activation<NoActivation>(build, in, out,
                                                             {.kernel = 1, .stride = stride}));
    f_ = add("f", bottleneck_transform(build, in, out, stride, variant));
    activation_ = add("activation", std::make_unique<ReLU>());
  }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, out, H/stride, W/stride]
    return activation_((proj_ ? proj_(x) : x) + f_(x));
  }

 private:
  Ref<Sequential> proj_, f_;
  Ref<ReLU> activation_;
};

/// The first block halves the image.
std::unique_ptr<Sequential> make_stage(Build& build, int in, const Stage& stage,
                                       const Variant& variant, const std::string& name) {
  auto blocks = std::make_unique<Sequential>();
  for (int i = 0; i < stage.blocks; ++i) {
    blocks->append(
        name + "-" + std::to_string(i),
        std::make_unique<ResBottleneckBlock>(build, in, stage.width, i == 0 ? 2 : 1, variant));
    in = stage.width;
  }
  return blocks;
}

std::unique_ptr<Sequential> make_trunk(Build& build, int in, const std::vector<Stage>& stages,
                                       const Variant& variant) {
  auto trunk = std::make_unique<Sequential>();
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::string name = "block" + std::to_string(i + 1);
    trunk->append(name, make_stage(build, in, stages[i], variant, name));
    in = stages[i].width;
  }
  return trunk;
}

class RegNet final : public Module {
 public:
  RegNet(Build& build, const Variant& variant, int num_classes) {
    const std::vector<Stage> stages = stages_of(variant);
    stem_ = add("stem", conv_norm_activation<ReLU>(build, 3, kStemChannels, {.stride = 2}));
    trunk_ = add("trunk_output", make_trunk(build, kStemChannels, stages, variant));
    avgpool_ = add("avgpool", std::make_unique<AdaptiveAvgPool2d>(1));
    fc_ = add("fc", std::make_unique<Linear>(build, stages.back().width, num_classes));
    initialise(build);
  }

  Value forward(Value x) const override {             // [N, 3, H, W]
    return fc_(flatten(avgpool_(trunk_(stem_(x)))));  // [N, width, H/32, W/32] -> [N, classes]
  }

 private:
  // kaiming_normal's rule under one square root, which may differ in the last bit. The biases of
  // squeeze and excitation keep their default.
  void initialise(Build& build) {
    for_each([&](Module& module) {
      if (const auto* conv = dynamic_cast<Conv2d*>(&module)) {
        const auto fan =
            static_cast<double>(graph::fan_of(build.shape(conv->weight()), Build::Fan::kOut));
        build.normal(conv->weight(), 0, std::sqrt(2.0 / fan));
      } else if (const auto* linear = dynamic_cast<Linear*>(&module)) {
        build.normal(linear->weight(), 0, 0.01);
        build.constant(linear->bias(), 0);
      }
    });
  }

  Ref<Sequential> stem_, trunk_;
  Ref<AdaptiveAvgPool2d> avgpool_;
  Ref<Linear> fc_;
};

}  // namespace

std::vector<ModelRow> regnet_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back({variant.builder, kMinSize, [&variant](Build& build, const ModelConfig& config) {
                      return std::make_unique<RegNet>(build, variant, config.num_classes);
                    }});
  }
  return rows;
}

}  // namespace tv::models

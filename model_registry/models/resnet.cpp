// ResNet (He et al. 2015, arXiv 1512.03385), ResNeXt (Xie et al. 2016, 1611.05431) and Wide ResNet
// (Zagoruyko and Komodakis 2016, 1605.07146). As in torchvision, a bottleneck puts its stride on
// the 3x3 convolution.
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/quantized.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::models {
namespace {

using graph::flatten;
using graph::relu;
using namespace nn;

enum class Block { kBasic, kBottleneck };

struct Variant {
  std::string_view builder;
  Block block;
  std::array<int, 4> layers;
  int groups;
  int width_per_group;
};

// He 2015, table 1. ResNeXt and Wide ResNet change the last two columns alone: a bottleneck's 3x3
// convolution has planes * width / 64 * groups channels.
// clang-format off
constexpr Variant kVariants[] = {
    {"resnet18",         Block::kBasic,      {2, 2, 2, 2},    1,  64},
    {"resnet34",         Block::kBasic,      {3, 4, 6, 3},    1,  64},
    {"resnet50",         Block::kBottleneck, {3, 4, 6, 3},    1,  64},
    {"resnet101",        Block::kBottleneck, {3, 4, 23, 3},   1,  64},
    {"resnet152",        Block::kBottleneck, {3, 8, 36, 3},   1,  64},
    {"resnext50_32x4d",  Block::kBottleneck, {3, 4, 6, 3},   32,   4},
    {"resnext101_32x8d", Block::kBottleneck, {3, 4, 23, 3},  32,   8},
    {"resnext101_64x4d", Block::kBottleneck, {3, 4, 23, 3},  64,   4},
    {"wide_resnet50_2",  Block::kBottleneck, {3, 4, 6, 3},    1, 128},
    {"wide_resnet101_2", Block::kBottleneck, {3, 4, 23, 3},   1, 128},
};
// clang-format on

constexpr std::array<int, 4> kPlanes = {64, 128, 256, 512};  // of conv2_x .. conv5_x
constexpr int kMinSize = 1;

constexpr int expansion(Block block) {
  return block == Block::kBasic ? 1 : 4;
}

std::unique_ptr<Conv2d> conv3x3(Build& build, int in, int out, int stride = 1, int groups = 1) {
  return std::make_unique<Conv2d>(
      build, in, out, 3,
      Conv2dOptions{.stride = stride, .padding = 1, .groups = groups, .bias = false});
}

std::unique_ptr<Conv2d> conv1x1(Build& build, int in, int out, int stride = 1) {
  return std::make_unique<Conv2d>(build, in, out, 1,
                                  Conv2dOptions{.stride = stride, .bias = false});
}

std::unique_ptr<BatchNorm2d> norm(Build& build, int channels) {
  return std::make_unique<BatchNorm2d>(build, channels);
}

class Residual : public Module {
 public:
  virtual const BatchNorm2d& last_norm() const = 0;
};

class BasicBlock final : public Residual {
 public:
  BasicBlock(Build& build, int in, int planes, int stride, std::unique_ptr<Sequential> downsample) {
    conv1_ = add("conv1", conv3x3(build, in, planes, stride));
    bn1_ = add("bn1", norm(build, planes));
    conv2_ = add("conv2", conv3x3(build, planes, planes));
    bn2_ = add("bn2", norm(build, planes));
    if (downsample) downsample_ = add("downsample", std::move(downsample));
    add_relu_ = add("add_relu", std::make_unique<FloatAdd>(build));
  }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, planes, H/stride, W/stride]
    Value out = relu(bn1_(conv1_(x)));
    out = bn2_(conv2_(out));
    return relu(add_relu_(out, downsample_ ? downsample_(x) : x));
  }

  const BatchNorm2d& last_norm() const override { return *bn2_; }

 private:
  Ref<Conv2d> conv1_, conv2_;
  Ref<BatchNorm2d> bn1_, bn2_;
  Ref<Sequential> downsample_;
  Ref<FloatAdd> add_relu_;
};

class Bottleneck final : public Residual {
 public:
  Bottleneck(Build& build, int in, int planes, int stride, const Variant& variant,
             std::unique_ptr<Sequential> downsample) {
    const int width = planes * variant.width_per_group / 64 * variant.groups;
    const int out = planes * expansion(Block::kBottleneck);
    conv1_ = add("conv1", conv1x1(build, in, width));
    bn1_ = add("bn1", norm(build, width));
    conv2_ = add("conv2", conv3x3(build, width, width, stride, variant.groups));
    bn2_ = add("bn2", norm(build, width));
    conv3_ = add("conv3", conv1x1(build, width, out));
    bn3_ = add("bn3", norm(build, out));
    if (downsample) downsample_ = add("downsample", std::move(downsample));
    skip_add_relu_ = add("skip_add_relu", std::make_unique<FloatAdd>(build));
  }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, 4 * planes, H/stride, W/stride]
    Value out = relu(bn1_(conv1_(x)));
    out = relu(bn2_(conv2_(out)));
    out = bn3_(conv3_(out));
    return relu(skip_add_relu_(out, downsample_ ? downsample_(x) : x));
  }

  const BatchNorm2d& last_norm() const override { return *bn3_; }

 private:
  Ref<Conv2d> conv1_, conv2_, conv3_;
  Ref<BatchNorm2d> bn1_, bn2_, bn3_;
  Ref<Sequential> downsample_;
  Ref<FloatAdd> skip_add_relu_;
};

std::unique_ptr<Module> make_block(Build& build, int in, int planes, int stride,
                                   const Variant& variant) {
  const int out = planes * expansion(variant.block);
  std::unique_ptr<Sequential> downsample;
  if (stride != 1 ||
      in != out) {  // Python constructs it before the block: its numbers are drawn first
    downsample = std::make_unique<Sequential>();
    downsample->append(conv1x1(build, in, out, stride));
    downsample->append(norm(build, out));
  }
  if (variant.block == Block::kBasic)
    return std::make_unique<BasicBlock>(build, in, planes, stride, std::move(downsample));
  return std::make_unique<Bottleneck>(build, in, planes, stride, variant, std::move(downsample));
}

std::unique_ptr<Sequential> make_stage(Build& build, int& channels, std::size_t stage,
                                       const Variant& variant) {
  auto blocks = std::make_unique<Sequential>();
  for (int i = 0; i < variant.layers[stage]; ++i) {
    const int stride = i == 0 && stage > 0 ? 2 : 1;
    blocks->append(make_block(build, channels, kPlanes[stage], stride, variant));
    channels = kPlanes[stage] * expansion(variant.block);
  }
  return blocks;
}

class ResNet final : public Module {
 public:
  ResNet(Build& build, const Variant& variant, const ModelConfig& config) {
    int channels = 64;
    conv1_ = add("conv1",
                 std::make_unique<Conv2d>(build, 3, channels, 7,
                                          Conv2dOptions{.stride = 2, .padding = 3, .bias = false}));
    bn1_ = add("bn1", norm(build, channels));
    maxpool_ =
        add("maxpool",
            std::make_unique<MaxPool2d>(MaxPool2dOptions{.kernel = 3, .stride = 2, .padding = 1}));
    for (std::size_t stage = 0; stage < layers_.size(); ++stage)
      layers_[stage] =
          add("layer" + std::to_string(stage + 1), make_stage(build, channels, stage, variant));
    avgpool_ = add("avgpool", std::make_unique<AdaptiveAvgPool2d>(1));
    fc_ = add("fc", std::make_unique<Linear>(build, channels, config.num_classes));
    quant_ = add("quant", std::make_unique<QuantStub>(build));
    dequant_ = add("dequant", std::make_unique<DeQuantStub>(build));
    initialise(build, config.zero_init_residual);
  }

  Value forward(Value x) const override {            // [N, 3, H, W]
    x = maxpool_(relu(bn1_(conv1_(quant_(x)))));     // [N, 64, H/4, W/4]
    for (const auto& layer : layers_) x = layer(x);  // [N, 512 * expansion, H/32, W/32]
    return dequant_(fc_(flatten(avgpool_(x))));      // [N, classes]
  }

 private:
  void initialise(Build& build, bool zero_init_residual) {
    for_each([&](Module& module) {
      if (const auto* conv = dynamic_cast<Conv2d*>(&module))
        build.kaiming_normal(conv->weight(), Build::Fan::kOut);
    });
    if (!zero_init_residual) return;
    for_each([&](Module& module) {
      if (const auto* block = dynamic_cast<Residual*>(&module))
        build.constant(block->last_norm().weight(), 0);
    });
  }

  Ref<Conv2d> conv1_;
  Ref<BatchNorm2d> bn1_;
  Ref<MaxPool2d> maxpool_;
  std::array<Ref<Sequential>, 4> layers_;
  Ref<AdaptiveAvgPool2d> avgpool_;
  Ref<Linear> fc_;
  Ref<QuantStub> quant_;
  Ref<DeQuantStub> dequant_;
};

}  // namespace

std::vector<ModelRow> resnet_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back({variant.builder,
                    kMinSize,
                    [&variant](Build& build, const ModelConfig& config) {
                      return std::make_unique<ResNet>(build, variant, config);
                    },
                    {{Option::kZeroInitResidual}}});
  }
  return rows;
}

}  // namespace tv::models

// GoogLeNet (Szegedy et al. 2014, Going Deeper with Convolutions, arXiv 1409.4842), with batch
// normalisation. As in torchvision, the paper's 5x5 convolutions are 3x3.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/basic_conv2d.hpp"
#include "model_registry/models/nn/initialise.hpp"
#include "model_registry/models/nn/quantized.hpp"
#include "model_registry/models/nn/sequential.hpp"
#include "model_registry/models/nn/transform_input.hpp"

namespace tv::models {
namespace {

using graph::flatten;
using namespace nn;

/// An inception module; 0 channels stand for the pooling between modules.
struct Row {
  std::string_view name;
  int conv1x1, reduce3x3, conv3x3, reduce5x5, conv5x5, pool_proj;  // channels
  int pool_kernel;                                                 // pixels, with stride 2
};

// Table 1 of the paper.
// clang-format off
constexpr Row kRows[] = {
    {"inception3a",  64,  96, 128, 16,  32,  32, 0},
    {"inception3b", 128, 128, 192, 32,  96,  64, 0},
    {"maxpool3",      0,   0,   0,  0,   0,   0, 3},
    {"inception4a", 192,  96, 208, 16,  48,  64, 0},
    {"inception4b", 160, 112, 224, 24,  64,  64, 0},
    {"inception4c", 128, 128, 256, 24,  64,  64, 0},
    {"inception4d", 112, 144, 288, 32,  64,  64, 0},
    {"inception4e", 256, 160, 320, 32, 128, 128, 0},
    {"maxpool4",      0,   0,   0,  0,   0,   0, 2},
    {"inception5a", 256, 160, 320, 32, 128, 128, 0},
    {"inception5b", 384, 192, 384, 48, 128, 128, 0},
};
struct HeadRow {
  std::string_view name;
  int channels;  // of the module it reads: 4a and 4d
};
constexpr HeadRow kHeads[] = {{"aux1", 512}, {"aux2", 528}};
// clang-format on

constexpr std::string_view kBuilder = "googlenet";
constexpr int kMinSize = 15;
constexpr bool kKeptWithWeights = false;  // the auxiliary heads
constexpr double kInitStd = 0.01;

std::unique_ptr<MaxPool2d> pool(int kernel) {
  return std::make_unique<MaxPool2d>(
      MaxPool2dOptions{.kernel = kernel, .stride = 2, .ceil_mode = true});
}

class Inception final : public Module {
 public:
  Inception(Build& build, int in, const Row& row) {
    branch1_ = add("branch1", basic_conv2d(build, in, row.conv1x1));
    branch2_ = add("branch2", reduced(build, in, row.reduce3x3, row.conv3x3));
    branch3_ = add("branch3", reduced(build, in, row.reduce5x5, row.conv5x5));
    auto pooled = std::make_unique<Sequential>();
    pooled->emplace<MaxPool2d>(
        MaxPool2dOptions{.kernel = 3, .stride = 1, .padding = 1, .ceil_mode = true});
    pooled->append(basic_conv2d(build, in, row.pool_proj));
    branch4_ = add("branch4", std::move(pooled));
    cat_ = add("cat", std::make_unique<FloatCat>(build));
  }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, sum of the branches, H, W]
    const Value narrow = branch1_(x), middle = branch2_(x), wide = branch3_(x);
    return cat_(std::vector{narrow, middle, wide, branch4_(x)});
  }

 private:
  static std::unique_ptr<Sequential> reduced(Build& build, int in, int reduce, int out) {
    auto branch = std::make_unique<Sequential>();
    branch->append(basic_conv2d(build, in, reduce));
    branch->append(basic_conv2d(build, reduce, out, 3, 1, 1));
    return branch;
  }

  Ref<BasicConv2d> branch1_;
  Ref<Sequential> branch2_, branch3_, branch4_;
  Ref<FloatCat> cat_;
};

/// A classifier on inner features, which steadies training; inference does not run it.
class AuxiliaryHead final : public Module {
 public:
  AuxiliaryHead(Build& build, int in, int num_classes) {
    constexpr int kChannels = 128, kPooled = 4, kHidden = 1024;
    add("conv", basic_conv2d(build, in, kChannels));
    add("fc1", std::make_unique<Linear>(build, kChannels * kPooled * kPooled, kHidden));
    add("fc2", std::make_unique<Linear>(build, kHidden, num_classes));
  }
};

class GoogLeNet final : public Module {
 public:
  GoogLeNet(Build& build, const ModelConfig& config)
      : transform_input_(config.transform_input.value_or(config.has_weights)) {
    then("conv1", basic_conv2d(build, 3, 64, 7, 2, 3));
    then("maxpool1", pool(3));
    then("conv2", basic_conv2d(build, 64, 64));
    then("conv3", basic_conv2d(build, 64, 192, 3, 1, 1));
    then("maxpool2", pool(3));
    int channels = 192;
    for (const Row& row : kRows) {
      if (row.pool_kernel > 0) {
        then(row.name, pool(row.pool_kernel));
        continue;
      }
      then(row.name, std::make_unique<Inception>(build, channels, row));
      channels = row.conv1x1 + row.conv3x3 + row.conv5x5 + row.pool_proj;
    }
    add_heads(build, config);
    avgpool_ = add("avgpool", std::make_unique<AdaptiveAvgPool2d>(1));
    dropout_ = add("dropout", std::make_unique<Dropout>());
    fc_ = add("fc", std::make_unique<Linear>(build, channels, config.num_classes));
    quant_ = add("quant", std::make_unique<QuantStub>(build));
    dequant_ = add("dequant", std::make_unique<DeQuantStub>(build));
    if (config.init_weights.value_or(true)) initialise(build);
  }

  Value forward(Value x) const override {  // [N, 3, H, W]
    if (transform_input_) x = transform_input(x);
    x = quant_(x);
    for (const auto& layer : layers_) x = layer(x);        // [N, 1024, H/32, W/32]
    return dequant_(fc_(dropout_(flatten(avgpool_(x)))));  // [N, classes]
  }

 private:
  void then(std::string_view name, std::unique_ptr<Module> layer) {
    layers_.push_back(add(std::string(name), std::move(layer)));
  }

  void add_heads(Build& build, const ModelConfig& config) {
    const AuxiliaryHeads heads = auxiliary_heads(config, kKeptWithWeights);
    if (heads == AuxiliaryHeads::kNone) return;
    for (const HeadRow& row : kHeads) {
      auto head = std::make_unique<AuxiliaryHead>(build, row.channels, config.num_classes);
      if (heads == AuxiliaryHeads::kKept) {
        add(std::string(row.name), std::move(head));
      } else {
        add_removed(std::string(row.name), std::move(head));
      }
    }
  }

  void initialise(Build& build) {
    truncated_normal_weights(build, *this, [](const Module&) { return kInitStd; });
  }

  bool transform_input_;
  std::vector<Ref<Module>> layers_;
  Ref<AdaptiveAvgPool2d> avgpool_;
  Ref<Dropout> dropout_;
  Ref<Linear> fc_;
  Ref<QuantStub> quant_;
  Ref<DeQuantStub> dequant_;
};

}  // namespace

std::vector<ModelRow> googlenet_models() {
  return {{kBuilder,
           kMinSize,
           [](Build& build, const ModelConfig& config) {
             return std::make_unique<GoogLeNet>(build, config);
           },
           {{Option::kAuxLogits, "true"},
            {Option::kDropout},
            {Option::kDropoutAux},
            {Option::kInitWeights, "false"},
            {Option::kTransformInput}}}};
}

}  // namespace tv::models

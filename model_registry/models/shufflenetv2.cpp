// ShuffleNet V2 (Ma et al. 2018, arXiv 1807.11164).
#include <array>
#include <memory>
#include <string>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/quantized.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::models {
namespace {

using graph::mean;
using graph::permute;
using graph::reshape;
using graph::slice;
using namespace nn;

struct Variant {
  std::string_view builder;
  std::array<int, 3> channels;  ///< of stages 2 to 4
  int last_channels;            ///< of conv5
};

// Table 5 of the paper, whose x2.0 has 244, 488 and 976 channels.
// clang-format off
constexpr Variant kVariants[] = {
    {"shufflenet_v2_x0_5", { 48,  96, 192}, 1024},
    {"shufflenet_v2_x1_0", {116, 232, 464}, 1024},
    {"shufflenet_v2_x1_5", {176, 352, 704}, 1024},
    {"shufflenet_v2_x2_0", {244, 488, 976}, 2048},
};
// clang-format on

constexpr std::array<int, 3> kBlocks = {4, 8, 4};  // of stages 2 to 4
constexpr int kStemChannels = 24;
constexpr int kMinSize = 1;

void append_pointwise(Sequential& layers, Build& build, int in, int out) {
  layers.emplace<Conv2d>(build, in, out, 1, Conv2dOptions{.bias = false});
  layers.emplace<BatchNorm2d>(build, out);
  layers.emplace<ReLU>();
}

/// Each channel by itself, no activation.
void append_depthwise(Sequential& layers, Build& build, int channels, int stride) {
  layers.emplace<Conv2d>(
      build, channels, channels, 3,
      Conv2dOptions{.stride = stride, .padding = 1, .groups = channels, .bias = false});
  layers.emplace<BatchNorm2d>(build, channels);
}

/// [N, C, H, W]: the channels of two halves in turns.
Value channel_shuffle(const Value& x) {
  const Shape& s = x.shape();
  const Value pairs = permute(reshape(x, {s[0], 2, s[1] / 2, s[2], s[3]}), {0, 2, 1, 3, 4});
  return reshape(pairs, {s[0], s[1], s[2], s[3]});
}

/// At stride 1 half of the channels pass through; at stride 2 both branches see all of them.
class InvertedResidual final : public Module {
 public:
  InvertedResidual(Build& build, int in, int out, int stride) : stride_(stride) {
    const int half = out / 2;
    auto branch1 = std::make_unique<Sequential>();  // at stride 1 without layers
    if (stride > 1) {
      append_depthwise(*branch1, build, in, stride);
      append_pointwise(*branch1, build, in, half);
    }
    branch1_ = add("branch1", std::move(branch1));
    auto branch2 = std::make_unique<Sequential>();
    append_pointwise(*branch2, build, stride > 1 ? in : half, half);
    append_depthwise(*branch2, build, half, stride);
    append_pointwise(*branch2, build, half, half);
    branch2_ = add("branch2", std::move(branch2));
    cat_ = add("cat", std::make_unique<FloatCat>(build));
  }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, out, H/stride, W/stride]
    if (stride_ > 1) return channel_shuffle(cat_(std::vector{branch1_(x), branch2_(x)}));
    const std::int64_t channels = x.shape()[1];
    const Value kept = slice(x, 1, 0, channels / 2);
    const Value seen = slice(x, 1, channels / 2, channels);
    return channel_shuffle(cat_(std::vector{kept, branch2_(seen)}));
  }

 private:
  int stride_;
  Ref<Sequential> branch1_, branch2_;
  Ref<FloatCat> cat_;
};

std::unique_ptr<Sequential> make_stage(Build& build, int in, int out, int blocks) {
  auto stage = std::make_unique<Sequential>();
  stage->emplace<InvertedResidual>(build, in, out, 2);
  for (int i = 1; i < blocks; ++i) stage->emplace<InvertedResidual>(build, out, out, 1);
  return stage;
}

class ShuffleNetV2 final : public Module {
 public:
  ShuffleNetV2(Build& build, const Variant& variant, int num_classes) {
    auto conv1 = std::make_unique<Sequential>();
    conv1->emplace<Conv2d>(build, 3, kStemChannels, 3,
                           Conv2dOptions{.stride = 2, .padding = 1, .bias = false});
    conv1->emplace<BatchNorm2d>(build, kStemChannels);
    conv1->emplace<ReLU>();
    conv1_ = add("conv1", std::move(conv1));
    maxpool_ =
        add("maxpool",
            std::make_unique<MaxPool2d>(MaxPool2dOptions{.kernel = 3, .stride = 2, .padding = 1}));
    int channels = kStemChannels;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      stages_[i] = add("stage" + std::to_string(i + 2),
                       make_stage(build, channels, variant.channels[i], kBlocks[i]));
      channels = variant.channels[i];
    }
    auto conv5 = std::make_unique<Sequential>();
    append_pointwise(*conv5, build, channels, variant.last_channels);
    conv5_ = add("conv5", std::move(conv5));
    // The family keeps the default initialisation.
    fc_ = add("fc", std::make_unique<Linear>(build, variant.last_channels, num_classes));
    quant_ = add("quant", std::make_unique<QuantStub>(build));
    dequant_ = add("dequant", std::make_unique<DeQuantStub>(build));
  }

  Value forward(Value x) const override {            // [N, 3, H, W]
    x = maxpool_(conv1_(quant_(x)));                 // [N, 24, H/4, W/4]
    for (const auto& stage : stages_) x = stage(x);  // [N, channels, H/32, W/32]
    return dequant_(fc_(mean(conv5_(x), {2, 3})));   // [N, classes]
  }

 private:
  Ref<Sequential> conv1_, conv5_;
  Ref<MaxPool2d> maxpool_;
  std::array<Ref<Sequential>, 3> stages_;
  Ref<Linear> fc_;
  Ref<QuantStub> quant_;
  Ref<DeQuantStub> dequant_;
};

}  // namespace

std::vector<ModelRow> shufflenetv2_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back({variant.builder, kMinSize, [&variant](Build& build, const ModelConfig& config) {
                      return std::make_unique<ShuffleNetV2>(build, variant, config.num_classes);
                    }});
  }
  return rows;
}

}  // namespace tv::models

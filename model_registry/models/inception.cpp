// Inception v3 (Szegedy et al. 2015, Rethinking the Inception Architecture for Computer Vision,
// arXiv 1512.00567).
#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/basic_conv2d.hpp"
#include "model_registry/models/nn/initialise.hpp"
#include "model_registry/models/nn/quantized.hpp"
#include "model_registry/models/nn/transform_input.hpp"

namespace tv::models {
namespace {

using graph::avg_pool2d;
using graph::flatten;
using graph::max_pool2d;
using namespace nn;

/// What a convolution of a module reads.
enum class From { kInput, kMean, kPrevious, kBeforePrevious };  // kMean: of 3x3 pixels of the input
using enum From;

constexpr int kWidth = 0;  // stands for a number of channels that differs from module to module

struct ConvRow {
  std::string_view name;
  From from;
  int channels;
  std::array<int, 2> kernel;  // height and width
  int stride = 1;             // stride 1 keeps the size, stride 2 goes without padding
  bool is_branch_end = false;
};

// Figures 5, 6, 7 and the two modules between them that halve the image.
// clang-format off
constexpr bool kEnd = true;
constexpr ConvRow kA[] = {
    {"branch1x1",      kInput,     64, {1, 1}, 1, kEnd},
    {"branch5x5_1",    kInput,     48, {1, 1}},
    {"branch5x5_2",    kPrevious,  64, {5, 5}, 1, kEnd},
    {"branch3x3dbl_1", kInput,     64, {1, 1}},
    {"branch3x3dbl_2", kPrevious,  96, {3, 3}},
    {"branch3x3dbl_3", kPrevious,  96, {3, 3}, 1, kEnd},
    {"branch_pool",    kMean,  kWidth, {1, 1}, 1, kEnd},
};
constexpr ConvRow kB[] = {
    {"branch3x3",      kInput,    384, {3, 3}, 2, kEnd},
    {"branch3x3dbl_1", kInput,     64, {1, 1}},
    {"branch3x3dbl_2", kPrevious,  96, {3, 3}},
    {"branch3x3dbl_3", kPrevious,  96, {3, 3}, 2, kEnd},
};
constexpr ConvRow kC[] = {
    {"branch1x1",      kInput,       192, {1, 1}, 1, kEnd},
    {"branch7x7_1",    kInput,    kWidth, {1, 1}},
    {"branch7x7_2",    kPrevious, kWidth, {1, 7}},
    {"branch7x7_3",    kPrevious,    192, {7, 1}, 1, kEnd},
    {"branch7x7dbl_1", kInput,    kWidth, {1, 1}},
    {"branch7x7dbl_2", kPrevious, kWidth, {7, 1}},
    {"branch7x7dbl_3", kPrevious, kWidth, {1, 7}},
    {"branch7x7dbl_4", kPrevious, kWidth, {7, 1}},
    {"branch7x7dbl_5", kPrevious,    192, {1, 7}, 1, kEnd},
    {"branch_pool",    kMean,        192, {1, 1}, 1, kEnd},
};
constexpr ConvRow kD[] = {
    {"branch3x3_1",    kInput,    192, {1, 1}},
    {"branch3x3_2",    kPrevious, 320, {3, 3}, 2, kEnd},
    {"branch7x7x3_1",  kInput,    192, {1, 1}},
    {"branch7x7x3_2",  kPrevious, 192, {1, 7}},
    {"branch7x7x3_3",  kPrevious, 192, {7, 1}},
    {"branch7x7x3_4",  kPrevious, 192, {3, 3}, 2, kEnd},
};
constexpr ConvRow kE[] = {
    {"branch1x1",       kInput,          320, {1, 1}, 1, kEnd},
    {"branch3x3_1",     kInput,          384, {1, 1}},
    {"branch3x3_2a",    kPrevious,       384, {1, 3}, 1, kEnd},
    {"branch3x3_2b",    kBeforePrevious, 384, {3, 1}, 1, kEnd},
    {"branch3x3dbl_1",  kInput,          448, {1, 1}},
    {"branch3x3dbl_2",  kPrevious,       384, {3, 3}},
    {"branch3x3dbl_3a", kPrevious,       384, {1, 3}, 1, kEnd},
    {"branch3x3dbl_3b", kBeforePrevious, 384, {3, 1}, 1, kEnd},
    {"branch_pool",     kMean,           192, {1, 1}, 1, kEnd},
};

struct MixedRow {
  std::string_view name;
  std::span<const ConvRow> convs;
  int width = 0;        // channels for kWidth
  bool halves = false;  // a last branch of max pooling with stride 2
};

// Table 1 of the paper, from the first module on.
constexpr MixedRow kMixed[] = {
    {"Mixed_5b", kA,  32}, {"Mixed_5c", kA, 64}, {"Mixed_5d", kA, 64},
    {"Mixed_6a", kB,   0, true},
    {"Mixed_6b", kC, 128}, {"Mixed_6c", kC, 160}, {"Mixed_6d", kC, 160}, {"Mixed_6e", kC, 192},
    {"Mixed_7a", kD,   0, true},
    {"Mixed_7b", kE},      {"Mixed_7c", kE},
};
// clang-format on

constexpr std::string_view kBuilder = "inception_v3";
constexpr int kMinSize = 75;
constexpr std::string_view kHeadFollows = "Mixed_6e";
// The auxiliary head, which the quantizable form drops then.
constexpr bool kKeptWithWeights = true;
constexpr double kInitStd = 0.1;
// Of the auxiliary head's fc. Its conv1 was meant to have 0.01, but torchvision says so to the
// module around the convolution, where nothing reads it.
constexpr double kHeadInitStd = 0.001;

class Mixed final : public Module {
 public:
  Mixed(Build& build, int in, const MixedRow& row) : row_(row) {
    std::vector<int> channels;
    for (const ConvRow& conv : row.convs) {
      const bool pads = conv.stride == 1;
      const std::array<int, 2> padding = {pads ? (conv.kernel[0] - 1) / 2 : 0,
                                          pads ? (conv.kernel[1] - 1) / 2 : 0};
      const std::size_t before = conv.from == kBeforePrevious ? 2 : 1;
      const bool chained = conv.from == kPrevious || conv.from == kBeforePrevious;
      const int from = chained ? channels[channels.size() - before] : in;
      channels.push_back(conv.channels == kWidth ? row.width : conv.channels);
      convs_.push_back(
          add(std::string(conv.name),
              std::make_unique<BasicConv2d>(build, from, channels.back(),
                                            BasicConvOptions{conv.kernel, conv.stride, padding})));
      if (conv.is_branch_end) out_ += channels.back();
    }
    if (row.halves) out_ += in;
    const auto pairs = std::ranges::count(row.convs, kBeforePrevious, &ConvRow::from);
    for (std::ptrdiff_t i = 1; i <= pairs + 1; ++i)
      cats_.push_back(
          add(pairs == 0 ? "myop" : "myop" + std::to_string(i), std::make_unique<FloatCat>(build)));
  }

  int out_channels() const { return out_; }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, out, H', W']
    std::vector<Value> values, ends;
    auto join = cats_.begin();
    for (std::size_t i = 0; i < convs_.size(); ++i) {
      values.push_back(convs_[i](input(row_.convs[i].from, x, values)));
      if (!row_.convs[i].is_branch_end) continue;
      if (row_.convs[i].from == kBeforePrevious) {  // one branch with the end before it
        ends.back() = (*join++)(std::vector{ends.back(), values.back()});
      } else {
        ends.push_back(values.back());
      }
    }
    if (row_.halves) ends.push_back(max_pool2d(x, {.kernel = {3, 3}, .stride = {2, 2}}));
    return (*join)(ends);
  }

 private:
  static Value input(From from, const Value& x, const std::vector<Value>& values) {
    switch (from) {
      case kInput:
        break;
      case kMean:
        return avg_pool2d(x, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
      case kPrevious:
        return values.back();
      case kBeforePrevious:
        return values[values.size() - 2];
    }
    return x;
  }

  const MixedRow& row_;
  int out_ = 0;
  std::vector<Ref<BasicConv2d>> convs_;
  std::vector<Ref<FloatCat>> cats_;  // those inside branches come first
};

/// A classifier on inner features, which helps training; inference does not run it.
class AuxiliaryHead final : public Module {
 public:
  AuxiliaryHead(Build& build, int in, int num_classes) {
    add("conv0", basic_conv2d(build, in, 128));
    add("conv1", basic_conv2d(build, 128, 768, 5));
    fc_ = add("fc", std::make_unique<Linear>(build, 768, num_classes));
  }
  const Linear& fc() const { return *fc_; }

 private:
  Ref<Linear> fc_;
};

class InceptionV3 final : public Module {
 public:
  InceptionV3(Build& build, const ModelConfig& config)
      : transform_input_(config.transform_input.value_or(config.has_weights)) {
    then("Conv2d_1a_3x3", basic_conv2d(build, 3, 32, 3, 2));
    then("Conv2d_2a_3x3", basic_conv2d(build, 32, 32, 3));
    then("Conv2d_2b_3x3", basic_conv2d(build, 32, 64, 3, 1, 1));
    then("maxpool1", std::make_unique<MaxPool2d>(kHalving));
    then("Conv2d_3b_1x1", basic_conv2d(build, 64, 80));
    then("Conv2d_4a_3x3", basic_conv2d(build, 80, 192, 3));
    then("maxpool2", std::make_unique<MaxPool2d>(kHalving));
    int channels = 192;
    for (const MixedRow& row : kMixed) {
      auto mixed = std::make_unique<Mixed>(build, channels, row);
      channels = mixed->out_channels();
      then(row.name, std::move(mixed));
      if (row.name == kHeadFollows) add_head(build, channels, config);
    }
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
    for (const auto& layer : layers_) x = layer(x);        // [N, 2048, H/32 - 1, W/32 - 1]
    return dequant_(fc_(flatten(dropout_(avgpool_(x)))));  // [N, classes]
  }

 private:
  static constexpr MaxPool2dOptions kHalving = {.kernel = 3, .stride = 2};

  void then(std::string_view name, std::unique_ptr<Module> layer) {
    layers_.push_back(add(std::string(name), std::move(layer)));
  }

  void add_head(Build& build, int channels, const ModelConfig& config) {
    const AuxiliaryHeads heads = auxiliary_heads(config, kKeptWithWeights && !config.quantizable);
    if (heads == AuxiliaryHeads::kNone) return;
    auto head = std::make_unique<AuxiliaryHead>(build, channels, config.num_classes);
    head_fc_ = &head->fc();
    if (heads == AuxiliaryHeads::kKept) {
      add("AuxLogits", std::move(head));
    } else {
      add_removed("AuxLogits", std::move(head));
    }
  }

  void initialise(Build& build) {
    truncated_normal_weights(build, *this, [this](const Module& module) {
      return &module == head_fc_ ? kHeadInitStd : kInitStd;
    });
  }

  bool transform_input_;
  std::vector<Ref<Module>> layers_;
  const Linear* head_fc_ = nullptr;
  Ref<AdaptiveAvgPool2d> avgpool_;
  Ref<Dropout> dropout_;
  Ref<Linear> fc_;
  Ref<QuantStub> quant_;
  Ref<DeQuantStub> dequant_;
};

}  // namespace

std::vector<ModelRow> inception_models() {
  return {{kBuilder,
           kMinSize,
           [](Build& build, const ModelConfig& config) {
             return std::make_unique<InceptionV3>(build, config);
           },
           {{Option::kAuxLogits, "true"},
            {Option::kDropout},
            {Option::kInitWeights, "false"},
            {Option::kTransformInput}}}};
}

}  // namespace tv::models

// MaxViT (Tu et al. 2022, arXiv 2204.01697).
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/conv_norm_activation.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/multihead_attention.hpp"
#include "model_registry/models/nn/relative_position.hpp"
#include "model_registry/models/nn/sequential.hpp"
#include "model_registry/models/nn/squeeze_excitation.hpp"

namespace tv::models {
namespace {

using graph::parameter;
using namespace nn;

struct Stage {
  int channels;
  int layers;
};

// Table 1 of the paper, column T.
// clang-format off
constexpr std::array<Stage, 4> kStages = {{
    { 64, 2},
    {128, 2},
    {256, 5},
    {512, 2},
}};
// clang-format on
constexpr int kStemChannels = 64;
constexpr int kHeadChannels = 32;  // of one attention head
constexpr int kPartition = 7;      // pixels of a window, and windows of a grid, along an axis
constexpr int kExpansion = 4;      // of MBConv and of the perceptrons
constexpr int kSqueeze = 4;        // output channels of MBConv / channels of its squeeze
constexpr int kImageSize = 224;    // pixels, where no image_size is given
constexpr double kNormEps = 1e-3;  // of the batch norms

/// Pixels that a 3x3 convolution of stride 2 leaves.
constexpr int halved(int size) {
  return (size - 1) / 2 + 1;
}

/// A bottleneck with a filter for each channel, and its normalisation in front.
class MBConv final : public Module {
 public:
  MBConv(Build& build, int in, int out, int stride) {
    if (stride != 1 || in != out) {
      auto proj = std::make_unique<Sequential>();
      if (stride == 2)
        proj->emplace<AvgPool2d>(AvgPool2dOptions{.kernel = 3, .stride = 2, .padding = 1});
      proj->emplace<Conv2d>(build, in, out, 1);
      proj_ = add("proj", std::move(proj));
    }
    const int hidden = kExpansion * out;
    auto layers = std::make_unique<Sequential>();
    layers->append("pre_norm", std::make_unique<BatchNorm2d>(build, in, kNormEps));
    layers->append("conv_a",
                   conv_norm_activation<GELU>(build, in, hidden, {.kernel = 1, .eps = kNormEps}));
    layers->append("conv_b", conv_norm_activation<GELU>(
                                 build, hidden, hidden,
                                 {.stride = stride, .groups = hidden, .eps = kNormEps}));
    layers->append("squeeze_excitation",
                   std::make_unique<SqueezeExcitation<SiLU>>(build, hidden, out / kSqueeze));
    layers->append("conv_c", std::make_unique<Conv2d>(build, hidden, out, 1));
    layers_ = add("layers", std::move(layers));
  }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, out, H/stride, W/stride]
    return (proj_ ? proj_(x) : x) + layers_(x);
  }

 private:
  Ref<Sequential> proj_, layers_;
};

/// torchvision's RelativePositionalMultiHeadAttention: attention among the tokens of each group.
class RelativeAttention final : public Module {
 public:
  RelativeAttention(Build& build, int channels) : channels_(channels) {
    constexpr int kDistances = 2 * kPartition - 1;
    constexpr std::int64_t kTokens = kPartition * kPartition;
    to_qkv_ = add("to_qkv", std::make_unique<Linear>(build, channels, 3 * channels));
    merge_ = add("merge", std::make_unique<Linear>(build, channels, channels));
    table_ = add_tensor("relative_position_bias_table",
                        build.parameter({kDistances * kDistances, heads()}));
    index_ = add_tensor("relative_position_index",
                        build.parameter({kTokens, kTokens}, DType::kInt64, /*is_buffer=*/true));
    build.values(index_, relative_position_index(kPartition, kPartition));
    build.trunc_normal(table_, 0, 0.02);
  }

  Value forward(Value x) const override {  // [N, groups, tokens, channels]
    const auto [q, k, v] = split_heads(to_qkv_(x), heads());
    const Value bias =
        relative_position_bias(parameter(x, table_), index_, kPartition * kPartition);
    const double factor = 1 / std::sqrt(static_cast<double>(channels_));  // not those of one head
    return merge_(join_heads(attention(q, k, v, factor, bias)));
  }

 private:
  int heads() const { return channels_ / kHeadChannels; }

  int channels_;
  int table_, index_;
  Ref<Linear> to_qkv_, merge_;
};

enum class Partition {
  kWindow,  ///< tokens side by side
  kGrid,    ///< tokens spread evenly over the image
};

/// Attention and perceptron among kPartition x kPartition tokens.
class PartitionAttention final : public Module {
 public:
  /// `grid_size`: height and width of the features, pixels, a multiple of kPartition.
  PartitionAttention(Build& build, Partition partition, int channels, int grid_size)
      : partition_(partition),
        pixels_(partition == Partition::kWindow ? kPartition : grid_size / kPartition),
        parts_(grid_size / pixels_) {
    auto attention = std::make_unique<Sequential>();
    attention->emplace<LayerNorm>(build, channels);
    attention->emplace<RelativeAttention>(build, channels);
    attn_layer_ = add("attn_layer", std::move(attention));
    auto mlp = std::make_unique<Sequential>();
    mlp->emplace<LayerNorm>(build, channels);
    mlp->emplace<Linear>(build, channels, kExpansion * channels);
    mlp->emplace<GELU>();
    mlp->emplace<Linear>(build, kExpansion * channels, channels);
    mlp_layer_ = add("mlp_layer", std::move(mlp));
  }

  Value forward(Value x) const override {  // [N, C, H, W]
    const Shape in = x.shape();
    const std::int64_t rows = in[2] / pixels_, columns = in[3] / pixels_;
    if (in[2] % pixels_ != 0 || in[3] % pixels_ != 0 || rows * columns != parts_ * parts_)
      return x.trace().fail(x, graph::Op::kReshape, wrong_size(in));
    x = swapped(divide(x, rows, columns));  // [N, groups, tokens, C]
    x = x + attn_layer_(x);
    x = x + mlp_layer_(x);
    return join(swapped(x));
  }

 private:
  // [N, C, H, W] -> [N, parts, pixels of a part, C]
  Value divide(const Value& x, std::int64_t rows, std::int64_t columns) const {
    const Shape& in = x.shape();
    const Value parts = reshape(x, {in[0], in[1], rows, pixels_, columns, pixels_});
    return reshape(permute(parts, {0, 2, 4, 3, 5, 1}),
                   {in[0], rows * columns, std::int64_t{pixels_} * pixels_, in[1]});
  }

  // As torchvision does it: whatever the parts' rows and columns were, the result is square.
  Value join(const Value& x) const {
    const std::int64_t n = x.shape()[0], c = x.shape()[3], side = std::int64_t{parts_} * pixels_;
    const Value parts = reshape(x, {n, parts_, parts_, pixels_, pixels_, c});
    return reshape(permute(parts, {0, 5, 1, 3, 2, 4}), {n, c, side, side});
  }

  // A grid attends across its parts.
  Value swapped(const Value& x) const {
    return partition_ == Partition::kGrid ? permute(x, {0, 2, 1, 3}) : x;
  }

  std::string wrong_size(const Shape& in) const {
    const std::string side = std::to_string(parts_ * pixels_);
    return "expects features of " + side + "x" + side + ", found " + std::to_string(in[2]) + "x" +
           std::to_string(in[3]) + ": the network is made for images of one size";
  }

  Partition partition_;
  int pixels_;  // of a part, along an axis
  int parts_;   // along an axis
  Ref<Sequential> attn_layer_, mlp_layer_;
};

std::unique_ptr<Sequential> make_layer(Build& build, int in, int out, int stride, int grid_size) {
  auto layers = std::make_unique<Sequential>();
  layers->append("MBconv", std::make_unique<MBConv>(build, in, out, stride));
  layers->append("window_attention",
                 std::make_unique<PartitionAttention>(build, Partition::kWindow, out, grid_size));
  layers->append("grid_attention",
                 std::make_unique<PartitionAttention>(build, Partition::kGrid, out, grid_size));
  return layers;
}

/// A module whose child "layers" does everything.
class Wrapped final : public Module {
 public:
  explicit Wrapped(std::unique_ptr<Sequential> layers)
      : layers_(add("layers", std::move(layers))) {}
  Value forward(Value x) const override { return layers_(x); }

 private:
  Ref<Sequential> layers_;
};

class MaxVit final : public Module {
 public:
  MaxVit(Build& build, int image_size, int num_classes) {
    auto stem = std::make_unique<Sequential>();
    stem->append(
        conv_norm_activation<GELU>(build, 3, kStemChannels, {.stride = 2, .eps = kNormEps}));
    stem->append(
        conv_norm_activation<NoActivation>(build, kStemChannels, kStemChannels, {.norm = false}));
    stem_ = add("stem", std::move(stem));
    auto blocks = std::make_unique<Sequential>();
    int channels = kStemChannels;
    int size = halved(image_size);
    for (const Stage& stage : kStages) {
      size = halved(size);
      blocks->append(make_block(build, channels, stage, size));
      channels = stage.channels;
    }
    blocks_ = add("blocks", std::move(blocks));
    classifier_ = add("classifier", make_classifier(build, channels, num_classes));
    initialise(build);
  }

  Value forward(Value x) const override {   // [N, 3, image_size, image_size]
    return classifier_(blocks_(stem_(x)));  // [N, 512, image_size/32, ...] -> [N, classes]
  }

 private:
  // The first layer halves the image.
  static std::unique_ptr<Module> make_block(Build& build, int in, const Stage& stage, int size) {
    auto layers = std::make_unique<Sequential>();
    for (int i = 0; i < stage.layers; ++i)
      layers->emplace<Wrapped>(
          make_layer(build, i == 0 ? in : stage.channels, stage.channels, i == 0 ? 2 : 1, size));
    return std::make_unique<Wrapped>(std::move(layers));
  }

  static std::unique_ptr<Sequential> make_classifier(Build& build, int channels, int num_classes) {
    auto classifier = std::make_unique<Sequential>();
    classifier->emplace<AdaptiveAvgPool2d>(1);
    classifier->emplace<Flatten>();
    classifier->emplace<LayerNorm>(build, channels);
    classifier->emplace<Linear>(build, channels, channels);
    classifier->emplace<Tanh>();
    classifier->emplace<Linear>(build, channels, num_classes, false);
    return classifier;
  }

  void initialise(Build& build) {
    const auto normal = [&](int weight, int bias) {
      build.normal(weight, 0, 0.02);
      if (bias != graph::kNoParameter) build.constant(bias, 0);
    };
    for_each([&](Module& module) {
      if (const auto* conv = dynamic_cast<Conv2d*>(&module)) {
        normal(conv->weight(), conv->bias());
      } else if (const auto* linear = dynamic_cast<Linear*>(&module)) {
        normal(linear->weight(), linear->bias());
      }
    });
  }

  Ref<Sequential> stem_, blocks_, classifier_;
};

std::string image_size_problem(int image_size) {
  int size = halved(image_size);
  for (std::size_t block = 0; block < kStages.size(); ++block) {
    size = halved(size);
    if (size % kPartition == 0) continue;
    const std::string side = std::to_string(size);
    return "the features of block " + std::to_string(block) + " are " + side + "x" + side +
           ", not divisible by the partition, " + std::to_string(kPartition);
  }
  return "";
}

}  // namespace

std::vector<ModelRow> maxvit_models() {
  return {{"maxvit_t",
           kImageSize,
           [](Build& build, const ModelConfig& config) {
             return std::make_unique<MaxVit>(build, config.image_size.value_or(kImageSize),
                                             config.num_classes);
           },
           {{Option::kAttentionDropout}, {Option::kImageSize}, {Option::kMlpDropout}},
           image_size_problem}};
}

}  // namespace tv::models

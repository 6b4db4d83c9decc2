// Swin Transformer (Liu et al. 2021, arXiv 2103.14030) and Swin Transformer V2 (Liu et al. 2021,
// arXiv 2111.09883).
#include <array>
#include <memory>
#include <string_view>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/mlp.hpp"
#include "model_registry/models/nn/permute.hpp"
#include "model_registry/models/nn/sequential.hpp"
#include "model_registry/models/nn/window_attention.hpp"

namespace tv::models {
namespace {

using graph::adaptive_avg_pool2d;
using graph::flatten;
using namespace nn;

struct Variant {
  std::string_view builder;
  SwinVersion version;
  int channels;               ///< of the first stage; each further one has twice as many
  std::array<int, 4> blocks;  ///< of each stage
  std::array<int, 4> heads;
  int window;    ///< tokens, height and width
  int min_size;  ///< pixels
};

// Section 3.3 of the first paper; V2 changes the window and the image alone.
// clang-format off
constexpr Variant kVariants[] = {
    {"swin_t",    SwinVersion::kV1,  96, {2, 2,  6, 2}, {3,  6, 12, 24}, 7, 224},
    {"swin_s",    SwinVersion::kV1,  96, {2, 2, 18, 2}, {3,  6, 12, 24}, 7, 224},
    {"swin_b",    SwinVersion::kV1, 128, {2, 2, 18, 2}, {4,  8, 16, 32}, 7, 224},
    {"swin_v2_t", SwinVersion::kV2,  96, {2, 2,  6, 2}, {3,  6, 12, 24}, 8, 256},
    {"swin_v2_s", SwinVersion::kV2,  96, {2, 2, 18, 2}, {3,  6, 12, 24}, 8, 256},
    {"swin_v2_b", SwinVersion::kV2, 128, {2, 2, 18, 2}, {4,  8, 16, 32}, 8, 256},
};
// clang-format on
constexpr int kPatch = 4;     // pixels, height and width
constexpr int kMlpRatio = 4;  // hidden channels of a block's perceptron / channels

/// V1 normalises what enters its layers, V2 what leaves them.
class Block final : public Module {
 public:
  Block(Build& build, SwinVersion version, const WindowAttentionOptions& options)
      : version_(version) {
    const int channels = options.channels;
    norm1_ = add("norm1", std::make_unique<LayerNorm>(build, channels));
    attn_ = add("attn", std::make_unique<WindowAttention>(build, version, options));
    norm2_ = add("norm2", std::make_unique<LayerNorm>(build, channels));
    mlp_ = add("mlp", mlp(build, channels, kMlpRatio * channels));
  }

  Value forward(Value x) const override {  // [N, H, W, channels]
    const bool before = version_ == SwinVersion::kV1;
    x = x + (before ? attn_(norm1_(x)) : norm1_(attn_(x)));
    return x + (before ? mlp_(norm2_(x)) : norm2_(mlp_(x)));
  }

 private:
  SwinVersion version_;
  Ref<LayerNorm> norm1_, norm2_;
  Ref<WindowAttention> attn_;
  Ref<Sequential> mlp_;
};

/// Joins 2x2 tokens to one of twice the channels.
class PatchMerging final : public Module {
 public:
  PatchMerging(Build& build, SwinVersion version, int channels) : version_(version) {
    reduction_ =
        add("reduction", std::make_unique<Linear>(build, 4 * channels, 2 * channels, false));
    norm_ = add("norm", std::make_unique<LayerNorm>(
                            build, version == SwinVersion::kV1 ? 4 * channels : 2 * channels));
  }

  Value forward(Value x) const override {  // [N, H, W, C] -> [N, ceil(H/2), ceil(W/2), 2 * C]
    x = join(x);
    return version_ == SwinVersion::kV1 ? reduction_(norm_(x)) : norm_(reduction_(x));
  }

 private:
  // The four tokens' channels one after another, column by column.
  static Value join(Value x) {
    const Shape in = x.shape();
    if (in[1] % 2 != 0 || in[2] % 2 != 0)
      x = pad(x, {.before = {0, 0, 0, 0}, .after = {0, in[1] % 2, in[2] % 2, 0}});
    const std::int64_t h = x.shape()[1] / 2, w = x.shape()[2] / 2, c = in[3];
    return reshape(permute(reshape(x, {in[0], h, 2, w, 2, c}), {0, 1, 3, 4, 2, 5}),
                   {in[0], h, w, 4 * c});
  }

  SwinVersion version_;
  Ref<Linear> reduction_;
  Ref<LayerNorm> norm_;
};

class SwinTransformer final : public Module {
 public:
  SwinTransformer(Build& build, const Variant& variant, int num_classes) {
    auto features = std::make_unique<Sequential>();
    features->append(patches(build, variant.channels));
    int channels = variant.channels;
    for (std::size_t stage = 0; stage < variant.blocks.size(); ++stage) {
      features->append(make_stage(build, variant, stage, channels));
      if (stage + 1 == variant.blocks.size()) break;
      features->emplace<PatchMerging>(build, variant.version, channels);
      channels *= 2;
    }
    features_ = add("features", std::move(features));
    norm_ = add("norm", std::make_unique<LayerNorm>(build, channels));
    head_ = add("head", std::make_unique<Linear>(build, channels, num_classes));
    initialise(build);
  }

  Value forward(Value x) const override {  // [N, 3, H, W]
    x = norm_(features_(x));               // [N, H/32, W/32, 8 * channels], rounded up
    x = permute(x, {0, 3, 1, 2});
    return head_(flatten(adaptive_avg_pool2d(x, {{1, 1}})));  // [N, classes]
  }

 private:
  // [N, 3, H, W] -> [N, H/4, W/4, channels]
  static std::unique_ptr<Sequential> patches(Build& build, int channels) {
    auto stem = std::make_unique<Sequential>();
    stem->emplace<Conv2d>(build, 3, channels, kPatch, Conv2dOptions{.stride = kPatch});
    stem->emplace<Permute>(std::vector<int>{0, 2, 3, 1});
    stem->emplace<LayerNorm>(build, channels);
    return stem;
  }

  // Every second block shifts its windows.
  static std::unique_ptr<Sequential> make_stage(Build& build, const Variant& variant,
                                                std::size_t stage, int channels) {
    auto blocks = std::make_unique<Sequential>();
    for (int i = 0; i < variant.blocks[stage]; ++i)
      blocks->emplace<Block>(build, variant.version,
                             WindowAttentionOptions{.channels = channels,
                                                    .heads = variant.heads[stage],
                                                    .window = variant.window,
                                                    .shift = i % 2 == 0 ? 0 : variant.window / 2});
    return blocks;
  }

  void initialise(Build& build) {
    for_each([&](Module& module) {
      const auto* linear = dynamic_cast<Linear*>(&module);
      if (!linear) return;
      build.trunc_normal(linear->weight(), 0, 0.02);
      if (linear->bias() != graph::kNoParameter) build.constant(linear->bias(), 0);
    });
  }

  Ref<Sequential> features_;
  Ref<LayerNorm> norm_;
  Ref<Linear> head_;
};

}  // namespace

std::vector<ModelRow> swin_transformer_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back({variant.builder,
                    variant.min_size,
                    [&variant](Build& build, const ModelConfig& config) {
                      return std::make_unique<SwinTransformer>(build, variant, config.num_classes);
                    },
                    {{Option::kAttentionDropout}, {Option::kDropout}}});
    rows.back().smallest_size = kPatch;  // patches are padded to whole windows
  }
  return rows;
}

}  // namespace tv::models

// Vision Transformer (Dosovitskiy et al. 2020, arXiv 2010.11929).
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <string_view>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/mlp.hpp"
#include "model_registry/models/nn/multihead_attention.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::models {
namespace {

using graph::cat;
using graph::parameter;
using namespace nn;

struct Variant {
  std::string_view builder;
  int patch;  ///< pixels, height and width
  int layers;
  int heads;
  int hidden;  ///< channels of a token
  int mlp;     ///< channels within a block's perceptron
};

// Table 1 of the paper; the number in a name is the patch.
// clang-format off
constexpr Variant kVariants[] = {
    {"vit_b_16", 16, 12, 12,  768, 3072},
    {"vit_b_32", 32, 12, 12,  768, 3072},
    {"vit_l_16", 16, 24, 16, 1024, 4096},
    {"vit_l_32", 32, 24, 16, 1024, 4096},
    {"vit_h_14", 14, 32, 16, 1280, 5120},
};
// clang-format on
constexpr int kImageSize = 224;  // pixels, where no image_size is given
constexpr double kEps = 1e-6;

class EncoderBlock final : public Module {
 public:
  EncoderBlock(Build& build, const Variant& variant) {
    ln_1_ = add("ln_1", std::make_unique<LayerNorm>(build, variant.hidden, kEps));
    self_attention_ = add("self_attention", std::make_unique<MultiheadAttention>(
                                                build, variant.hidden, variant.heads));
    ln_2_ = add("ln_2", std::make_unique<LayerNorm>(build, variant.hidden, kEps));
    mlp_ = add("mlp", mlp(build, variant.hidden, variant.mlp));
    mlp_->set_version(2);  // the first called its layers linear_1 and linear_2
  }

  Value forward(Value x) const override {  // [N, tokens, hidden]
    x = self_attention_(ln_1_(x)) + x;
    return x + mlp_(ln_2_(x));
  }

 private:
  Ref<LayerNorm> ln_1_, ln_2_;
  Ref<MultiheadAttention> self_attention_;
  Ref<Sequential> mlp_;
};

class Encoder final : public Module {
 public:
  Encoder(Build& build, const Variant& variant, int tokens)
      : pos_embedding_(add_tensor("pos_embedding", build.parameter({1, tokens, variant.hidden}))) {
    build.normal(pos_embedding_, 0, 0.02);
    auto layers = std::make_unique<Sequential>();
    for (int i = 0; i < variant.layers; ++i)
      layers->append("encoder_layer_" + std::to_string(i),
                     std::make_unique<EncoderBlock>(build, variant));
    layers_ = add("layers", std::move(layers));
    ln_ = add("ln", std::make_unique<LayerNorm>(build, variant.hidden, kEps));
  }

  Value forward(Value x) const override {  // [N, tokens, hidden]
    return ln_(layers_(x + parameter(x, pos_embedding_)));
  }

 private:
  int pos_embedding_;
  Ref<Sequential> layers_;
  Ref<LayerNorm> ln_;
};

class VisionTransformer final : public Module {
 public:
  VisionTransformer(Build& build, const Variant& variant, int image_size, int num_classes)
      : image_size_(image_size),
        class_token_(add_tensor("class_token", build.parameter({1, 1, variant.hidden}))) {
    conv_proj_ = add("conv_proj", std::make_unique<Conv2d>(build, 3, variant.hidden, variant.patch,
                                                           Conv2dOptions{.stride = variant.patch}));
    build.constant(class_token_, 0);
    const int side = image_size / variant.patch;
    encoder_ = add("encoder", std::make_unique<Encoder>(build, variant, side * side + 1));
    auto heads = std::make_unique<Sequential>();
    const auto head =
        heads->append("head", std::make_unique<Linear>(build, variant.hidden, num_classes));
    heads_ = add("heads", std::move(heads));
    initialise(build, *head);
  }

  Value forward(Value x) const override {  // [N, 3, image_size, image_size]
    const Shape in = x.shape();
    if (in[2] != image_size_ || in[3] != image_size_)
      return x.trace().fail(x, graph::Op::kInput, wrong_size(in));
    x = conv_proj_(x);                                              // [N, hidden, H/patch, W/patch]
    x = permute(reshape(x, {in[0], x.shape()[1], -1}), {0, 2, 1});  // [N, patches, hidden]
    const Value token = expand(parameter(x, class_token_), {in[0], 1, x.shape()[2]});
    x = encoder_(cat({token, x}));   // [N, 1 + patches, hidden]
    return heads_(select(x, 1, 0));  // the class token -> [N, classes]
  }

 private:
  void initialise(Build& build, const Linear& head) {
    const auto fan_in = graph::fan_of(build.shape(conv_proj_->weight()), Build::Fan::kIn);
    build.trunc_normal(conv_proj_->weight(), 0, std::sqrt(1 / static_cast<double>(fan_in)));
    build.constant(conv_proj_->bias(), 0);
    build.constant(head.weight(), 0);
    build.constant(head.bias(), 0);
  }

  std::string wrong_size(const Shape& in) const {
    const std::string side = std::to_string(image_size_);
    return "expects images of " + side + "x" + side + ", found " + std::to_string(in[2]) + "x" +
           std::to_string(in[3]);
  }

  int image_size_;
  int class_token_;
  Ref<Conv2d> conv_proj_;
  Ref<Encoder> encoder_;
  Ref<Sequential> heads_;
};

// Files written before torchvision 0.14 call a perceptron's layers linear_1 and linear_2.
std::string current_name(std::string_view name) {
  constexpr std::string_view kOld = ".mlp.linear_";
  const std::size_t at = name.find(kOld);
  if (at == std::string_view::npos || at + kOld.size() >= name.size()) return "";
  const std::string_view rest = name.substr(at + kOld.size());  // "1.weight"
  if (rest[0] != '1' && rest[0] != '2') return "";
  return std::string(name.substr(0, at)) + ".mlp." + (rest[0] == '1' ? "0" : "3") +
         std::string(rest.substr(1));
}

std::string image_size_problem(const Variant& variant, int image_size) {
  if (image_size % variant.patch == 0) return "";
  return "not a multiple of the patch, " + std::to_string(variant.patch);
}

}  // namespace

std::vector<ModelRow> vision_transformer_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back(
        {variant.builder,
         kImageSize,
         [&variant](Build& build, const ModelConfig& config) {
           build.old_names(current_name);
           return std::make_unique<VisionTransformer>(
               build, variant, config.image_size.value_or(kImageSize), config.num_classes);
         },
         {{Option::kAttentionDropout}, {Option::kDropout}, {Option::kImageSize}},
         [&variant](int image_size) { return image_size_problem(variant, image_size); }});
  }
  return rows;
}

}  // namespace tv::models

// The papers: one line a family, the only list to extend when a file is added to this folder.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model_registry/graph/module.hpp"

namespace tv::models {

/// What a builder is asked for: Python's keyword arguments, checked against the row and the
/// weights.
struct ModelConfig {
  int num_classes = 1000;
  bool has_weights = false;    ///< GoogLeNet and Inception v3: decides about heads and input
  bool own_file = false;       ///< the file may hold auxiliary heads or not
  bool any_image_size = true;  ///< no entry says for which images the network is
  std::optional<bool> aux_logits = {};       ///< GoogLeNet, Inception v3
  std::optional<bool> transform_input = {};  ///< GoogLeNet, Inception v3
  std::optional<bool> init_weights = {};     ///< GoogLeNet, Inception v3, VGG
  bool zero_init_residual = false;           ///< ResNet
  std::optional<int> image_size = {};        ///< pixels; ViT, and MaxViT's input_size
  /// MNASNet: of the file that the network is for (ModelRow::file_version); 0: today's.
  std::int64_t file_version = 0;
  bool quantizable = false;  ///< the form made for quantisation: ReLU instead of ReLU6
  bool quantize = false;     ///< the row of a quantized builder: int8
  graph::QuantizedBackend backend = graph::QuantizedBackend::kFbgemm;  ///< of int8 alone
};

/// What a quantized builder is made of.
struct Quantization {
  std::string_view float_builder;  ///< whose weights fit with quantize=false
  graph::QuantizedBackend backend = graph::QuantizedBackend::kFbgemm;  ///< default
  /// Files come from quantisation-aware training, in float; Python converts them.
  bool quantization_aware = false;
};

/// What becomes of auxiliary heads, which only training runs.
enum class AuxiliaryHeads : std::uint8_t {
  kNone,     ///< neither in the network nor in its files
  kRemoved,  ///< constructed, and removed after loading: files may hold them
  kKept,
};

/// `kept_with_weights`: what an entry's file leads to unless aux_logits says otherwise.
inline AuxiliaryHeads auxiliary_heads(const ModelConfig& config, bool kept_with_weights) {
  const bool from_file = config.has_weights || config.own_file;
  const bool kept = config.own_file ? false : !config.has_weights || kept_with_weights;
  if (config.aux_logits.value_or(kept)) return AuxiliaryHeads::kKept;
  return from_file ? AuxiliaryHeads::kRemoved : AuxiliaryHeads::kNone;
}

/// Keyword arguments that not every builder takes.
enum class Option : std::uint8_t {
  kAttentionDropout,
  kAuxLogits,
  kDropRate,
  kDropout,
  kDropoutAux,
  kImageSize,
  kInitWeights,
  kMlpDropout,
  kStochasticDepthProb,
  kTransformInput,
  kZeroInitResidual,
};

struct TakenOption {
  Option option;
  std::string_view with_weights = {};  ///< the only value that weights allow; "": any
};

/// One builder: a row of its paper's table, ready to construct.
struct ModelRow {
  std::string_view builder;  ///< "resnet50"
  int min_size = 1;          ///< smallest height and width that torchvision documents, pixels
  /// Constructs the modules in Python's order and records the family's own initialisation after the
  /// defaults.
  std::function<std::unique_ptr<graph::Module>(graph::Build&, const ModelConfig&)> make;
  std::vector<TakenOption> options = {};  ///< besides weights, progress and num_classes
  /// Of builders with the option image_size, which take images of one size alone: why this side
  /// (pixels, at least 1) cannot be, "" if it can.
  std::function<std::string(int image_size)> image_size_problem = {};
  std::optional<Quantization> quantization = {};  ///< of quantized builders
  /// Files must say the version of their network, 1 to this, and an older one has another network.
  /// 0: whatever they say, the network is the same.
  std::int64_t file_version = 0;
  /// Smallest height and width that the network runs on, pixels; 0: min_size.
  int smallest_size = 0;
};

std::vector<ModelRow> alexnet_models();
std::vector<ModelRow> convnext_models();
std::vector<ModelRow> densenet_models();
std::vector<ModelRow> efficientnet_models();
std::vector<ModelRow> googlenet_models();
std::vector<ModelRow> inception_models();
std::vector<ModelRow> maxvit_models();
std::vector<ModelRow> mnasnet_models();
std::vector<ModelRow> mobilenetv2_models();
std::vector<ModelRow> mobilenetv3_models();
std::vector<ModelRow> quantized_models();
std::vector<ModelRow> regnet_models();
std::vector<ModelRow> resnet_models();
std::vector<ModelRow> shufflenetv2_models();
std::vector<ModelRow> squeezenet_models();
std::vector<ModelRow> swin_transformer_models();
std::vector<ModelRow> vgg_models();
std::vector<ModelRow> vision_transformer_models();

// clang-format off
inline constexpr std::vector<ModelRow> (*kFamilies[])() = {
    alexnet_models,
    convnext_models,
    densenet_models,
    efficientnet_models,
    googlenet_models,
    inception_models,
    maxvit_models,
    mnasnet_models,
    mobilenetv2_models,
    mobilenetv3_models,
    quantized_models,
    regnet_models,
    resnet_models,
    shufflenetv2_models,
    squeezenet_models,
    swin_transformer_models,
    vgg_models,
    vision_transformer_models,
};
// clang-format on

}  // namespace tv::models

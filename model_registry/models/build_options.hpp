// Keyword arguments of the builders, with the entry chosen in two ways: any entry at run time, or
// one of the builder's own enum, which the compiler checks.
#pragma once

#include <concepts>
#include <optional>
#include <string>

#include "model_registry/registry/enums.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// An entry of one of these enums, or none (std::nullopt, as Python's None).
template <WeightsEnum... Enums>
class WeightsOf {
 public:
  constexpr WeightsOf() = default;
  constexpr WeightsOf(std::nullopt_t) {}
  template <typename E>
  requires(std::same_as<E, Enums> || ...) WeightsOf(E entry) : entry_(&get_weight(entry)) {}
  const Weights* entry() const { return entry_; }  ///< nullptr for none

 private:
  const Weights* entry_ = nullptr;
};

/// An entry of any enum or of the registry, or none (std::nullopt, nullptr). Stands for the
/// pointer.
class AnyWeights {
 public:
  constexpr AnyWeights() = default;
  constexpr AnyWeights(std::nullopt_t) {}
  constexpr AnyWeights(const Weights* entry) : entry_(entry) {}
  template <WeightsEnum E>
  AnyWeights(E entry) : entry_(&get_weight(entry)) {}
  constexpr operator const Weights*() const { return entry_; }  ///< nullptr for none
  constexpr const Weights* operator->() const { return entry_; }

 private:
  const Weights* entry_ = nullptr;
};

/// Keyword arguments of the builders, as torchvision calls them. Absent ones take Python's default;
/// a builder refuses those that it does not take. With weights, num_classes must be absent or equal
/// to the weights' own, unless the entry has no categories (VGG16_Weights.IMAGENET1K_FEATURES).
template <typename Chosen>
struct BasicBuildOptions {
  Chosen weights = {};  ///< none: random initialisation; an entry of this builder's enum
  /// Deprecated since torchvision 0.13, and warned about (set_warning_handler): true means the
  /// IMAGENET1K_V1 entry, never DEFAULT; false means random initialisation. Not beside weights.
  std::optional<bool> pretrained = {};
  /// Taken as in Python; where the download happens, FetchOptions::progress gets its numbers.
  bool progress = true;
  std::optional<int> num_classes = {};  ///< 1..1000000; default 1000
  /// Side of the images that ViT and MaxViT are built for (MaxViT's input_size), pixels,
  /// default 224; a multiple of ViT's patch, for MaxViT what its partitions divide. No other
  /// builder takes it. With weights it must be absent or equal to the weights' min_size.
  std::optional<int> image_size = {};
  /// Quantized builders: true = int8, with weights of the builder's own enum; false = the float
  /// network in the form made for quantisation, with weights of the float builder's enum.
  bool quantize = false;
  /// Quantized builders: "fbgemm" or "qnnpack", the kernels that the numbers are made for. Default:
  /// the weights' own, or that of the published ones. Read with quantize=true alone.
  std::optional<std::string> backend = {};
  /// googlenet, inception_v3: whether the network has the auxiliary heads, which training needs and
  /// inference does not run. With weights false is refused; GoogLeNet's heads are then removed
  /// after loading unless it is true, Inception's stay.
  std::optional<bool> aux_logits = {};
  /// googlenet, inception_v3: input normalised for ImageNet's mean and deviation is brought to mean
  /// and deviation 0.5 first. Default: true with weights, false without.
  std::optional<bool> transform_input = {};
  /// googlenet, inception_v3, vgg*: false leaves the layers' default initialisation. Default: true.
  /// With weights the numbers are replaced, and GoogLeNet and Inception v3 refuse true.
  std::optional<bool> init_weights = {};
  /// Probabilities, 0..1, of what training drops. They change nothing in a network that runs, and
  /// are taken by the builders that have them in Python.
  std::optional<double> attention_dropout = {};  ///< maxvit_t, swin*, vit*
  std::optional<double> drop_rate = {};          ///< densenet*
  /// alexnet, efficientnet*, googlenet, inception_v3, mnasnet*, mobilenet*, squeezenet*, swin*,
  /// vgg*, vit*
  std::optional<double> dropout = {};
  std::optional<double> dropout_aux = {};            ///< googlenet
  std::optional<double> mlp_dropout = {};            ///< maxvit_t
  std::optional<double> stochastic_depth_prob = {};  ///< convnext*, efficientnet*
  /// resnet*, resnext*, wide_resnet*: the last normalisation of each block begins as zero. Default:
  /// false.
  std::optional<bool> zero_init_residual = {};
  /// The numbers come from a file of the caller's. An entry then decides about defaults alone: the
  /// file may have another number of classes and, where image_size says so, be for other images.
  /// Auxiliary heads may be in the file or not, and are no part of the network unless aux_logits is
  /// true; so it is with user-defined entries, too.
  bool own_file = false;
};

/// For builders that are named at run time, which refuse another builder's entry there.
using BuildOptions = BasicBuildOptions<AnyWeights>;

/// The same arguments with the entry as the registry has it.
template <WeightsEnum... Enums>
BuildOptions untyped(const BasicBuildOptions<WeightsOf<Enums...>>& options) {
  // A member that is missing here does not compile.
  const auto& [weights, pretrained, progress, num_classes, image_size, quantize, backend,
               aux_logits, transform_input, init_weights, attention_dropout, drop_rate, dropout,
               dropout_aux, mlp_dropout, stochastic_depth_prob, zero_init_residual, own_file] =
      options;
  return {weights.entry(),
          pretrained,
          progress,
          num_classes,
          image_size,
          quantize,
          backend,
          aux_logits,
          transform_input,
          init_weights,
          attention_dropout,
          drop_rate,
          dropout,
          dropout_aux,
          mlp_dropout,
          stochastic_depth_prob,
          zero_init_residual,
          own_file};
}

}  // namespace tv

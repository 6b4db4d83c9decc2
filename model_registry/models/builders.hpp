// torchvision's builders by their names: resnet50({.weights = ResNet50_Weights::DEFAULT}) builds,
// and another builder's entry does not compile. resnet50() initialises at random.
#pragma once

#include <concepts>
#include <optional>
#include <string_view>

#include "model_registry/models/models.hpp"

namespace tv {

/// resnet50(true), resnet50(ResNet50_Weights::DEFAULT) and resnet50(std::nullopt) of before
/// torchvision 0.13, which Builder still takes (nullptr: no weights): one warning each through
/// set_warning_handler(). Fails as legacy_weights() and get_model().
Result<Model> build_positional(std::string_view builder, bool pretrained, bool progress,
                               bool quantize);
Result<Model> build_positional(std::string_view builder, const Weights* weights, bool progress,
                               bool quantize);

/// A function object; each is get_model() of its own name. `Enums`: whose entries it takes.
template <WeightsEnum... Enums>
class Builder {
 public:
  using Options = BasicBuildOptions<WeightsOf<Enums...>>;

  constexpr explicit Builder(std::string_view name) : name_(name) {}
  constexpr std::string_view name() const { return name_; }  ///< "resnet50"

  Result<Model> operator()(const Options& options = {}) const {
    return get_model(name_, untyped(options));
  }

  /// Deprecated: see build_positional().
  template <std::same_as<bool> Pretrained>
  Result<Model> operator()(Pretrained pretrained, bool progress = true,
                           bool quantize = false) const {
    return build_positional(name_, pretrained, progress, quantize);
  }
  template <typename E>
  requires(std::same_as<E, Enums> || ...) Result<Model>
  operator()(E weights, bool progress = true, bool quantize = false) const {
    return build_positional(name_, &get_weight(weights), progress, quantize);
  }
  template <std::same_as<std::nullopt_t> None>
  Result<Model> operator()(None, bool progress = true, bool quantize = false) const {
    return build_positional(name_, nullptr, progress, quantize);
  }

 private:
  std::string_view name_;
};

#define TV_BUILDER(name, Enum) inline constexpr Builder<Enum> name{#name};
#define TV_QUANTIZED_BUILDER(name, Int8, Float)                   \
  namespace quantization {                                        \
  inline constexpr Builder<Int8, Float> name{"quantized_" #name}; \
  }

#include "model_registry/models/builders.inc"

#undef TV_BUILDER
#undef TV_QUANTIZED_BUILDER

}  // namespace tv

// The tables that the registry walks: torchvision's entries, one table a paper, and the label lists
// they share. Defined in model_registry/weights/ and model_registry/categories/; all are
// constant-initialised, so that any static constructor may read them.
#pragma once

#include <array>
#include <limits>
#include <span>
#include <string_view>

#include "model_registry/registry/weights.hpp"

namespace tv {

/// ImageNet-1K's 1000 labels, index = class.
extern const std::string_view kImageNet1kLabels[1000];
inline constexpr std::span<const std::string_view> kImageNet1k{kImageNet1kLabels};

/// The accuracy of an entry that has none.
inline constexpr double kNotPublished = std::numeric_limits<double>::quiet_NaN();

// Rows of one builder, and entries of one enum, stand together and in torchvision's order.
extern const std::span<const Weights> kAlexNetWeights;
extern const std::span<const Weights> kConvNextWeights;
extern const std::span<const Weights> kDenseNetWeights;
extern const std::span<const Weights> kEfficientNetWeights;
extern const std::span<const Weights> kGoogLeNetWeights;
extern const std::span<const Weights> kInceptionWeights;
extern const std::span<const Weights> kMaxVitWeights;
extern const std::span<const Weights> kMnasNetWeights;
extern const std::span<const Weights> kMobileNetV2Weights;
extern const std::span<const Weights> kMobileNetV3Weights;
extern const std::span<const Weights> kRegNetWeights;
extern const std::span<const Weights> kResNetWeights;
extern const std::span<const Weights> kShuffleNetV2Weights;
extern const std::span<const Weights> kSqueezeNetWeights;
extern const std::span<const Weights> kSwinTransformerWeights;
extern const std::span<const Weights> kVggWeights;
extern const std::span<const Weights> kVisionTransformerWeights;
extern const std::span<const Weights> kQuantizedGoogLeNetWeights;
extern const std::span<const Weights> kQuantizedInceptionWeights;
extern const std::span<const Weights> kQuantizedMobileNetV2Weights;
extern const std::span<const Weights> kQuantizedMobileNetV3Weights;
extern const std::span<const Weights> kQuantizedResNetWeights;
extern const std::span<const Weights> kQuantizedShuffleNetV2Weights;

/// Every table in the order in which torchvision registers its builders: float models, then
/// quantized ones.
inline constexpr std::array<const std::span<const Weights>*, 23> kTables = {
    &kAlexNetWeights,
    &kConvNextWeights,
    &kDenseNetWeights,
    &kEfficientNetWeights,
    &kGoogLeNetWeights,
    &kInceptionWeights,
    &kMnasNetWeights,
    &kMobileNetV2Weights,
    &kMobileNetV3Weights,
    &kRegNetWeights,
    &kResNetWeights,
    &kShuffleNetV2Weights,
    &kSqueezeNetWeights,
    &kVggWeights,
    &kVisionTransformerWeights,
    &kSwinTransformerWeights,
    &kMaxVitWeights,
    &kQuantizedGoogLeNetWeights,
    &kQuantizedInceptionWeights,
    &kQuantizedMobileNetV2Weights,
    &kQuantizedMobileNetV3Weights,
    &kQuantizedResNetWeights,
    &kQuantizedShuffleNetV2Weights,
};

}  // namespace tv

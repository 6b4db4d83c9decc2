// What entries of several papers have in common: links, and torchvision's paragraphs (`_docs`). The
// line breaks and the indentation inside a paragraph are torchvision's own and part of the value.
#pragma once

#include <string_view>

#include "model_registry/registry/tables.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

// clang-format off
// ---- training recipes, licence ----
inline constexpr std::string_view k64x4dRecipe =
    "https://github.com/pytorch/vision/pull/5935";
inline constexpr std::string_view kAlexNetAndVggRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#alexnet-and-vgg";
inline constexpr std::string_view kLinearRecipe =
    "https://github.com/pytorch/vision/pull/5793";
inline constexpr std::string_view kNewRecipe =
    "https://github.com/pytorch/vision/issues/3995#new-recipe";
inline constexpr std::string_view kNewRecipeWithFixRes =
    "https://github.com/pytorch/vision/issues/3995#new-recipe-with-fixres";
inline constexpr std::string_view kPostTrainingRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#post-training-quantized-models";
inline constexpr std::string_view kRegTunedRecipe =
    "https://github.com/pytorch/vision/issues/3995#new-recipe-with-reg-tuning";
inline constexpr std::string_view kShuffleNetRecipe =
    "https://github.com/pytorch/vision/pull/5906";
inline constexpr std::string_view kSwagRecipe =
    "https://github.com/facebookresearch/SWAG";
inline constexpr std::string_view kSwagLicense =
    "https://github.com/facebookresearch/SWAG/blob/main/LICENSE";

// ---- paragraphs ----
inline constexpr std::string_view kAwareTrainingDocs =
    R"(
                These weights were produced by doing Quantization Aware Training (eager mode) on top of the unquantized
                weights listed below.
            )";
inline constexpr std::string_view kModifiedNewRecipeDocs =
    R"(
                These weights improve upon the results of the original paper by using a modified version of TorchVision's
                `new training recipe
                <https://pytorch.org/blog/how-to-train-state-of-the-art-models-using-torchvision-latest-primitives/>`_.
            )";
inline constexpr std::string_view kNewRecipeFromScratchDocs =
    R"(
                These weights were trained from scratch by using TorchVision's `new training recipe
                <https://pytorch.org/blog/how-to-train-state-of-the-art-models-using-torchvision-latest-primitives/>`_.
            )";
inline constexpr std::string_view kPortedDocs =
    "These weights are ported from the original paper.";
inline constexpr std::string_view kPostTrainingDocs =
    R"(
        These weights were produced by doing Post Training Quantization (eager mode) on top of the unquantized
        weights listed below.
    )";
inline constexpr std::string_view kPostTrainingDocs16 =
    R"(
                These weights were produced by doing Post Training Quantization (eager mode) on top of the unquantized
                weights listed below.
            )";
inline constexpr std::string_view kSimpleRecipeDocs =
    "These weights reproduce closely the results of the paper using a simple training recipe.";
inline constexpr std::string_view kSwagEndToEndDocs =
    R"(
                These weights are learnt via transfer learning by end-to-end fine-tuning the original
                `SWAG <https://arxiv.org/abs/2201.08371>`_ weights on ImageNet-1K data.
            )";
inline constexpr std::string_view kSwagLinearDocs =
    R"(
                These weights are composed of the original frozen `SWAG <https://arxiv.org/abs/2201.08371>`_ trunk
                weights and a linear classifier learnt on top of them trained on ImageNet-1K data.
            )";
// clang-format on

}  // namespace tv

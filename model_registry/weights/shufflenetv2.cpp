// ShuffleNetV2 (Ma et al., Practical Guidelines for Efficient CNN Architecture Design, 2018).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "ShuffleNetV2";

// clang-format off
constexpr std::string_view kPortedRecipe =
    "https://github.com/ericsun99/Shufflenet-v2-Pytorch";
constexpr std::string_view kReproducedFromScratchDocs =
    "These weights were trained from scratch to reproduce closely the results of the paper.";

constexpr Weights kRows[] = {
    {.enum_name = "ShuffleNet_V2_X0_5_Weights", .entry = "IMAGENET1K_V1",
     .builder = "shufflenet_v2_x0_5", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/shufflenetv2_x0.5-f707e7126e.pth",
     .sha256 = "f707e7126e", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 1366792, .min_size = 1,
     .acc1 = 60.552, .acc5 = 81.746, .gflops = 0.04, .file_size_mib = 5.282,
     .recipe = kPortedRecipe, .docs = kReproducedFromScratchDocs},
    {.enum_name = "ShuffleNet_V2_X1_0_Weights", .entry = "IMAGENET1K_V1",
     .builder = "shufflenet_v2_x1_0", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/shufflenetv2_x1-5666bf0f80.pth",
     .sha256 = "5666bf0f80", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 2278604, .min_size = 1,
     .acc1 = 69.362, .acc5 = 88.316, .gflops = 0.145, .file_size_mib = 8.791,
     .recipe = kPortedRecipe, .docs = kReproducedFromScratchDocs},
    {.enum_name = "ShuffleNet_V2_X1_5_Weights", .entry = "IMAGENET1K_V1",
     .builder = "shufflenet_v2_x1_5", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/shufflenetv2_x1_5-3c479a10.pth",
     .sha256 = "3c479a10", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 3503624, .min_size = 1,
     .acc1 = 72.996, .acc5 = 91.086, .gflops = 0.296, .file_size_mib = 13.557,
     .recipe = kShuffleNetRecipe, .docs = kNewRecipeFromScratchDocs},
    {.enum_name = "ShuffleNet_V2_X2_0_Weights", .entry = "IMAGENET1K_V1",
     .builder = "shufflenet_v2_x2_0", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/shufflenetv2_x2_0-8be3c8ee.pth",
     .sha256 = "8be3c8ee", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 7393996, .min_size = 1,
     .acc1 = 76.23, .acc5 = 93.006, .gflops = 0.583, .file_size_mib = 28.433,
     .recipe = kShuffleNetRecipe, .docs = kNewRecipeFromScratchDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kShuffleNetV2Weights = kRows;

}  // namespace tv

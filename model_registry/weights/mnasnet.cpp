// MNASNet (Tan et al., Platform-Aware Neural Architecture Search for Mobile, 2018).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "MNASNet";

// clang-format off
constexpr std::string_view kTrainerRecipe =
    "https://github.com/1e100/mnasnet_trainer";
constexpr std::string_view kMnasNetRecipe =
    "https://github.com/pytorch/vision/pull/6019";
constexpr std::string_view kPaperDocs =
    "These weights reproduce closely the results of the paper.";

constexpr Weights kRows[] = {
    {.enum_name = "MNASNet0_5_Weights", .entry = "IMAGENET1K_V1",
     .builder = "mnasnet0_5", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/mnasnet0.5_top1_67.823-3ffadce67e.pth",
     .sha256 = "3ffadce67e", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 2218512, .min_size = 1,
     .acc1 = 67.734, .acc5 = 87.49, .gflops = 0.104, .file_size_mib = 8.591,
     .recipe = kTrainerRecipe, .docs = kPaperDocs},
    {.enum_name = "MNASNet0_75_Weights", .entry = "IMAGENET1K_V1",
     .builder = "mnasnet0_75", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/mnasnet0_75-7090bc5f.pth",
     .sha256 = "7090bc5f", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 3170208, .min_size = 1,
     .acc1 = 71.18, .acc5 = 90.496, .gflops = 0.215, .file_size_mib = 12.303,
     .recipe = kMnasNetRecipe, .docs = kNewRecipeFromScratchDocs},
    {.enum_name = "MNASNet1_0_Weights", .entry = "IMAGENET1K_V1",
     .builder = "mnasnet1_0", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/mnasnet1.0_top1_73.512-f206786ef8.pth",
     .sha256 = "f206786ef8", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 4383312, .min_size = 1,
     .acc1 = 73.456, .acc5 = 91.51, .gflops = 0.314, .file_size_mib = 16.915,
     .recipe = kTrainerRecipe, .docs = kPaperDocs},
    {.enum_name = "MNASNet1_3_Weights", .entry = "IMAGENET1K_V1",
     .builder = "mnasnet1_3", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/mnasnet1_3-a4c69d6f.pth",
     .sha256 = "a4c69d6f", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 6282256, .min_size = 1,
     .acc1 = 76.506, .acc5 = 93.522, .gflops = 0.526, .file_size_mib = 24.246,
     .recipe = kMnasNetRecipe, .docs = kNewRecipeFromScratchDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kMnasNetWeights = kRows;

}  // namespace tv

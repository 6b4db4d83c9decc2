// MobileNetV3 (Howard et al., Searching for MobileNetV3, 2019).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "MobileNetV3";

// clang-format off
constexpr std::string_view kSimpleRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#mobilenetv3-large--small";
constexpr std::string_view kSimpleFromScratchDocs =
    "These weights were trained from scratch by using a simple training recipe.";
constexpr std::string_view kMarginalDocs =
    R"(
                These weights improve marginally upon the results of the original paper by using a modified version of
                TorchVision's `new training recipe
                <https://pytorch.org/blog/how-to-train-state-of-the-art-models-using-torchvision-latest-primitives/>`_.
            )";
constexpr std::string_view kImprovedSimpleDocs =
    R"(
                These weights improve upon the results of the original paper by using a simple training recipe.
            )";

constexpr Weights kRows[] = {
    {.enum_name = "MobileNet_V3_Large_Weights", .entry = "IMAGENET1K_V1",
     .builder = "mobilenet_v3_large", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/mobilenet_v3_large-8738ca79.pth",
     .sha256 = "8738ca79", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 5483032, .min_size = 1,
     .acc1 = 74.042, .acc5 = 91.34, .gflops = 0.217, .file_size_mib = 21.114,
     .recipe = kSimpleRecipe, .docs = kSimpleFromScratchDocs},
    {.enum_name = "MobileNet_V3_Large_Weights", .entry = "IMAGENET1K_V2",
     .builder = "mobilenet_v3_large", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/mobilenet_v3_large-5c1a4163.pth",
     .sha256 = "5c1a4163", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 5483032, .min_size = 1,
     .acc1 = 75.274, .acc5 = 92.566, .gflops = 0.217, .file_size_mib = 21.107,
     .recipe = kRegTunedRecipe, .docs = kMarginalDocs},
    {.enum_name = "MobileNet_V3_Small_Weights", .entry = "IMAGENET1K_V1",
     .builder = "mobilenet_v3_small", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/mobilenet_v3_small-047dcff4.pth",
     .sha256 = "047dcff4", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 2542856, .min_size = 1,
     .acc1 = 67.668, .acc5 = 87.402, .gflops = 0.057, .file_size_mib = 9.829,
     .recipe = kSimpleRecipe, .docs = kImprovedSimpleDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kMobileNetV3Weights = kRows;

}  // namespace tv

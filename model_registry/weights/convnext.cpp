// ConvNeXt (Liu et al., 2022).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "ConvNeXt";

// clang-format off
constexpr std::string_view kRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#convnext";
constexpr std::string_view kModifiedNewRecipeDocs8 =
    R"(
        These weights improve upon the results of the original paper by using a modified version of TorchVision's
        `new training recipe
        <https://pytorch.org/blog/how-to-train-state-of-the-art-models-using-torchvision-latest-primitives/>`_.
    )";

constexpr Weights kRows[] = {
    {.enum_name = "ConvNeXt_Tiny_Weights", .entry = "IMAGENET1K_V1",
     .builder = "convnext_tiny", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/convnext_tiny-983f1562.pth",
     .sha256 = "983f1562", .preset = {.crop_size = 224, .resize_size = 236},
     .categories = kImageNet1k, .num_params = 28589128, .min_size = 32,
     .acc1 = 82.52, .acc5 = 96.146, .gflops = 4.456, .file_size_mib = 109.119,
     .recipe = kRecipe, .docs = kModifiedNewRecipeDocs8},
    {.enum_name = "ConvNeXt_Small_Weights", .entry = "IMAGENET1K_V1",
     .builder = "convnext_small", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/convnext_small-0c510722.pth",
     .sha256 = "0c510722", .preset = {.crop_size = 224, .resize_size = 230},
     .categories = kImageNet1k, .num_params = 50223688, .min_size = 32,
     .acc1 = 83.616, .acc5 = 96.65, .gflops = 8.684, .file_size_mib = 191.703,
     .recipe = kRecipe, .docs = kModifiedNewRecipeDocs8},
    {.enum_name = "ConvNeXt_Base_Weights", .entry = "IMAGENET1K_V1",
     .builder = "convnext_base", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/convnext_base-6075fbad.pth",
     .sha256 = "6075fbad", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 88591464, .min_size = 32,
     .acc1 = 84.062, .acc5 = 96.87, .gflops = 15.355, .file_size_mib = 338.064,
     .recipe = kRecipe, .docs = kModifiedNewRecipeDocs8},
    {.enum_name = "ConvNeXt_Large_Weights", .entry = "IMAGENET1K_V1",
     .builder = "convnext_large", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/convnext_large-ea097f82.pth",
     .sha256 = "ea097f82", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 197767336, .min_size = 32,
     .acc1 = 84.414, .acc5 = 96.976, .gflops = 34.361, .file_size_mib = 754.537,
     .recipe = kRecipe, .docs = kModifiedNewRecipeDocs8},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kConvNextWeights = kRows;

}  // namespace tv

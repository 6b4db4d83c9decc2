// Vision Transformer (Dosovitskiy et al., An Image is Worth 16x16 Words, 2020).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "VisionTransformer";

// clang-format off
constexpr std::string_view kB16Recipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#vit_b_16";
constexpr std::string_view kB32Recipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#vit_b_32";
constexpr std::string_view kL16Recipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#vit_l_16";
constexpr std::string_view kL32Recipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#vit_l_32";
constexpr std::string_view kDeitDocs =
    R"(
                These weights were trained from scratch by using a modified version of `DeIT
                <https://arxiv.org/abs/2012.12877>`_'s training recipe.
            )";
constexpr std::string_view kModifiedFromScratchDocs =
    R"(
                These weights were trained from scratch by using a modified version of TorchVision's
                `new training recipe
                <https://pytorch.org/blog/how-to-train-state-of-the-art-models-using-torchvision-latest-primitives/>`_.
            )";

constexpr Weights kRows[] = {
    {.enum_name = "ViT_B_16_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vit_b_16", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vit_b_16-c867db91.pth",
     .sha256 = "c867db91", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 86567656, .min_size = 224,
     .acc1 = 81.072, .acc5 = 95.318, .gflops = 17.564, .file_size_mib = 330.285,
     .recipe = kB16Recipe, .docs = kDeitDocs},
    {.enum_name = "ViT_B_16_Weights", .entry = "IMAGENET1K_SWAG_E2E_V1",
     .builder = "vit_b_16", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/vit_b_16_swag-9ac1b537.pth",
     .sha256 = "9ac1b537",
     .preset = {.crop_size = 384, .resize_size = 384, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 86859496, .min_size = 384,
     .acc1 = 85.304, .acc5 = 97.65, .gflops = 55.484, .file_size_mib = 331.398,
     .recipe = kSwagRecipe, .license = kSwagLicense, .docs = kSwagEndToEndDocs},
    {.enum_name = "ViT_B_16_Weights", .entry = "IMAGENET1K_SWAG_LINEAR_V1",
     .builder = "vit_b_16", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/vit_b_16_lc_swag-4e70ced5.pth",
     .sha256 = "4e70ced5",
     .preset = {.crop_size = 224, .resize_size = 224, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 86567656, .min_size = 224,
     .acc1 = 81.886, .acc5 = 96.18, .gflops = 17.564, .file_size_mib = 330.285,
     .recipe = kLinearRecipe, .license = kSwagLicense, .docs = kSwagLinearDocs},
    {.enum_name = "ViT_B_32_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vit_b_32", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vit_b_32-d86f8d99.pth",
     .sha256 = "d86f8d99", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 88224232, .min_size = 224,
     .acc1 = 75.912, .acc5 = 92.466, .gflops = 4.409, .file_size_mib = 336.604,
     .recipe = kB32Recipe, .docs = kDeitDocs},
    {.enum_name = "ViT_L_16_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vit_l_16", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vit_l_16-852ce7e3.pth",
     .sha256 = "852ce7e3", .preset = {.crop_size = 224, .resize_size = 242},
     .categories = kImageNet1k, .num_params = 304326632, .min_size = 224,
     .acc1 = 79.662, .acc5 = 94.638, .gflops = 61.555, .file_size_mib = 1161.023,
     .recipe = kL16Recipe, .docs = kModifiedFromScratchDocs},
    {.enum_name = "ViT_L_16_Weights", .entry = "IMAGENET1K_SWAG_E2E_V1",
     .builder = "vit_l_16", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/vit_l_16_swag-4f3808c9.pth",
     .sha256 = "4f3808c9",
     .preset = {.crop_size = 512, .resize_size = 512, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 305174504, .min_size = 512,
     .acc1 = 88.064, .acc5 = 98.512, .gflops = 361.986, .file_size_mib = 1164.258,
     .recipe = kSwagRecipe, .license = kSwagLicense, .docs = kSwagEndToEndDocs},
    {.enum_name = "ViT_L_16_Weights", .entry = "IMAGENET1K_SWAG_LINEAR_V1",
     .builder = "vit_l_16", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/vit_l_16_lc_swag-4d563306.pth",
     .sha256 = "4d563306",
     .preset = {.crop_size = 224, .resize_size = 224, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 304326632, .min_size = 224,
     .acc1 = 85.146, .acc5 = 97.422, .gflops = 61.555, .file_size_mib = 1161.023,
     .recipe = kLinearRecipe, .license = kSwagLicense, .docs = kSwagLinearDocs},
    {.enum_name = "ViT_L_32_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vit_l_32", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vit_l_32-c7638314.pth",
     .sha256 = "c7638314", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 306535400, .min_size = 224,
     .acc1 = 76.972, .acc5 = 93.07, .gflops = 15.378, .file_size_mib = 1169.449,
     .recipe = kL32Recipe, .docs = kDeitDocs},
    {.enum_name = "ViT_H_14_Weights", .entry = "IMAGENET1K_SWAG_E2E_V1",
     .builder = "vit_h_14", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vit_h_14_swag-80465313.pth",
     .sha256 = "80465313",
     .preset = {.crop_size = 518, .resize_size = 518, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 633470440, .min_size = 518,
     .acc1 = 88.552, .acc5 = 98.694, .gflops = 1016.717, .file_size_mib = 2416.643,
     .recipe = kSwagRecipe, .license = kSwagLicense, .docs = kSwagEndToEndDocs},
    {.enum_name = "ViT_H_14_Weights", .entry = "IMAGENET1K_SWAG_LINEAR_V1",
     .builder = "vit_h_14", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/vit_h_14_lc_swag-c1eb923e.pth",
     .sha256 = "c1eb923e",
     .preset = {.crop_size = 224, .resize_size = 224, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 632045800, .min_size = 224,
     .acc1 = 85.708, .acc5 = 97.73, .gflops = 167.295, .file_size_mib = 2411.209,
     .recipe = kLinearRecipe, .license = kSwagLicense, .docs = kSwagLinearDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kVisionTransformerWeights = kRows;

}  // namespace tv

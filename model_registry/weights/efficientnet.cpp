// EfficientNet (Tan and Le, 2019) and EfficientNetV2 (Tan and Le, 2021).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "EfficientNet";

// clang-format off
constexpr std::string_view kV1Recipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#efficientnet-v1";
constexpr std::string_view kTunedRecipe =
    "https://github.com/pytorch/vision/issues/3995#new-recipe-with-lr-wd-crop-tuning";
constexpr std::string_view kV2Recipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#efficientnet-v2";

constexpr Weights kRows[] = {
    {.enum_name = "EfficientNet_B0_Weights", .entry = "IMAGENET1K_V1",
     .builder = "efficientnet_b0", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/efficientnet_b0_rwightman-7f5810bc.pth",
     .sha256 = "7f5810bc", .preset = {.crop_size = 224, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 5288548, .min_size = 1,
     .acc1 = 77.692, .acc5 = 93.532, .gflops = 0.386, .file_size_mib = 20.451,
     .recipe = kV1Recipe, .docs = kPortedDocs},
    {.enum_name = "EfficientNet_B1_Weights", .entry = "IMAGENET1K_V1",
     .builder = "efficientnet_b1", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/efficientnet_b1_rwightman-bac287d4.pth",
     .sha256 = "bac287d4", .preset = {.crop_size = 240, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 7794184, .min_size = 1,
     .acc1 = 78.642, .acc5 = 94.186, .gflops = 0.687, .file_size_mib = 30.134,
     .recipe = kV1Recipe, .docs = kPortedDocs},
    {.enum_name = "EfficientNet_B1_Weights", .entry = "IMAGENET1K_V2",
     .builder = "efficientnet_b1", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/efficientnet_b1-c27df63c.pth",
     .sha256 = "c27df63c", .preset = {.crop_size = 240, .resize_size = 255},
     .categories = kImageNet1k, .num_params = 7794184, .min_size = 1,
     .acc1 = 79.838, .acc5 = 94.934, .gflops = 0.687, .file_size_mib = 30.136,
     .recipe = kTunedRecipe, .docs = kModifiedNewRecipeDocs},
    {.enum_name = "EfficientNet_B2_Weights", .entry = "IMAGENET1K_V1",
     .builder = "efficientnet_b2", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/efficientnet_b2_rwightman-c35c1473.pth",
     .sha256 = "c35c1473",
     .preset = {.crop_size = 288, .resize_size = 288, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 9109994, .min_size = 1,
     .acc1 = 80.608, .acc5 = 95.31, .gflops = 1.088, .file_size_mib = 35.174,
     .recipe = kV1Recipe, .docs = kPortedDocs},
    {.enum_name = "EfficientNet_B3_Weights", .entry = "IMAGENET1K_V1",
     .builder = "efficientnet_b3", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/efficientnet_b3_rwightman-b3899882.pth",
     .sha256 = "b3899882",
     .preset = {.crop_size = 300, .resize_size = 320, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 12233232, .min_size = 1,
     .acc1 = 82.008, .acc5 = 96.054, .gflops = 1.827, .file_size_mib = 47.184,
     .recipe = kV1Recipe, .docs = kPortedDocs},
    {.enum_name = "EfficientNet_B4_Weights", .entry = "IMAGENET1K_V1",
     .builder = "efficientnet_b4", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/efficientnet_b4_rwightman-23ab8bcd.pth",
     .sha256 = "23ab8bcd",
     .preset = {.crop_size = 380, .resize_size = 384, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 19341616, .min_size = 1,
     .acc1 = 83.384, .acc5 = 96.594, .gflops = 4.394, .file_size_mib = 74.489,
     .recipe = kV1Recipe, .docs = kPortedDocs},
    {.enum_name = "EfficientNet_B5_Weights", .entry = "IMAGENET1K_V1",
     .builder = "efficientnet_b5", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/efficientnet_b5_lukemelas-1a07897c.pth",
     .sha256 = "1a07897c",
     .preset = {.crop_size = 456, .resize_size = 456, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 30389784, .min_size = 1,
     .acc1 = 83.444, .acc5 = 96.628, .gflops = 10.266, .file_size_mib = 116.864,
     .recipe = kV1Recipe, .docs = kPortedDocs},
    {.enum_name = "EfficientNet_B6_Weights", .entry = "IMAGENET1K_V1",
     .builder = "efficientnet_b6", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/efficientnet_b6_lukemelas-24a108a5.pth",
     .sha256 = "24a108a5",
     .preset = {.crop_size = 528, .resize_size = 528, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 43040704, .min_size = 1,
     .acc1 = 84.008, .acc5 = 96.916, .gflops = 19.068, .file_size_mib = 165.362,
     .recipe = kV1Recipe, .docs = kPortedDocs},
    {.enum_name = "EfficientNet_B7_Weights", .entry = "IMAGENET1K_V1",
     .builder = "efficientnet_b7", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/efficientnet_b7_lukemelas-c5b4e57e.pth",
     .sha256 = "c5b4e57e",
     .preset = {.crop_size = 600, .resize_size = 600, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 66347960, .min_size = 1,
     .acc1 = 84.122, .acc5 = 96.908, .gflops = 37.746, .file_size_mib = 254.675,
     .recipe = kV1Recipe, .docs = kPortedDocs},
    {.enum_name = "EfficientNet_V2_S_Weights", .entry = "IMAGENET1K_V1",
     .builder = "efficientnet_v2_s", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/efficientnet_v2_s-dd5fe13b.pth",
     .sha256 = "dd5fe13b", .preset = {.crop_size = 384, .resize_size = 384},
     .categories = kImageNet1k, .num_params = 21458488, .min_size = 33,
     .acc1 = 84.228, .acc5 = 96.878, .gflops = 8.366, .file_size_mib = 82.704,
     .recipe = kV2Recipe, .docs = kModifiedNewRecipeDocs},
    {.enum_name = "EfficientNet_V2_M_Weights", .entry = "IMAGENET1K_V1",
     .builder = "efficientnet_v2_m", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/efficientnet_v2_m-dc08266a.pth",
     .sha256 = "dc08266a", .preset = {.crop_size = 480, .resize_size = 480},
     .categories = kImageNet1k, .num_params = 54139356, .min_size = 33,
     .acc1 = 85.112, .acc5 = 97.156, .gflops = 24.582, .file_size_mib = 208.01,
     .recipe = kV2Recipe, .docs = kModifiedNewRecipeDocs},
    {.enum_name = "EfficientNet_V2_L_Weights", .entry = "IMAGENET1K_V1",
     .builder = "efficientnet_v2_l", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/efficientnet_v2_l-59c71312.pth",
     .sha256 = "59c71312",
     .preset = {.crop_size = 480, .resize_size = 480, .interpolation = Interpolation::kBicubic,
                .mean = {0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5}},
     .categories = kImageNet1k, .num_params = 118515272, .min_size = 33,
     .acc1 = 85.808, .acc5 = 97.788, .gflops = 56.08, .file_size_mib = 454.573,
     .recipe = kV2Recipe, .docs = kPortedDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kEfficientNetWeights = kRows;

}  // namespace tv

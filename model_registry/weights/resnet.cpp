// ResNet (He et al., 2015), ResNeXt (Xie et al., 2016), Wide ResNet (Zagoruyko and Komodakis,
// 2016).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "ResNet";

// clang-format off
constexpr std::string_view kResNetRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#resnet";
constexpr std::string_view kNewRecipeResNet50 =
    "https://github.com/pytorch/vision/issues/3995#issuecomment-1013906621";
constexpr std::string_view kResNextRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#resnext";
constexpr std::string_view kWideRecipe =
    "https://github.com/pytorch/vision/pull/912#issue-445437439";
constexpr std::string_view kNewRecipeDocs =
    R"(
                These weights improve upon the results of the original paper by using TorchVision's `new training recipe
                <https://pytorch.org/blog/how-to-train-state-of-the-art-models-using-torchvision-latest-primitives/>`_.
            )";

constexpr Weights kRows[] = {
    {.enum_name = "ResNet18_Weights", .entry = "IMAGENET1K_V1",
     .builder = "resnet18", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/resnet18-f37072fd.pth",
     .sha256 = "f37072fd", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 11689512, .min_size = 1,
     .acc1 = 69.758, .acc5 = 89.078, .gflops = 1.814, .file_size_mib = 44.661,
     .recipe = kResNetRecipe, .docs = kSimpleRecipeDocs},
    {.enum_name = "ResNet34_Weights", .entry = "IMAGENET1K_V1",
     .builder = "resnet34", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/resnet34-b627a593.pth",
     .sha256 = "b627a593", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 21797672, .min_size = 1,
     .acc1 = 73.314, .acc5 = 91.42, .gflops = 3.664, .file_size_mib = 83.275,
     .recipe = kResNetRecipe, .docs = kSimpleRecipeDocs},
    {.enum_name = "ResNet50_Weights", .entry = "IMAGENET1K_V1",
     .builder = "resnet50", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/resnet50-0676ba61.pth",
     .sha256 = "0676ba61", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 25557032, .min_size = 1,
     .acc1 = 76.13, .acc5 = 92.862, .gflops = 4.089, .file_size_mib = 97.781,
     .recipe = kResNetRecipe, .docs = kSimpleRecipeDocs},
    {.enum_name = "ResNet50_Weights", .entry = "IMAGENET1K_V2",
     .builder = "resnet50", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
     .sha256 = "11ad3fa6", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 25557032, .min_size = 1,
     .acc1 = 80.858, .acc5 = 95.434, .gflops = 4.089, .file_size_mib = 97.79,
     .recipe = kNewRecipeResNet50, .docs = kNewRecipeDocs},
    {.enum_name = "ResNet101_Weights", .entry = "IMAGENET1K_V1",
     .builder = "resnet101", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/resnet101-63fe2227.pth",
     .sha256 = "63fe2227", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 44549160, .min_size = 1,
     .acc1 = 77.374, .acc5 = 93.546, .gflops = 7.801, .file_size_mib = 170.511,
     .recipe = kResNetRecipe, .docs = kSimpleRecipeDocs},
    {.enum_name = "ResNet101_Weights", .entry = "IMAGENET1K_V2",
     .builder = "resnet101", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/resnet101-cd907fc2.pth",
     .sha256 = "cd907fc2", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 44549160, .min_size = 1,
     .acc1 = 81.886, .acc5 = 95.78, .gflops = 7.801, .file_size_mib = 170.53,
     .recipe = kNewRecipe, .docs = kNewRecipeDocs},
    {.enum_name = "ResNet152_Weights", .entry = "IMAGENET1K_V1",
     .builder = "resnet152", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/resnet152-394f9c45.pth",
     .sha256 = "394f9c45", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 60192808, .min_size = 1,
     .acc1 = 78.312, .acc5 = 94.046, .gflops = 11.514, .file_size_mib = 230.434,
     .recipe = kResNetRecipe, .docs = kSimpleRecipeDocs},
    {.enum_name = "ResNet152_Weights", .entry = "IMAGENET1K_V2",
     .builder = "resnet152", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/resnet152-f82ba261.pth",
     .sha256 = "f82ba261", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 60192808, .min_size = 1,
     .acc1 = 82.284, .acc5 = 96.002, .gflops = 11.514, .file_size_mib = 230.474,
     .recipe = kNewRecipe, .docs = kNewRecipeDocs},
    {.enum_name = "ResNeXt50_32X4D_Weights", .entry = "IMAGENET1K_V1",
     .builder = "resnext50_32x4d", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/resnext50_32x4d-7cdf4587.pth",
     .sha256 = "7cdf4587", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 25028904, .min_size = 1,
     .acc1 = 77.618, .acc5 = 93.698, .gflops = 4.23, .file_size_mib = 95.789,
     .recipe = kResNextRecipe, .docs = kSimpleRecipeDocs},
    {.enum_name = "ResNeXt50_32X4D_Weights", .entry = "IMAGENET1K_V2",
     .builder = "resnext50_32x4d", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/resnext50_32x4d-1a0047aa.pth",
     .sha256 = "1a0047aa", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 25028904, .min_size = 1,
     .acc1 = 81.198, .acc5 = 95.34, .gflops = 4.23, .file_size_mib = 95.833,
     .recipe = kNewRecipe, .docs = kNewRecipeDocs},
    {.enum_name = "ResNeXt101_32X8D_Weights", .entry = "IMAGENET1K_V1",
     .builder = "resnext101_32x8d", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/resnext101_32x8d-8ba56ff5.pth",
     .sha256 = "8ba56ff5", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 88791336, .min_size = 1,
     .acc1 = 79.312, .acc5 = 94.526, .gflops = 16.414, .file_size_mib = 339.586,
     .recipe = kResNextRecipe, .docs = kSimpleRecipeDocs},
    {.enum_name = "ResNeXt101_32X8D_Weights", .entry = "IMAGENET1K_V2",
     .builder = "resnext101_32x8d", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/resnext101_32x8d-110c445d.pth",
     .sha256 = "110c445d", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 88791336, .min_size = 1,
     .acc1 = 82.834, .acc5 = 96.228, .gflops = 16.414, .file_size_mib = 339.673,
     .recipe = kNewRecipeWithFixRes, .docs = kNewRecipeDocs},
    {.enum_name = "ResNeXt101_64X4D_Weights", .entry = "IMAGENET1K_V1",
     .builder = "resnext101_64x4d", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/resnext101_64x4d-173b62eb.pth",
     .sha256 = "173b62eb", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 83455272, .min_size = 1,
     .acc1 = 83.246, .acc5 = 96.454, .gflops = 15.46, .file_size_mib = 319.318,
     .recipe = k64x4dRecipe, .docs = kNewRecipeFromScratchDocs},
    {.enum_name = "Wide_ResNet50_2_Weights", .entry = "IMAGENET1K_V1",
     .builder = "wide_resnet50_2", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/wide_resnet50_2-95faca4d.pth",
     .sha256 = "95faca4d", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 68883240, .min_size = 1,
     .acc1 = 78.468, .acc5 = 94.086, .gflops = 11.398, .file_size_mib = 131.82,
     .recipe = kWideRecipe, .docs = kSimpleRecipeDocs},
    {.enum_name = "Wide_ResNet50_2_Weights", .entry = "IMAGENET1K_V2",
     .builder = "wide_resnet50_2", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/wide_resnet50_2-9ba9bcbe.pth",
     .sha256 = "9ba9bcbe", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 68883240, .min_size = 1,
     .acc1 = 81.602, .acc5 = 95.758, .gflops = 11.398, .file_size_mib = 263.124,
     .recipe = kNewRecipeWithFixRes, .docs = kNewRecipeDocs},
    {.enum_name = "Wide_ResNet101_2_Weights", .entry = "IMAGENET1K_V1",
     .builder = "wide_resnet101_2", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/wide_resnet101_2-32ee1156.pth",
     .sha256 = "32ee1156", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 126886696, .min_size = 1,
     .acc1 = 78.848, .acc5 = 94.284, .gflops = 22.753, .file_size_mib = 242.896,
     .recipe = kWideRecipe, .docs = kSimpleRecipeDocs},
    {.enum_name = "Wide_ResNet101_2_Weights", .entry = "IMAGENET1K_V2",
     .builder = "wide_resnet101_2", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/wide_resnet101_2-d733dc28.pth",
     .sha256 = "d733dc28", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 126886696, .min_size = 1,
     .acc1 = 82.51, .acc5 = 96.02, .gflops = 22.753, .file_size_mib = 484.747,
     .recipe = kNewRecipe, .docs = kNewRecipeDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kResNetWeights = kRows;

}  // namespace tv

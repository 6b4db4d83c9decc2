// Swin Transformer (Liu et al., 2021) and Swin Transformer V2 (Liu et al., 2021).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "SwinTransformer";

// clang-format off
constexpr std::string_view kV1Recipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#swintransformer";
constexpr std::string_view kV2Recipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#swintransformer-v2";
constexpr std::string_view kSimilarRecipeDocs =
    "These weights reproduce closely the results of the paper using a similar training recipe.";

constexpr Weights kRows[] = {
    {.enum_name = "Swin_T_Weights", .entry = "IMAGENET1K_V1",
     .builder = "swin_t", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/swin_t-704ceda3.pth",
     .sha256 = "704ceda3",
     .preset = {.crop_size = 224, .resize_size = 232, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 28288354, .min_size = 224,
     .acc1 = 81.474, .acc5 = 95.776, .gflops = 4.491, .file_size_mib = 108.19,
     .recipe = kV1Recipe, .docs = kSimilarRecipeDocs},
    {.enum_name = "Swin_S_Weights", .entry = "IMAGENET1K_V1",
     .builder = "swin_s", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/swin_s-5e29d889.pth",
     .sha256 = "5e29d889",
     .preset = {.crop_size = 224, .resize_size = 246, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 49606258, .min_size = 224,
     .acc1 = 83.196, .acc5 = 96.36, .gflops = 8.741, .file_size_mib = 189.786,
     .recipe = kV1Recipe, .docs = kSimilarRecipeDocs},
    {.enum_name = "Swin_B_Weights", .entry = "IMAGENET1K_V1",
     .builder = "swin_b", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/swin_b-68c6b09e.pth",
     .sha256 = "68c6b09e",
     .preset = {.crop_size = 224, .resize_size = 238, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 87768224, .min_size = 224,
     .acc1 = 83.582, .acc5 = 96.64, .gflops = 15.431, .file_size_mib = 335.364,
     .recipe = kV1Recipe, .docs = kSimilarRecipeDocs},
    {.enum_name = "Swin_V2_T_Weights", .entry = "IMAGENET1K_V1",
     .builder = "swin_v2_t", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/swin_v2_t-b137f0e2.pth",
     .sha256 = "b137f0e2",
     .preset = {.crop_size = 256, .resize_size = 260, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 28351570, .min_size = 256,
     .acc1 = 82.072, .acc5 = 96.132, .gflops = 5.94, .file_size_mib = 108.626,
     .recipe = kV2Recipe, .docs = kSimilarRecipeDocs},
    {.enum_name = "Swin_V2_S_Weights", .entry = "IMAGENET1K_V1",
     .builder = "swin_v2_s", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/swin_v2_s-637d8ceb.pth",
     .sha256 = "637d8ceb",
     .preset = {.crop_size = 256, .resize_size = 260, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 49737442, .min_size = 256,
     .acc1 = 83.712, .acc5 = 96.816, .gflops = 11.546, .file_size_mib = 190.675,
     .recipe = kV2Recipe, .docs = kSimilarRecipeDocs},
    {.enum_name = "Swin_V2_B_Weights", .entry = "IMAGENET1K_V1",
     .builder = "swin_v2_b", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/swin_v2_b-781e5279.pth",
     .sha256 = "781e5279",
     .preset = {.crop_size = 256, .resize_size = 272, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 87930848, .min_size = 256,
     .acc1 = 84.112, .acc5 = 96.864, .gflops = 20.325, .file_size_mib = 336.372,
     .recipe = kV2Recipe, .docs = kSimilarRecipeDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kSwinTransformerWeights = kRows;

}  // namespace tv

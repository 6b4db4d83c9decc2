// DenseNet (Huang et al., Densely Connected Convolutional Networks, 2016).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "DenseNet";

// clang-format off
constexpr std::string_view kRecipe =
    "https://github.com/pytorch/vision/pull/116";
constexpr std::string_view kLuaTorchDocs =
    "These weights are ported from LuaTorch.";

constexpr Weights kRows[] = {
    {.enum_name = "DenseNet121_Weights", .entry = "IMAGENET1K_V1",
     .builder = "densenet121", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/densenet121-a639ec97.pth",
     .sha256 = "a639ec97", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 7978856, .min_size = 29,
     .acc1 = 74.434, .acc5 = 91.972, .gflops = 2.834, .file_size_mib = 30.845,
     .recipe = kRecipe, .docs = kLuaTorchDocs},
    {.enum_name = "DenseNet161_Weights", .entry = "IMAGENET1K_V1",
     .builder = "densenet161", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/densenet161-8d451a50.pth",
     .sha256 = "8d451a50", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 28681000, .min_size = 29,
     .acc1 = 77.138, .acc5 = 93.56, .gflops = 7.728, .file_size_mib = 110.369,
     .recipe = kRecipe, .docs = kLuaTorchDocs},
    {.enum_name = "DenseNet169_Weights", .entry = "IMAGENET1K_V1",
     .builder = "densenet169", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/densenet169-b2777c0a.pth",
     .sha256 = "b2777c0a", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 14149480, .min_size = 29,
     .acc1 = 75.6, .acc5 = 92.806, .gflops = 3.36, .file_size_mib = 54.708,
     .recipe = kRecipe, .docs = kLuaTorchDocs},
    {.enum_name = "DenseNet201_Weights", .entry = "IMAGENET1K_V1",
     .builder = "densenet201", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/densenet201-c1103571.pth",
     .sha256 = "c1103571", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 20013928, .min_size = 29,
     .acc1 = 76.896, .acc5 = 93.37, .gflops = 4.291, .file_size_mib = 77.373,
     .recipe = kRecipe, .docs = kLuaTorchDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kDenseNetWeights = kRows;

}  // namespace tv

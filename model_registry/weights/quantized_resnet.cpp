// ResNet and ResNeXt with int8 weights and activations.
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "ResNet";

// clang-format off
constexpr Weights kRows[] = {
    {.enum_name = "ResNet18_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V1",
     .builder = "quantized_resnet18", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/resnet18_fbgemm_16fa66dd.pth",
     .sha256 = "16fa66dd", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 11689512, .min_size = 1,
     .acc1 = 69.494, .acc5 = 88.882, .gflops = 1.814, .file_size_mib = 11.238,
     .recipe = kPostTrainingRecipe, .docs = kPostTrainingDocs,
     .backend = "fbgemm", .unquantized = "ResNet18_Weights.IMAGENET1K_V1"},
    {.enum_name = "ResNet50_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V1",
     .builder = "quantized_resnet50", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/quantized/resnet50_fbgemm_bf931d71.pth",
     .sha256 = "bf931d71", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 25557032, .min_size = 1,
     .acc1 = 75.92, .acc5 = 92.814, .gflops = 4.089, .file_size_mib = 24.759,
     .recipe = kPostTrainingRecipe, .docs = kPostTrainingDocs,
     .backend = "fbgemm", .unquantized = "ResNet50_Weights.IMAGENET1K_V1"},
    {.enum_name = "ResNet50_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V2",
     .builder = "quantized_resnet50", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/resnet50_fbgemm-23753f79.pth",
     .sha256 = "23753f79", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 25557032, .min_size = 1,
     .acc1 = 80.282, .acc5 = 94.976, .gflops = 4.089, .file_size_mib = 24.953,
     .recipe = kPostTrainingRecipe, .docs = kPostTrainingDocs,
     .backend = "fbgemm", .unquantized = "ResNet50_Weights.IMAGENET1K_V2"},
    {.enum_name = "ResNeXt101_32X8D_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V1",
     .builder = "quantized_resnext101_32x8d", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/quantized/resnext101_32x8_fbgemm_09835ccf.pth",
     .sha256 = "09835ccf", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 88791336, .min_size = 1,
     .acc1 = 78.986, .acc5 = 94.48, .gflops = 16.414, .file_size_mib = 86.034,
     .recipe = kPostTrainingRecipe, .docs = kPostTrainingDocs,
     .backend = "fbgemm", .unquantized = "ResNeXt101_32X8D_Weights.IMAGENET1K_V1"},
    {.enum_name = "ResNeXt101_32X8D_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V2",
     .builder = "quantized_resnext101_32x8d", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/resnext101_32x8_fbgemm-ee16d00c.pth",
     .sha256 = "ee16d00c", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 88791336, .min_size = 1,
     .acc1 = 82.574, .acc5 = 96.132, .gflops = 16.414, .file_size_mib = 86.645,
     .recipe = kPostTrainingRecipe, .docs = kPostTrainingDocs,
     .backend = "fbgemm", .unquantized = "ResNeXt101_32X8D_Weights.IMAGENET1K_V2"},
    {.enum_name = "ResNeXt101_64X4D_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V1",
     .builder = "quantized_resnext101_64x4d", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/resnext101_64x4d_fbgemm-605a1cb3.pth",
     .sha256 = "605a1cb3", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 83455272, .min_size = 1,
     .acc1 = 82.898, .acc5 = 96.326, .gflops = 15.46, .file_size_mib = 81.556,
     .recipe = k64x4dRecipe, .docs = kPostTrainingDocs,
     .backend = "fbgemm", .unquantized = "ResNeXt101_64X4D_Weights.IMAGENET1K_V1"},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kQuantizedResNetWeights = kRows;

}  // namespace tv

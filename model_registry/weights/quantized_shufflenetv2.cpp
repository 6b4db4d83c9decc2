// ShuffleNetV2 with int8 weights and activations.
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "ShuffleNetV2";

// clang-format off
constexpr Weights kRows[] = {
    {.enum_name = "ShuffleNet_V2_X0_5_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V1",
     .builder = "quantized_shufflenet_v2_x0_5", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/shufflenetv2_x0.5_fbgemm-00845098.pth",
     .sha256 = "00845098", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 1366792, .min_size = 1,
     .acc1 = 57.972, .acc5 = 79.78, .gflops = 0.04, .file_size_mib = 1.501,
     .recipe = kPostTrainingRecipe, .docs = kPostTrainingDocs,
     .backend = "fbgemm", .unquantized = "ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1"},
    {.enum_name = "ShuffleNet_V2_X1_0_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V1",
     .builder = "quantized_shufflenet_v2_x1_0", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/shufflenetv2_x1_fbgemm-1e62bb32.pth",
     .sha256 = "1e62bb32", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 2278604, .min_size = 1,
     .acc1 = 68.36, .acc5 = 87.582, .gflops = 0.145, .file_size_mib = 2.334,
     .recipe = kPostTrainingRecipe, .docs = kPostTrainingDocs,
     .backend = "fbgemm", .unquantized = "ShuffleNet_V2_X1_0_Weights.IMAGENET1K_V1"},
    {.enum_name = "ShuffleNet_V2_X1_5_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V1",
     .builder = "quantized_shufflenet_v2_x1_5", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/shufflenetv2_x1_5_fbgemm-d7401f05.pth",
     .sha256 = "d7401f05", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 3503624, .min_size = 1,
     .acc1 = 72.052, .acc5 = 90.7, .gflops = 0.296, .file_size_mib = 3.672,
     .recipe = kShuffleNetRecipe, .docs = kPostTrainingDocs,
     .backend = "fbgemm", .unquantized = "ShuffleNet_V2_X1_5_Weights.IMAGENET1K_V1"},
    {.enum_name = "ShuffleNet_V2_X2_0_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V1",
     .builder = "quantized_shufflenet_v2_x2_0", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/shufflenetv2_x2_0_fbgemm-5cac526c.pth",
     .sha256 = "5cac526c", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 7393996, .min_size = 1,
     .acc1 = 75.354, .acc5 = 92.488, .gflops = 0.583, .file_size_mib = 7.467,
     .recipe = kShuffleNetRecipe, .docs = kPostTrainingDocs,
     .backend = "fbgemm", .unquantized = "ShuffleNet_V2_X2_0_Weights.IMAGENET1K_V1"},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kQuantizedShuffleNetV2Weights = kRows;

}  // namespace tv

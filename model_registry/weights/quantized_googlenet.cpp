// GoogLeNet with int8 weights and activations.
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "GoogLeNet";

// clang-format off
constexpr Weights kRows[] = {
    {.enum_name = "GoogLeNet_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V1",
     .builder = "quantized_googlenet", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/googlenet_fbgemm-c81f6644.pth",
     .sha256 = "c81f6644", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 6624904, .min_size = 15,
     .acc1 = 69.826, .acc5 = 89.404, .gflops = 1.498, .file_size_mib = 12.618,
     .recipe = kPostTrainingRecipe, .docs = kPostTrainingDocs16,
     .backend = "fbgemm", .unquantized = "GoogLeNet_Weights.IMAGENET1K_V1"},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kQuantizedGoogLeNetWeights = kRows;

}  // namespace tv

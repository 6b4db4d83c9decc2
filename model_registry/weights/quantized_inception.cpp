// Inception v3 with int8 weights and activations.
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "Inception3";

// clang-format off
constexpr Weights kRows[] = {
    {.enum_name = "Inception_V3_QuantizedWeights", .entry = "IMAGENET1K_FBGEMM_V1",
     .builder = "quantized_inception_v3", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/inception_v3_google_fbgemm-a2837893.pth",
     .sha256 = "a2837893", .preset = {.crop_size = 299, .resize_size = 342},
     .categories = kImageNet1k, .num_params = 27161264, .min_size = 75,
     .acc1 = 77.176, .acc5 = 93.354, .gflops = 5.713, .file_size_mib = 23.146,
     .recipe = kPostTrainingRecipe, .docs = kPostTrainingDocs16,
     .backend = "fbgemm", .unquantized = "Inception_V3_Weights.IMAGENET1K_V1"},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kQuantizedInceptionWeights = kRows;

}  // namespace tv

// MobileNetV3 with int8 weights and activations.
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "MobileNetV3";

// clang-format off
constexpr std::string_view kRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#qat-mobilenetv3";

constexpr Weights kRows[] = {
    {.enum_name = "MobileNet_V3_Large_QuantizedWeights", .entry = "IMAGENET1K_QNNPACK_V1",
     .builder = "quantized_mobilenet_v3_large", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/mobilenet_v3_large_qnnpack-5bcacf28.pth",
     .sha256 = "5bcacf28", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 5483032, .min_size = 1,
     .acc1 = 73.004, .acc5 = 90.858, .gflops = 0.217, .file_size_mib = 21.554,
     .recipe = kRecipe, .docs = kAwareTrainingDocs,
     .backend = "qnnpack", .unquantized = "MobileNet_V3_Large_Weights.IMAGENET1K_V1"},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kQuantizedMobileNetV3Weights = kRows;

}  // namespace tv

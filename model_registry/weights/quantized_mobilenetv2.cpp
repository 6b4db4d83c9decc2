// MobileNetV2 with int8 weights and activations.
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "MobileNetV2";

// clang-format off
constexpr std::string_view kRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#qat-mobilenetv2";

constexpr Weights kRows[] = {
    {.enum_name = "MobileNet_V2_QuantizedWeights", .entry = "IMAGENET1K_QNNPACK_V1",
     .builder = "quantized_mobilenet_v2", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/quantized/mobilenet_v2_qnnpack_37f702c5.pth",
     .sha256 = "37f702c5", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 3504872, .min_size = 1,
     .acc1 = 71.658, .acc5 = 90.15, .gflops = 0.301, .file_size_mib = 3.423,
     .recipe = kRecipe, .docs = kAwareTrainingDocs,
     .backend = "qnnpack", .unquantized = "MobileNet_V2_Weights.IMAGENET1K_V1"},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kQuantizedMobileNetV2Weights = kRows;

}  // namespace tv

// MobileNetV2 (Sandler et al., Inverted Residuals and Linear Bottlenecks, 2018).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "MobileNetV2";

// clang-format off
constexpr std::string_view kSimpleRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#mobilenetv2";

constexpr Weights kRows[] = {
    {.enum_name = "MobileNet_V2_Weights", .entry = "IMAGENET1K_V1",
     .builder = "mobilenet_v2", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
     .sha256 = "b0353104", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 3504872, .min_size = 1,
     .acc1 = 71.878, .acc5 = 90.286, .gflops = 0.301, .file_size_mib = 13.555,
     .recipe = kSimpleRecipe, .docs = kSimpleRecipeDocs},
    {.enum_name = "MobileNet_V2_Weights", .entry = "IMAGENET1K_V2",
     .builder = "mobilenet_v2", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/mobilenet_v2-7ebf99e0.pth",
     .sha256 = "7ebf99e0", .preset = {.crop_size = 224, .resize_size = 232},
     .categories = kImageNet1k, .num_params = 3504872, .min_size = 1,
     .acc1 = 72.154, .acc5 = 90.822, .gflops = 0.301, .file_size_mib = 13.598,
     .recipe = kRegTunedRecipe, .docs = kModifiedNewRecipeDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kMobileNetV2Weights = kRows;

}  // namespace tv

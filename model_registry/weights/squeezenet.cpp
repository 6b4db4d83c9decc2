// SqueezeNet (Iandola et al., 2016).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "SqueezeNet";

// clang-format off
constexpr std::string_view kRecipe =
    "https://github.com/pytorch/vision/pull/49#issuecomment-277560717";

constexpr Weights kRows[] = {
    {.enum_name = "SqueezeNet1_0_Weights", .entry = "IMAGENET1K_V1",
     .builder = "squeezenet1_0", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/squeezenet1_0-b66bff10.pth",
     .sha256 = "b66bff10", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 1248424, .min_size = 21,
     .acc1 = 58.092, .acc5 = 80.42, .gflops = 0.819, .file_size_mib = 4.778,
     .recipe = kRecipe, .docs = kSimpleRecipeDocs},
    {.enum_name = "SqueezeNet1_1_Weights", .entry = "IMAGENET1K_V1",
     .builder = "squeezenet1_1", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
     .sha256 = "b8a52dc0", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 1235496, .min_size = 17,
     .acc1 = 58.178, .acc5 = 80.624, .gflops = 0.349, .file_size_mib = 4.729,
     .recipe = kRecipe, .docs = kSimpleRecipeDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kSqueezeNetWeights = kRows;

}  // namespace tv

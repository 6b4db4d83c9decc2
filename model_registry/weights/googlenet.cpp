// GoogLeNet (Szegedy et al., Going Deeper with Convolutions, 2014).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "GoogLeNet";

// clang-format off
constexpr std::string_view kRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#googlenet";

constexpr Weights kRows[] = {
    {.enum_name = "GoogLeNet_Weights", .entry = "IMAGENET1K_V1",
     .builder = "googlenet", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/googlenet-1378be20.pth",
     .sha256 = "1378be20", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 6624904, .min_size = 15,
     .acc1 = 69.778, .acc5 = 89.53, .gflops = 1.498, .file_size_mib = 49.731,
     .recipe = kRecipe, .docs = kPortedDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kGoogLeNetWeights = kRows;

}  // namespace tv

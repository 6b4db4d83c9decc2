// Inception v3 (Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2015).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "Inception3";

// clang-format off
constexpr std::string_view kRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#inception-v3";

constexpr Weights kRows[] = {
    {.enum_name = "Inception_V3_Weights", .entry = "IMAGENET1K_V1",
     .builder = "inception_v3", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
     .sha256 = "0cc3c7bd", .preset = {.crop_size = 299, .resize_size = 342},
     .categories = kImageNet1k, .num_params = 27161264, .min_size = 75,
     .acc1 = 77.294, .acc5 = 93.45, .gflops = 5.713, .file_size_mib = 103.903,
     .recipe = kRecipe, .docs = kPortedDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kInceptionWeights = kRows;

}  // namespace tv

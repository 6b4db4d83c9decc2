// MaxViT (Tu et al., Multi-Axis Vision Transformer, 2022).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "MaxVit";

// clang-format off
constexpr std::string_view kRecipe =
    "https://github.com/pytorch/vision/tree/main/references/classification#maxvit";
constexpr std::string_view kMaxVitDocs =
    R"(These weights reproduce closely the results of the paper using a similar training recipe.
            They were trained with a BatchNorm2D momentum of 0.99 instead of the more correct 0.01.)";

constexpr Weights kRows[] = {
    {.enum_name = "MaxVit_T_Weights", .entry = "IMAGENET1K_V1",
     .builder = "maxvit_t", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/maxvit_t-bc5ab103.pth",
     .sha256 = "bc5ab103",
     .preset = {.crop_size = 224, .resize_size = 224, .interpolation = Interpolation::kBicubic},
     .categories = kImageNet1k, .num_params = 30919624, .min_size = 224,
     .acc1 = 83.7, .acc5 = 96.722, .gflops = 5.558, .file_size_mib = 118.769,
     .recipe = kRecipe, .docs = kMaxVitDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kMaxVitWeights = kRows;

}  // namespace tv

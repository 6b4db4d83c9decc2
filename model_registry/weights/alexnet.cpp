// AlexNet (Krizhevsky, One weird trick, 2014).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "AlexNet";

// clang-format off
constexpr std::string_view kSimplifiedRecipeDocs =
    R"(
                These weights reproduce closely the results of the paper using a simplified training recipe.
            )";

constexpr Weights kRows[] = {
    {.enum_name = "AlexNet_Weights", .entry = "IMAGENET1K_V1",
     .builder = "alexnet", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
     .sha256 = "7be5be79", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 61100840, .min_size = 63,
     .acc1 = 56.522, .acc5 = 79.066, .gflops = 0.714, .file_size_mib = 233.087,
     .recipe = kAlexNetAndVggRecipe, .docs = kSimplifiedRecipeDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kAlexNetWeights = kRows;

}  // namespace tv

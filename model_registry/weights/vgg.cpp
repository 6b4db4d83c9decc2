// VGG (Simonyan and Zisserman, Very Deep Convolutional Networks, 2014).
#include "model_registry/weights/common.hpp"

namespace tv {
namespace {

constexpr std::string_view kArchitecture = "VGG";

// clang-format off
constexpr std::string_view kFeaturesRecipe =
    "https://github.com/amdegroot/ssd.pytorch#training-ssd";
constexpr std::string_view kSimplifiedFromScratchDocs =
    "These weights were trained from scratch by using a simplified training recipe.";
constexpr std::string_view kFeaturesDocs =
    R"(
                These weights can't be used for classification because they are missing values in the `classifier`
                module. Only the `features` module has valid values and can be used for feature extraction. The weights
                were trained using the original input standardization method as described in the paper.
            )";

constexpr Weights kRows[] = {
    {.enum_name = "VGG11_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vgg11", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vgg11-8a719046.pth",
     .sha256 = "8a719046", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 132863336, .min_size = 32,
     .acc1 = 69.02, .acc5 = 88.628, .gflops = 7.609, .file_size_mib = 506.84,
     .recipe = kAlexNetAndVggRecipe, .docs = kSimplifiedFromScratchDocs},
    {.enum_name = "VGG11_BN_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vgg11_bn", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vgg11_bn-6002323d.pth",
     .sha256 = "6002323d", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 132868840, .min_size = 32,
     .acc1 = 70.37, .acc5 = 89.81, .gflops = 7.609, .file_size_mib = 506.881,
     .recipe = kAlexNetAndVggRecipe, .docs = kSimplifiedFromScratchDocs},
    {.enum_name = "VGG13_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vgg13", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vgg13-19584684.pth",
     .sha256 = "19584684", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 133047848, .min_size = 32,
     .acc1 = 69.928, .acc5 = 89.246, .gflops = 11.308, .file_size_mib = 507.545,
     .recipe = kAlexNetAndVggRecipe, .docs = kSimplifiedFromScratchDocs},
    {.enum_name = "VGG13_BN_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vgg13_bn", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vgg13_bn-abd245e5.pth",
     .sha256 = "abd245e5", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 133053736, .min_size = 32,
     .acc1 = 71.586, .acc5 = 90.374, .gflops = 11.308, .file_size_mib = 507.59,
     .recipe = kAlexNetAndVggRecipe, .docs = kSimplifiedFromScratchDocs},
    {.enum_name = "VGG16_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vgg16", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vgg16-397923af.pth",
     .sha256 = "397923af", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 138357544, .min_size = 32,
     .acc1 = 71.592, .acc5 = 90.382, .gflops = 15.47, .file_size_mib = 527.796,
     .recipe = kAlexNetAndVggRecipe, .docs = kSimplifiedFromScratchDocs},
    {.enum_name = "VGG16_Weights", .entry = "IMAGENET1K_FEATURES",
     .builder = "vgg16", .architecture = kArchitecture,
     .url = "https://download.pytorch.org/models/vgg16_features-amdegroot-88682ab5.pth",
     .sha256 = "88682ab5",
     .preset = {.crop_size = 224,
                .mean = {0.48235, 0.45882, 0.40784}, .std = {1.0 / 255, 1.0 / 255, 1.0 / 255}},
     .without_values = "classifier", .num_params = 138357544, .min_size = 32,
     .acc1 = kNotPublished, .acc5 = kNotPublished, .gflops = 15.47, .file_size_mib = 527.802,
     .recipe = kFeaturesRecipe, .docs = kFeaturesDocs},
    {.enum_name = "VGG16_BN_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vgg16_bn", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vgg16_bn-6c64b313.pth",
     .sha256 = "6c64b313", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 138365992, .min_size = 32,
     .acc1 = 73.36, .acc5 = 91.516, .gflops = 15.47, .file_size_mib = 527.866,
     .recipe = kAlexNetAndVggRecipe, .docs = kSimplifiedFromScratchDocs},
    {.enum_name = "VGG19_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vgg19", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
     .sha256 = "dcbb9e9d", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 143667240, .min_size = 32,
     .acc1 = 72.376, .acc5 = 90.876, .gflops = 19.632, .file_size_mib = 548.051,
     .recipe = kAlexNetAndVggRecipe, .docs = kSimplifiedFromScratchDocs},
    {.enum_name = "VGG19_BN_Weights", .entry = "IMAGENET1K_V1",
     .builder = "vgg19_bn", .architecture = kArchitecture, .is_default = true,
     .url = "https://download.pytorch.org/models/vgg19_bn-c79401a0.pth",
     .sha256 = "c79401a0", .preset = {.crop_size = 224},
     .categories = kImageNet1k, .num_params = 143678248, .min_size = 32,
     .acc1 = 74.218, .acc5 = 91.842, .gflops = 19.632, .file_size_mib = 548.143,
     .recipe = kAlexNetAndVggRecipe, .docs = kSimplifiedFromScratchDocs},
};
// clang-format on

}  // namespace

constinit const std::span<const Weights> kVggWeights = kRows;

}  // namespace tv

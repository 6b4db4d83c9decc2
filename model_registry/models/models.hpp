// The builders: torchvision.models.resnet50(weights=..., num_classes=...) and its siblings.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model_registry/error.hpp"
#include "model_registry/graph/bind.hpp"
#include "model_registry/graph/module.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// Keyword arguments of the builders, as torchvision calls them. Absent ones take Python's default;
/// a builder refuses those that it does not take. With weights, num_classes must be absent or equal
/// to the weights' own, unless the entry has no categories (VGG16_Weights.IMAGENET1K_FEATURES).
struct BuildOptions {
  const Weights* weights =
      nullptr;  ///< nullptr: random initialisation; must be an entry of this builder's enum
  std::optional<int> num_classes = {};  ///< 1..1000000; default 1000
  /// Side of the images that ViT and MaxViT are built for (MaxViT's input_size), pixels,
  /// default 224; a multiple of ViT's patch, for MaxViT what its partitions divide. No other
  /// builder takes it. With weights it must be absent or equal to the weights' min_size.
  std::optional<int> image_size = {};
  /// Quantized builders: true = int8, with weights of the builder's own enum; false = the float
  /// network in the form made for quantisation, with weights of the float builder's enum.
  bool quantize = false;
  /// Quantized builders: "fbgemm" or "qnnpack", the kernels that the numbers are made for. Default:
  /// the weights' own, or that of the published ones. Read with quantize=true alone.
  std::optional<std::string> backend = {};
  /// googlenet, inception_v3: whether the network has the auxiliary heads, which training needs and
  /// inference does not run. With weights false is refused; GoogLeNet's heads are then removed
  /// after loading unless it is true, Inception's stay.
  std::optional<bool> aux_logits = {};
  /// googlenet, inception_v3: input normalised for ImageNet's mean and deviation is brought to mean
  /// and deviation 0.5 first. Default: true with weights, false without.
  std::optional<bool> transform_input = {};
  /// googlenet, inception_v3, vgg*: false leaves the layers' default initialisation. Default: true.
  /// With weights the numbers are replaced, and GoogLeNet and Inception v3 refuse true.
  std::optional<bool> init_weights = {};
  /// The numbers come from a file of the caller's. An entry then decides about defaults alone: the
  /// file may have another number of classes and, where image_size says so, be for other images.
  /// Auxiliary heads may be in the file or not, and are no
  /// part of the network unless aux_logits is true; so it is with user-defined entries, too.
  bool own_file = false;
};

/// An architecture and the weights chosen for it (nullptr: random). Loading happens when a backend
/// runs it.
struct Model {
  std::shared_ptr<const graph::Network> network;
  const Weights* weights = nullptr;
};

/// torchvision.models.get_model(name, **options), any letter case. Fails: NotFound with the nearest
/// builders, Unsupported for a builder of the registry whose architecture is not in this version,
/// InvalidArgument for options that contradict each other. Thread-safe.
Result<Model> get_model(std::string_view builder, const BuildOptions& options = {});

/// True for the enums and user-defined entries of quantized builders: their files hold int8
/// networks, which only quantize=true builds.
bool implies_quantize(const Weights& weights);

/// The builders that this version can run, sorted.
std::span<const std::string_view> available_models();

/// graph::bind, and where the tensors do not fit: the builder that the file looks like in the hint,
/// if there is one.
Result<graph::BoundTensors> bind_checkpoint(const Checkpoint& checkpoint,
                                            const graph::Network& network);

/// The available builder whose names and shapes are those of the file, whatever its number of
/// classes; "" for none.
std::string recognise_builder(const Checkpoint& checkpoint);

// Each is get_model() of its own name.
// clang-format off
using Builder = Result<Model>(const BuildOptions&);
inline Result<Model> alexnet(const BuildOptions& o = {}) { return get_model("alexnet", o); }
inline Result<Model> densenet121(const BuildOptions& o = {}) { return get_model("densenet121", o); }
inline Result<Model> densenet161(const BuildOptions& o = {}) { return get_model("densenet161", o); }
inline Result<Model> densenet169(const BuildOptions& o = {}) { return get_model("densenet169", o); }
inline Result<Model> densenet201(const BuildOptions& o = {}) { return get_model("densenet201", o); }
inline Result<Model> googlenet(const BuildOptions& o = {}) { return get_model("googlenet", o); }
inline Result<Model> inception_v3(const BuildOptions& o = {}) { return get_model("inception_v3", o); }
inline Result<Model> resnet18(const BuildOptions& o = {}) { return get_model("resnet18", o); }
inline Result<Model> resnet34(const BuildOptions& o = {}) { return get_model("resnet34", o); }
inline Result<Model> resnet50(const BuildOptions& o = {}) { return get_model("resnet50", o); }
inline Result<Model> resnet101(const BuildOptions& o = {}) { return get_model("resnet101", o); }
inline Result<Model> resnet152(const BuildOptions& o = {}) { return get_model("resnet152", o); }
inline Result<Model> resnext50_32x4d(const BuildOptions& o = {}) { return get_model("resnext50_32x4d", o); }
inline Result<Model> resnext101_32x8d(const BuildOptions& o = {}) { return get_model("resnext101_32x8d", o); }
inline Result<Model> resnext101_64x4d(const BuildOptions& o = {}) { return get_model("resnext101_64x4d", o); }
inline Result<Model> wide_resnet50_2(const BuildOptions& o = {}) { return get_model("wide_resnet50_2", o); }
inline Result<Model> wide_resnet101_2(const BuildOptions& o = {}) { return get_model("wide_resnet101_2", o); }
inline Result<Model> squeezenet1_0(const BuildOptions& o = {}) { return get_model("squeezenet1_0", o); }
inline Result<Model> squeezenet1_1(const BuildOptions& o = {}) { return get_model("squeezenet1_1", o); }
inline Result<Model> maxvit_t(const BuildOptions& o = {}) { return get_model("maxvit_t", o); }
inline Result<Model> swin_b(const BuildOptions& o = {}) { return get_model("swin_b", o); }
inline Result<Model> swin_s(const BuildOptions& o = {}) { return get_model("swin_s", o); }
inline Result<Model> swin_t(const BuildOptions& o = {}) { return get_model("swin_t", o); }
inline Result<Model> swin_v2_b(const BuildOptions& o = {}) { return get_model("swin_v2_b", o); }
inline Result<Model> swin_v2_s(const BuildOptions& o = {}) { return get_model("swin_v2_s", o); }
inline Result<Model> swin_v2_t(const BuildOptions& o = {}) { return get_model("swin_v2_t", o); }
inline Result<Model> vit_b_16(const BuildOptions& o = {}) { return get_model("vit_b_16", o); }
inline Result<Model> vit_b_32(const BuildOptions& o = {}) { return get_model("vit_b_32", o); }
inline Result<Model> vit_h_14(const BuildOptions& o = {}) { return get_model("vit_h_14", o); }
inline Result<Model> vit_l_16(const BuildOptions& o = {}) { return get_model("vit_l_16", o); }
inline Result<Model> vit_l_32(const BuildOptions& o = {}) { return get_model("vit_l_32", o); }
inline Result<Model> mobilenet_v2(const BuildOptions& o = {}) { return get_model("mobilenet_v2", o); }
inline Result<Model> efficientnet_b0(const BuildOptions& o = {}) { return get_model("efficientnet_b0", o); }
inline Result<Model> efficientnet_b1(const BuildOptions& o = {}) { return get_model("efficientnet_b1", o); }
inline Result<Model> efficientnet_b2(const BuildOptions& o = {}) { return get_model("efficientnet_b2", o); }
inline Result<Model> efficientnet_b3(const BuildOptions& o = {}) { return get_model("efficientnet_b3", o); }
inline Result<Model> efficientnet_b4(const BuildOptions& o = {}) { return get_model("efficientnet_b4", o); }
inline Result<Model> efficientnet_b5(const BuildOptions& o = {}) { return get_model("efficientnet_b5", o); }
inline Result<Model> efficientnet_b6(const BuildOptions& o = {}) { return get_model("efficientnet_b6", o); }
inline Result<Model> efficientnet_b7(const BuildOptions& o = {}) { return get_model("efficientnet_b7", o); }
inline Result<Model> efficientnet_v2_s(const BuildOptions& o = {}) { return get_model("efficientnet_v2_s", o); }
inline Result<Model> efficientnet_v2_m(const BuildOptions& o = {}) { return get_model("efficientnet_v2_m", o); }
inline Result<Model> efficientnet_v2_l(const BuildOptions& o = {}) { return get_model("efficientnet_v2_l", o); }
inline Result<Model> convnext_tiny(const BuildOptions& o = {}) { return get_model("convnext_tiny", o); }
inline Result<Model> convnext_small(const BuildOptions& o = {}) { return get_model("convnext_small", o); }
inline Result<Model> convnext_base(const BuildOptions& o = {}) { return get_model("convnext_base", o); }
inline Result<Model> convnext_large(const BuildOptions& o = {}) { return get_model("convnext_large", o); }
inline Result<Model> mnasnet0_5(const BuildOptions& o = {}) { return get_model("mnasnet0_5", o); }
inline Result<Model> mnasnet0_75(const BuildOptions& o = {}) { return get_model("mnasnet0_75", o); }
inline Result<Model> mnasnet1_0(const BuildOptions& o = {}) { return get_model("mnasnet1_0", o); }
inline Result<Model> mnasnet1_3(const BuildOptions& o = {}) { return get_model("mnasnet1_3", o); }
inline Result<Model> mobilenet_v3_large(const BuildOptions& o = {}) { return get_model("mobilenet_v3_large", o); }
inline Result<Model> mobilenet_v3_small(const BuildOptions& o = {}) { return get_model("mobilenet_v3_small", o); }
inline Result<Model> shufflenet_v2_x0_5(const BuildOptions& o = {}) { return get_model("shufflenet_v2_x0_5", o); }
inline Result<Model> shufflenet_v2_x1_0(const BuildOptions& o = {}) { return get_model("shufflenet_v2_x1_0", o); }
inline Result<Model> shufflenet_v2_x1_5(const BuildOptions& o = {}) { return get_model("shufflenet_v2_x1_5", o); }
inline Result<Model> shufflenet_v2_x2_0(const BuildOptions& o = {}) { return get_model("shufflenet_v2_x2_0", o); }
inline Result<Model> regnet_y_400mf(const BuildOptions& o = {}) { return get_model("regnet_y_400mf", o); }
inline Result<Model> regnet_y_800mf(const BuildOptions& o = {}) { return get_model("regnet_y_800mf", o); }
inline Result<Model> regnet_y_1_6gf(const BuildOptions& o = {}) { return get_model("regnet_y_1_6gf", o); }
inline Result<Model> regnet_y_3_2gf(const BuildOptions& o = {}) { return get_model("regnet_y_3_2gf", o); }
inline Result<Model> regnet_y_8gf(const BuildOptions& o = {}) { return get_model("regnet_y_8gf", o); }
inline Result<Model> regnet_y_16gf(const BuildOptions& o = {}) { return get_model("regnet_y_16gf", o); }
inline Result<Model> regnet_y_32gf(const BuildOptions& o = {}) { return get_model("regnet_y_32gf", o); }
inline Result<Model> regnet_y_128gf(const BuildOptions& o = {}) { return get_model("regnet_y_128gf", o); }
inline Result<Model> regnet_x_400mf(const BuildOptions& o = {}) { return get_model("regnet_x_400mf", o); }
inline Result<Model> regnet_x_800mf(const BuildOptions& o = {}) { return get_model("regnet_x_800mf", o); }
inline Result<Model> regnet_x_1_6gf(const BuildOptions& o = {}) { return get_model("regnet_x_1_6gf", o); }
inline Result<Model> regnet_x_3_2gf(const BuildOptions& o = {}) { return get_model("regnet_x_3_2gf", o); }
inline Result<Model> regnet_x_8gf(const BuildOptions& o = {}) { return get_model("regnet_x_8gf", o); }
inline Result<Model> regnet_x_16gf(const BuildOptions& o = {}) { return get_model("regnet_x_16gf", o); }
inline Result<Model> regnet_x_32gf(const BuildOptions& o = {}) { return get_model("regnet_x_32gf", o); }
inline Result<Model> vgg11(const BuildOptions& o = {}) { return get_model("vgg11", o); }
inline Result<Model> vgg11_bn(const BuildOptions& o = {}) { return get_model("vgg11_bn", o); }
inline Result<Model> vgg13(const BuildOptions& o = {}) { return get_model("vgg13", o); }
inline Result<Model> vgg13_bn(const BuildOptions& o = {}) { return get_model("vgg13_bn", o); }
inline Result<Model> vgg16(const BuildOptions& o = {}) { return get_model("vgg16", o); }
inline Result<Model> vgg16_bn(const BuildOptions& o = {}) { return get_model("vgg16_bn", o); }
inline Result<Model> vgg19(const BuildOptions& o = {}) { return get_model("vgg19", o); }
inline Result<Model> vgg19_bn(const BuildOptions& o = {}) { return get_model("vgg19_bn", o); }

// torchvision.models.quantization.
namespace quantization {
inline Result<Model> mobilenet_v2(const BuildOptions& o = {}) { return get_model("quantized_mobilenet_v2", o); }
inline Result<Model> mobilenet_v3_large(const BuildOptions& o = {}) { return get_model("quantized_mobilenet_v3_large", o); }
inline Result<Model> resnet18(const BuildOptions& o = {}) { return get_model("quantized_resnet18", o); }
inline Result<Model> resnet50(const BuildOptions& o = {}) { return get_model("quantized_resnet50", o); }
inline Result<Model> resnext101_32x8d(const BuildOptions& o = {}) { return get_model("quantized_resnext101_32x8d", o); }
inline Result<Model> resnext101_64x4d(const BuildOptions& o = {}) { return get_model("quantized_resnext101_64x4d", o); }
inline Result<Model> shufflenet_v2_x0_5(const BuildOptions& o = {}) { return get_model("quantized_shufflenet_v2_x0_5", o); }
inline Result<Model> shufflenet_v2_x1_0(const BuildOptions& o = {}) { return get_model("quantized_shufflenet_v2_x1_0", o); }
inline Result<Model> shufflenet_v2_x1_5(const BuildOptions& o = {}) { return get_model("quantized_shufflenet_v2_x1_5", o); }
inline Result<Model> shufflenet_v2_x2_0(const BuildOptions& o = {}) { return get_model("quantized_shufflenet_v2_x2_0", o); }
}  // namespace quantization
// clang-format on

}  // namespace tv

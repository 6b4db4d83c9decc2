// torchvision.models.quantization: each builder is the network of a float builder with other leaves
// (nn/layers.hpp, nn/quantized.hpp).
#include <utility>

#include "model_registry/models/families.hpp"

namespace tv::models {
namespace {

using graph::QuantizedBackend;

struct Variant {
  std::string_view builder;
  std::string_view float_builder;
  std::vector<ModelRow> (*family)();
  QuantizedBackend backend;  // of the published weights, and Python's default
  bool quantization_aware = false;
};

// clang-format off
constexpr auto kFbgemm = QuantizedBackend::kFbgemm;
constexpr auto kQnnpack = QuantizedBackend::kQnnpack;

constexpr Variant kVariants[] = {
    {"quantized_googlenet",          "googlenet",          googlenet_models,    kFbgemm},
    {"quantized_inception_v3",       "inception_v3",       inception_models,    kFbgemm},
    {"quantized_mobilenet_v2",       "mobilenet_v2",       mobilenetv2_models,  kQnnpack},
    {"quantized_mobilenet_v3_large", "mobilenet_v3_large", mobilenetv3_models,  kQnnpack, true},
    {"quantized_resnet18",           "resnet18",           resnet_models,       kFbgemm},
    {"quantized_resnet50",           "resnet50",           resnet_models,       kFbgemm},
    {"quantized_resnext101_32x8d",   "resnext101_32x8d",   resnet_models,       kFbgemm},
    {"quantized_resnext101_64x4d",   "resnext101_64x4d",   resnet_models,       kFbgemm},
    {"quantized_shufflenet_v2_x0_5", "shufflenet_v2_x0_5", shufflenetv2_models, kFbgemm},
    {"quantized_shufflenet_v2_x1_0", "shufflenet_v2_x1_0", shufflenetv2_models, kFbgemm},
    {"quantized_shufflenet_v2_x1_5", "shufflenet_v2_x1_5", shufflenetv2_models, kFbgemm},
    {"quantized_shufflenet_v2_x2_0", "shufflenet_v2_x2_0", shufflenetv2_models, kFbgemm},
};
// clang-format on

ModelRow row_of(const Variant& variant) {
  ModelRow row;
  for (ModelRow& candidate : variant.family())
    if (candidate.builder == variant.float_builder) row = std::move(candidate);
  row.builder = variant.builder;
  row.quantization = {variant.float_builder, variant.backend, variant.quantization_aware};
  return row;
}

}  // namespace

std::vector<ModelRow> quantized_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) rows.push_back(row_of(variant));
  return rows;
}

}  // namespace tv::models

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
};

// clang-format off
constexpr Variant kVariants[] = {
    {"quantized_mobilenet_v2",     "mobilenet_v2",     mobilenetv2_models, QuantizedBackend::kQnnpack},
    {"quantized_resnet18",         "resnet18",         resnet_models,      QuantizedBackend::kFbgemm},
    {"quantized_resnet50",         "resnet50",         resnet_models,      QuantizedBackend::kFbgemm},
    {"quantized_resnext101_32x8d", "resnext101_32x8d", resnet_models,      QuantizedBackend::kFbgemm},
    {"quantized_resnext101_64x4d", "resnext101_64x4d", resnet_models,      QuantizedBackend::kFbgemm},
};
// clang-format on

ModelRow row_of(const Variant& variant) {
  ModelRow row;
  for (ModelRow& candidate : variant.family())
    if (candidate.builder == variant.float_builder) row = std::move(candidate);
  row.builder = variant.builder;
  row.quantization = {variant.float_builder, variant.backend};
  return row;
}

}  // namespace

std::vector<ModelRow> quantized_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) rows.push_back(row_of(variant));
  return rows;
}

}  // namespace tv::models

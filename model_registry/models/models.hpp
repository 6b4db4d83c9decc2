// The builders: torchvision.models.resnet50(weights=..., num_classes=...) and its siblings.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "model_registry/error.hpp"
#include "model_registry/graph/module.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// Keyword arguments of every builder. With weights, num_classes must be absent or equal to the weights' own.
struct BuildOptions {
  const Weights* weights = nullptr;  ///< nullptr: random initialisation; must be an entry of this builder's enum
  std::optional<int> num_classes;    ///< >= 1; default 1000
};

/// An architecture and the weights chosen for it (nullptr: random). Loading happens when a backend runs it.
struct Model {
  std::shared_ptr<const graph::Network> network;
  const Weights* weights = nullptr;
};

using Builder = Result<Model> (*)(const BuildOptions&);

/// torchvision.models.get_model(name, **options). Fails: NotFound with the nearest builders, Unsupported for a builder
/// of the registry whose architecture is not in this version, InvalidArgument for options that contradict each other.
Result<Model> get_model(std::string_view builder, const BuildOptions& options = {});

/// The builders that this version can run, sorted.
std::span<const std::string_view> available_models();

// clang-format off
Result<Model> resnet18(const BuildOptions& = {});
Result<Model> resnet34(const BuildOptions& = {});
Result<Model> resnet50(const BuildOptions& = {});
Result<Model> resnet101(const BuildOptions& = {});
Result<Model> resnet152(const BuildOptions& = {});
Result<Model> resnext50_32x4d(const BuildOptions& = {});
Result<Model> resnext101_32x8d(const BuildOptions& = {});
Result<Model> resnext101_64x4d(const BuildOptions& = {});
Result<Model> wide_resnet50_2(const BuildOptions& = {});
Result<Model> wide_resnet101_2(const BuildOptions& = {});
Result<Model> squeezenet1_0(const BuildOptions& = {});
Result<Model> squeezenet1_1(const BuildOptions& = {});
Result<Model> mobilenet_v2(const BuildOptions& = {});
// clang-format on

}  // namespace tv

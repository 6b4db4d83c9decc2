// torchvision.ops.MLP with one hidden layer, as transformer blocks use it.
#pragma once

#include <memory>

#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::nn {

/// [..., channels] -> the same: layer "0", GELU, layer "3". With the initialisation that the blocks
/// of ViT and Swin give it after the default one.
inline std::unique_ptr<Sequential> mlp(Build& build, int channels, int hidden) {
  auto block = std::make_unique<Sequential>();
  const auto widen = block->emplace<Linear>(build, channels, hidden);
  block->emplace<GELU>();
  block->emplace<Dropout>();
  const auto narrow = block->emplace<Linear>(build, hidden, channels);
  block->emplace<Dropout>();
  for (const auto& layer : {widen, narrow}) {
    build.xavier_uniform(layer->weight());
    build.normal(layer->bias(), 0, 1e-6);
  }
  return block;
}

}  // namespace tv::nn

// torchvision.models.convnext.LayerNorm2d: over the channels of each pixel.
#pragma once

#include "model_registry/models/nn/layers.hpp"

namespace tv::nn {

/// [N, channels, H, W] -> the same.
class LayerNorm2d final : public LayerNorm {
 public:
  using LayerNorm::LayerNorm;
  Value forward(Value x) const override {
    return graph::permute(LayerNorm::forward(graph::permute(x, {0, 2, 3, 1})), {0, 3, 1, 2});
  }
};

}  // namespace tv::nn

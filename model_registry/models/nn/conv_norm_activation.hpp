// torchvision.ops.Conv2dNormActivation: convolution "0", batch norm "1", activation "2".
#pragma once

#include <memory>

#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::nn {

struct ConvNormOptions {
  int kernel = 3;  ///< pixels, odd; the padding keeps the size at stride 1
  int stride = 1;
  int groups = 1;
};

/// `Activation` is a module without parameters (ReLU, ReLU6).
template <typename Activation>
std::unique_ptr<Sequential> conv_norm_activation(Build& build, int in, int out,
                                                 const ConvNormOptions& options = {}) {
  auto block = std::make_unique<Sequential>();
  block->emplace<Conv2d>(build, in, out, options.kernel,
                         Conv2dOptions{.stride = options.stride,
                                       .padding = (options.kernel - 1) / 2,
                                       .groups = options.groups,
                                       .bias = false});
  block->emplace<BatchNorm2d>(build, out);
  block->emplace<Activation>();
  return block;
}

}  // namespace tv::nn

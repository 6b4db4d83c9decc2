// torchvision.ops.Conv2dNormActivation: convolution "0", batch norm "1", activation "2"; without a
// norm the activation is "1".
#pragma once

#include <memory>
#include <type_traits>

#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::nn {

struct ConvNormOptions {
  int kernel = 3;  ///< pixels, odd; the padding keeps the size at stride 1
  int stride = 1;
  int groups = 1;
  int dilation = 1;   ///< pixels between taps
  bool norm = true;   ///< false: the convolution has a bias instead
  double eps = 1e-5;  ///< of the batch norm
};

/// Stands for `activation_layer=None`.
struct NoActivation {};

/// `Activation` is a module without parameters in float (ReLU, SiLU), or NoActivation.
template <typename Activation>
std::unique_ptr<Sequential> conv_norm_activation(Build& build, int in, int out,
                                                 const ConvNormOptions& options = {}) {
  auto block = std::make_unique<Sequential>();
  block->emplace<Conv2d>(build, in, out, options.kernel,
                         Conv2dOptions{.stride = options.stride,
                                       .padding = (options.kernel - 1) / 2 * options.dilation,
                                       .dilation = options.dilation,
                                       .groups = options.groups,
                                       .bias = !options.norm});
  if (options.norm) block->emplace<BatchNorm2d>(build, out, options.eps);
  if constexpr (!std::is_same_v<Activation, NoActivation>)
    block->append(make_activation<Activation>(build));
  return block;
}

}  // namespace tv::nn

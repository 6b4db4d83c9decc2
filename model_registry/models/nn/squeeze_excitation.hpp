// torchvision.ops.SqueezeExcitation (Hu et al. 2017, arXiv 1709.01507, figure 1): a weight for each
// channel, from the means of all channels.
#pragma once

#include <memory>

#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/quantized.hpp"

namespace tv::nn {

/// [N, channels, H, W] -> the same. `Activation` follows the first of the two layers (delta in the
/// paper's equation 3), `Scale` the second one (sigma); both are modules without parameters in
/// float.
template <typename Activation, typename Scale = Sigmoid>
class SqueezeExcitation final : public Module {
 public:
  SqueezeExcitation(Build& build, int channels, int squeezed) {
    avgpool_ = add("avgpool", std::make_unique<AdaptiveAvgPool2d>(1));
    fc1_ = add("fc1", std::make_unique<Conv2d>(build, channels, squeezed, 1));
    fc2_ = add("fc2", std::make_unique<Conv2d>(build, squeezed, channels, 1));
    activation_ = add("activation", make_activation<Activation>(build));
    scale_activation_ = add("scale_activation", make_activation<Scale>(build));
    skip_mul_ = add("skip_mul", std::make_unique<FloatMultiply>(build));
  }

  Value forward(Value x) const override {
    const Value scale = scale_activation_(fc2_(activation_(fc1_(avgpool_(x)))));  // [N, C, 1, 1]
    return skip_mul_(scale, x);
  }

 private:
  Ref<AdaptiveAvgPool2d> avgpool_;
  Ref<Conv2d> fc1_, fc2_;
  Ref<Activation> activation_;
  Ref<Scale> scale_activation_;
  Ref<FloatMultiply> skip_mul_;
};

}  // namespace tv::nn
